"""The simulation notices what it is there for: every mutant of the protocol violates an invariant within its budget."""

from collections.abc import Iterator

import pytest

from tests.simulation.budget import hunt
from tests.simulation.flows import NAMES
from tests.simulation.protocol import ALL, DOORBELL_ONLY, TIMEKEEPER_ONLY, Mutant, Nets

# At most ten times sixty examples, a few seconds; most fall to the first dozen.
SEEDS = range(10)

# The nets that would catch what a mutant breaks are off; some are about a few workflows alone.
CONDITIONS: dict[Mutant, tuple[Nets, tuple[str, ...]]] = {
    Mutant.KEY_PER_ATTEMPT: (ALL, ("leaf", "loop")),
    Mutant.CHECKED_BEFORE_WRITE: (ALL, ("line", "rescue")),
    Mutant.MARK_BEFORE_PUBLISH: (DOORBELL_ONLY, NAMES),
    Mutant.NO_TIMEKEEPER: (TIMEKEEPER_ONLY, ("delay", "line")),
    Mutant.CHILD_WITHOUT_DEDUP: (ALL, ("parent", "deserter")),
    Mutant.CHILD_END_LOST: (ALL, ("parent",)),
    Mutant.EARLY_END_DROPPED: (ALL, ("parent",)),
    Mutant.DECIDED_TWICE: (ALL, ("approval",)),
    Mutant.TIMEOUT_OVER_DECISION: (ALL, ("approval", "asking")),
    Mutant.EXPIRY_NOT_KEPT: (ALL, ("approval", "asking")),
    Mutant.DECISION_COSTS_RUN: (ALL, ("asking",)),
    Mutant.CONTESTED_FORGOTTEN: (ALL, ("polled",)),
    Mutant.ENDED_BESIDE_CORE: (ALL, ("approval", "line")),
    Mutant.BROKEN_WHILE_WRITING: (ALL, ("leaf", "line")),
    Mutant.BREAKDOWN_FORGETS_BEGUN: (ALL, ("leaf", "hasty")),
    Mutant.BREAK_FORGOTTEN: (ALL, ("leaf", "hasty")),
    Mutant.BEGINS_BROKEN_OFF: (ALL, ("hasty",)),
    Mutant.SLOTS_UNLOCKED: (ALL, ("single", "line")),
    Mutant.SLOT_NOT_GRANTED: (ALL, ("single", "line")),
    Mutant.SLOT_BELL_LOST: (DOORBELL_ONLY, ("single",)),
    Mutant.MAIL_BELL_LOST: (DOORBELL_ONLY, ("single",)),
    Mutant.LATE_SIGNAL_LOST: (ALL, ("wait",)),
}
MUTANTS = [mutant for mutant in Mutant if mutant is not Mutant.NONE]


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """A line for each mutant, printed at the end."""
    lines: list[str] = []
    yield lines
    print("\nmutant                  killed after  by")  # noqa: T201 - the table is what people want to see
    print("\n".join(lines))  # noqa: T201 - as above


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 12


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_mutant_is_killed(mutant: Mutant, table: list[str]) -> None:
    nets, flows = CONDITIONS.get(mutant, (ALL, NAMES))
    examples, invariant = hunt(mutant, nets, flows, seeds=SEEDS)
    table.append(f"{mutant:<24}{examples:>4} examples  {invariant or 'SURVIVED'}")
    assert invariant is not None, f"{mutant} survives {examples} examples"
