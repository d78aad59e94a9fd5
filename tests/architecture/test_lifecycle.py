"""The page on lifecycles says what the tables say, and the tables are whole."""

from cli.lifecycle import PAGE, make_lifecycle
from engine.core.events import RunEvent
from engine.core.statuses import TERMINAL_RUN, TERMINAL_STEP, RunStatus, StepStatus
from engine.core.transitions import REASONS, RUN_MOVES, STEP_MOVES

ENTRY = {RunStatus.QUEUED, StepStatus.PENDING}


def test_the_page_is_as_generated() -> None:
    assert PAGE.read_text() == make_lifecycle(), "docs/lifecycle.md is stale: run `./flowforge docs`"


def test_every_status_has_a_row_with_its_sentence() -> None:
    page = make_lifecycle()
    for status in (*RunStatus, *StepStatus):
        assert f"| `{status}` |" in page or f"| `{status}`, terminal |" in page


def test_every_event_has_reasons() -> None:
    assert {str(kind.__struct_config__.tag) for kind in RunEvent.__args__} == set(REASONS)


def test_nothing_but_a_retry_leaves_a_terminal_status() -> None:
    sources = {source for source, event in (*RUN_MOVES, *STEP_MOVES) if event != "run.retried"}
    assert sources.isdisjoint(TERMINAL_RUN | TERMINAL_STEP)


def test_every_status_but_the_first_can_be_reached() -> None:
    assert {*RUN_MOVES.values(), *STEP_MOVES.values()} | ENTRY == {*RunStatus, *StepStatus}
