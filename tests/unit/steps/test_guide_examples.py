"""The examples of the guide on definitions are definitions."""

import json
import re
from typing import Any

import pytest

from engine.core.definition import RetryRule, StepDefinition
from engine.steps.registry import step_types
from engine.steps.validation import validate_definition
from tests.product import ROOT

GUIDE = (ROOT / "docs" / "guides" / "definitions.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_whole_example_can_be_published() -> None:
    assert validate_definition(json.loads(EXAMPLES[0])) == []


@pytest.mark.parametrize("example", [text for text in EXAMPLES if text.startswith('{"id"')])
def test_examples_of_steps_can_be_published(example: str) -> None:
    assert validate_definition({"schema": 1, "steps": [json.loads(example)]}) == []


@pytest.mark.parametrize("example", [text for text in EXAMPLES if text.startswith('"')])
def test_examples_of_single_fields_can_be_published(example: str) -> None:
    request = {"method": "GET", "url": "https://shop.example/"}
    field: dict[str, Any] = json.loads(f"{{{example}}}")
    step = {"id": "fetch", "type": "http", "with": request, **(field if "retry" in field else {})}
    definition = {"schema": 1, "steps": [step], **({} if "retry" in field else {"settings": field})}
    assert validate_definition(definition) == []


@pytest.mark.parametrize("field", [*StepDefinition.__struct_encode_fields__, *RetryRule.__struct_encode_fields__])
def test_the_guide_names_every_field_of_a_step_and_of_its_retry_rule(field: str) -> None:
    assert re.search(rf'`{field}`|"{field}"', GUIDE)


@pytest.mark.parametrize("step_type", step_types(), ids=lambda step_type: step_type.name)
def test_the_guide_has_a_section_for_every_step_type_that_names_its_fields(step_type: Any) -> None:
    section = GUIDE.partition(f"\n## `{step_type.name}`\n")[2].partition("\n## ")[0]
    missing = [
        field for field in step_type.Config.__struct_encode_fields__ if not re.search(rf'[`"]{field}[`"]', section)
    ]
    assert section
    assert missing == []
