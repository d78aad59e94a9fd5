"""The pages on operations leave no setting, metric or check out."""

import re

import pytest

from engine.infra.metrics import REGISTRY
from engine.infra.settings import Settings, environment_name
from tests.architecture.sources import ROOT

OPERATIONS = ROOT / "docs" / "operations"
METRICS = sorted(
    family.name.removeprefix("flowforge_")
    for family in REGISTRY.collect()
    if not family.name.startswith("flowforge_process_")
)
CHECKS = sorted(
    set(re.findall(r'check="([a-z ]+)"', (ROOT / "cli" / "diagnosis.py").read_text()))
    | set(re.findall(r'_embedded\("([a-z ]+)"', (ROOT / "cli" / "diagnosis.py").read_text()))
)


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_every_setting_is_explained(field: str) -> None:
    assert f"`{environment_name(field)}`" in (OPERATIONS / "settings.md").read_text()


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_explained(metric: str) -> None:
    assert f"`{metric}`" in (OPERATIONS / "observability.md").read_text()


def test_every_metric_that_is_explained_exists() -> None:
    table = (
        (OPERATIONS / "observability.md").read_text().partition("\n## Metrics\n")[2].partition("\nWorth an alert")[0]
    )
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`([a-z_]+)`", cell)}
    assert named == set(METRICS)


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_of_doctor_is_explained(check: str) -> None:
    table = (OPERATIONS / "troubleshooting.md").read_text().partition("\n| symptom")[0]
    assert re.search(rf"^\| (?:[a-z ]+, )?{check}(?:, [a-z ]+)? \|", table, re.MULTILINE)
