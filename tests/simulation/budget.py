"""Running the state machine within a fixed budget: the same seeds every time, so that a result can be repeated."""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.flows import NAMES
from tests.simulation.machine import make_machine
from tests.simulation.protocol import ALL, Mutant, Nets, Violated

EXAMPLES_A_SEED = 60
STEPS = 40


def explore(nets: Nets, seeds: range, *, examples: int = EXAMPLES_A_SEED) -> int:
    """Run the system as it is; how many examples were run. What is found is shrunk, and raised."""
    count = 0
    for number in seeds:
        machine = seed(number)(make_machine(Mutant.NONE, nets))
        run_state_machine_as_test(machine, settings=_settings(examples, (Phase.generate, Phase.shrink)))
        count += machine.examples
    return count


def hunt(mutant: Mutant, nets: Nets = ALL, flows: tuple[str, ...] = NAMES, *, seeds: range) -> tuple[int, str | None]:
    """Run a mutant until an invariant fails: after how many examples, and which; None where it survives."""
    count = 0
    for number in seeds:
        machine = seed(number)(make_machine(mutant, nets, flows))
        try:
            run_state_machine_as_test(machine, settings=_settings(EXAMPLES_A_SEED, (Phase.generate,)))
        except Violated as violated:
            return count + machine.examples, violated.invariant
        count += machine.examples
    return count, None


def _settings(examples: int, phases: tuple[Phase, ...]) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
