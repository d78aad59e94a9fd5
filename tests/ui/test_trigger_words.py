"""The web app has words for every choice of a trigger that the API takes."""

import re
from typing import get_args

import pytest

from app.runs.schemas import TriggerType
from cli.ui_toolchain import UI
from engine.triggers.event import EventName
from engine.triggers.schedule import ScheduleConfig
from engine.triggers.signatures import WebhookAuth

pytestmark = pytest.mark.without_faults("no database is looked at")

_WORDS = (UI / "src" / "lib" / "trigger-words.ts").read_text()
_AUTHS = {"none", *(kind.__struct_config__.tag for kind in get_args(WebhookAuth))}


@pytest.mark.parametrize(
    ("table", "choices"),
    [
        ("STARTED_BY", set(get_args(TriggerType))),
        ("AUTHS", _AUTHS),
        ("MISSED", set(get_args(ScheduleConfig.__annotations__["missed"]))),
        ("EVENTS", set(get_args(EventName))),
    ],
)
def test_each_choice_has_words_and_no_words_are_left_over(table: str, choices: set[str]) -> None:
    found = re.search(rf"const {table} = {{\n(.*?)\n}}", _WORDS, re.DOTALL)
    assert found is not None
    assert set(re.findall(r'^  "?([\w.]+)"?: "', found[1], re.MULTILINE)) == choices
