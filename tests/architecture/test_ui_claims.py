"""What the web app says, and what it promises of what it says, held against where it comes from."""

import re

from engine.infra.settings import Settings, environment_name
from tests.architecture.test_ui_sources import SOURCES, UI, name

SHIPPED = {
    name(path): path.read_text() for path in SOURCES if path.is_relative_to(UI / "src") and ".test." not in path.name
}
# What somebody exports for the command that a page gives them is no setting of the product.
EXPORTED = {"FLOWFORGE_TOKEN"}


def test_times_are_told_in_one_place() -> None:
    clock = re.compile(r"\bDateTimeFormat\b|\btoLocale(Date|Time)String\b")
    telling = [file for file, text in SHIPPED.items() if clock.search(text)]
    assert telling == ["src/lib/format.ts"], "the clocks that somebody prefers would not hold there: use lib/format.ts"


def test_settings_that_pages_name_are_there() -> None:
    known = {environment_name(field) for field in Settings.__struct_fields__}
    named = {found for text in SHIPPED.values() for found in re.findall(r"FLOWFORGE_[A-Z_]+", text)}
    assert "FLOWFORGE_HOOK_MAX_BODY" in named
    assert named - known - EXPORTED == set()
