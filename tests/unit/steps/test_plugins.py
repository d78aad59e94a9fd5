"""Step types of other packages: found by their entry points, and left out with a reason where they cannot be used."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from engine.steps.base import StepContext, StepFailure
from engine.steps.compilation import compile_definition
from engine.steps.configuration import parse_config
from engine.steps.plugins import Plugins, load_plugins, make_plain
from tests.product import ROOT

HEAD = """
from typing import Any, ClassVar
from msgspec import Struct
from engine.steps.base import ActionStep, RetryDefaults

class Config(Struct, frozen=True, kw_only=True):
    n: int = 0

class Base(ActionStep):
    name: ClassVar = "added"
    title: ClassVar = "Added"
    icon: ClassVar = "plus"
    Config: ClassVar = Config

    async def run(self, config: Any, context: Any) -> Any:
        return config.n
"""
Install = Callable[..., Plugins]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install modules, each with the step type that its class `Step` is, and load what there is."""
    before = set(sys.modules)

    def do(**modules: str) -> Plugins:
        dist = tmp_path / "unit_test_steps-1.5.dist-info"
        dist.mkdir()
        (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: unit-test-steps\nVersion: 1.5\n")
        points = "\n".join(f"{name} = unit_test_{name}:Step" for name in modules)
        (dist / "entry_points.txt").write_text(f"[flowforge.steps]\n{points}\n")
        for name, text in modules.items():
            (tmp_path / f"unit_test_{name}.py").write_text(HEAD + text)
        monkeypatch.syspath_prepend(str(tmp_path))
        try:
            return load_plugins(["http", "if"])
        finally:
            for module in set(sys.modules) - before:
                if module.startswith("unit_test_"):
                    del sys.modules[module]

    return do


def test_a_type_of_a_package_is_found(install: Install) -> None:
    plugins = install(good="class Step(Base): pass")
    assert [step.name for step in plugins.steps] == ["added"]
    (report,) = plugins.reports
    assert (report.package, report.place, report.error) == ("unit-test-steps 1.5", "unit_test_good:Step", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("import nothing_of_that_name", "No module named 'nothing_of_that_name'", id="broken import"),
        pytest.param("import sys; sys.exit('no licence')", "SystemExit: no licence", id="exit"),
        pytest.param("", "has no attribute 'Step'", id="no class"),
        pytest.param("class Step: pass", "no subclass of engine.steps.base.ActionStep", id="another class"),
        pytest.param("Step = Base()", "no subclass", id="an object"),
        pytest.param("class Step(ActionStep): name = 'a'", "abstract", id="no run"),
        pytest.param("class Step(Base): name = 'http'", "the name 'http' is taken", id="one of ours"),
        pytest.param("class Step(Base): name = 'Two Words'", "no name for a step type", id="bad name"),
        pytest.param("class Step(Base): title = ''", "`title` is missing", id="no title"),
        pytest.param("class Step(Base): icon = None", "`icon` is missing", id="no icon"),
        pytest.param("class Step(Base): Config = dict", "no msgspec.Struct", id="no Struct"),
        pytest.param("class Step(Base): ports = ('left',)", "neither ports nor steps", id="ports"),
        pytest.param("class Step(Base): default_timeout = 0", "default_timeout is 0", id="no time"),
        pytest.param("class Step(Base): default_timeout = '5'", "default_timeout is '5'", id="text for a time"),
        pytest.param("class Step(Base): default_retry = {}", "no engine.steps.base.RetryDefaults", id="a dict"),
        pytest.param("class Odd(Struct):\n    f: complex\nclass Step(Base): Config = Odd", "complex", id="no schema"),
        pytest.param("class Step(Base):\n    def __init__(self): 1 / 0", "ZeroDivisionError", id="breaks when made"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_the_reason(install: Install, text: str, reason: str) -> None:
    plugins = install(bad=text, good="class Step(Base): pass")
    assert [step.name for step in plugins.steps] == ["added"], "the others are not touched"
    refused, used = plugins.reports
    assert reason in refused.error
    assert used.error == ""


async def test_the_class_of_the_guide_works(install: Install) -> None:
    guide = (ROOT / "docs" / "guides" / "writing-a-step.md").read_text()
    text = guide.partition("```python\n")[2].partition("```")[0]
    (step,) = install(guide=f"{text}\nStep = GreetStep").steps
    context = cast("StepContext", None)
    assert await step.run(parse_config(step, {"who": "Ada", "loud": True}), context) == {"text": "HELLO, ADA"}
    with pytest.raises(StepFailure, match="nobody to greet"):
        await step.run(parse_config(step, {"who": " "}), context)
    with pytest.raises(StepFailure, match="who"):
        parse_config(step, {"who": ""})


def test_a_definition_with_a_type_that_is_gone_can_still_be_read() -> None:
    steps = [{"id": "a", "type": "gone", "with": {}, "retry": {"max_attempts": 2}}]
    graph = compile_definition(msgspec.json.encode({"schema": 1, "steps": steps}))
    assert [node.id for node in graph.nodes] == ["a"]


def test_of_two_with_one_name_the_first_is_used(install: Install) -> None:
    plugins = install(a="class Step(Base): title = 'A'", b="class Step(Base): title = 'B'")
    assert [step.title for step in plugins.steps] == ["A"]
    assert [report.error for report in plugins.reports] == ["", "ValueError: the name 'added' is taken"]


@pytest.mark.parametrize(
    ("output", "plain"),
    [((1, 2), [1, 2]), ({"a": {3}}, {"a": [3]}), (float("nan"), None), ({1: "a"}, {"1": "a"})],
    ids=["tuple", "set", "nan", "number as a key"],
)
def test_a_result_is_taken_as_json_has_it(output: Any, plain: Any) -> None:
    assert make_plain(output) == plain


def endless() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("output", [object(), "\ud800", endless()], ids=["object", "half a character", "circle"])
def test_a_result_that_is_no_json_fails_the_attempt(output: Any) -> None:
    with pytest.raises(StepFailure) as raised:
        make_plain(output)
    assert raised.value.code == "invalid_output"
