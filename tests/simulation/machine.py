"""The state machine: every move of the system, and every point at which it may break, is a rule of its own."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.simulation.chances import (
    asks,
    asks_beside,
    asks_more,
    asks_somebody,
    drives,
    is_announced,
    knows,
    lets_time_out,
    some,
    starts,
    writes,
)
from tests.simulation.flows import NAMES
from tests.simulation.protocol import ALL, Mutant, Nets
from tests.simulation.worker import Worker
from tests.simulation.world import World, prepare, work_once

PICK = st.integers(0, 7)
SECONDS = st.sampled_from([0.5, 2.0, 6.0, 61.0])
FLOW = st.integers(0, len(NAMES) - 1)


class Protocol(RuleBasedStateMachine):
    """The system under random moves and faults; at the end it is left in peace, and everything must end."""

    mutant = Mutant.NONE
    nets: Nets = ALL
    flows: tuple[str, ...] = NAMES
    examples = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.mutant, self.nets)
        self.store = self.world.store

    def _worker(self, number: int, has_it: Callable[[Worker], object] = lambda _: True) -> Worker:
        fitting = [worker for worker in self.world.workers if has_it(worker)]
        return fitting[number % len(fitting)]

    def _run(self, number: int) -> str:
        names = list(self.store.runs)
        return names[number % len(names)]

    @initialize(numbers=st.lists(FLOW, min_size=1, max_size=3), is_claimed=st.booleans(), rounds=st.integers(0, 3))
    def begin(self, numbers: list[int], is_claimed: bool, rounds: int) -> None:
        for number in numbers:
            self.world.start(self.flows[number % len(self.flows)])
        if is_claimed:
            worker = self._worker(0)
            worker.announced.update(self.store.runs)
            worker.claim()
            for _ in range(rounds):
                work_once(worker)

    # People.

    @precondition(lambda self: len(self.store.runs) < 6)
    @rule(number=FLOW)
    def start(self, number: int) -> None:
        self.world.start(self.flows[number % len(self.flows)])

    @precondition(lambda self: len(self.store.runs) < 6)
    @rule(number=FLOW)
    def start_whose_answer_is_lost(self, number: int) -> None:
        self.world.start_twice(self.flows[number % len(self.flows)])

    @precondition(lambda self: len(self.store.runs) < 6)
    @rule()
    def start_that_dies_before_its_commit(self) -> None:
        self.world.start(self.flows[0], is_committed=False)

    @precondition(lambda self: any(run.flow == "wait" and not run.is_over for run in self.store.runs.values()))
    @rule(number=PICK)
    def signal(self, number: int) -> None:
        waiting = [run.id for run in self.store.runs.values() if run.flow == "wait" and not run.is_over]
        self.world.signal(waiting[number % len(waiting)])

    @precondition(lambda self: self.store.approvals)
    @rule(number=PICK, is_approved=st.booleans())
    def decide(self, number: int, is_approved: bool) -> None:
        asked = list(self.store.approvals)
        run_id, step = asked[number % len(asked)]
        self.store.decide(run_id, step, "approved" if is_approved else "rejected")

    @precondition(lambda self: self.store.approvals)
    @rule(number=PICK)
    def begin_to_decide(self, number: int) -> None:
        asked = list(self.store.approvals)
        self.store.begin_deciding(asked[number % len(asked)], "approved")

    @precondition(lambda self: self.store.deciding)
    @rule(is_committed=st.booleans())
    def end_deciding(self, is_committed: bool) -> None:
        self.store.end_deciding(next(iter(self.store.deciding)), is_committed=is_committed)

    @precondition(some(asks_somebody))
    @rule(who=PICK)
    def decide_as_it_times_out_amid_effects(self, who: int) -> None:
        worker = self._worker(who, asks_somebody)
        for asked in asks_somebody(worker):
            self.store.begin_deciding(asked, "approved")
        for driver, attempt in worker.attempts(answered=False):
            worker.have_effect(driver, attempt, is_ok=True)
        self.world.tick(61.0)
        worker.pass_time()
        for asked in list(self.store.deciding):
            self.store.end_deciding(asked)
        worker.claim()
        work_once(worker)
        self.world.replace_gone()

    @precondition(some(lets_time_out))
    @rule(who=PICK)
    def decide_before_the_timeout_is_written(self, who: int) -> None:
        for run_id, step in lets_time_out(self._worker(who, lets_time_out)):
            self.store.decide(run_id, step, "approved")

    @precondition(lambda self: any(not run.is_over for run in self.store.runs.values()))
    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        self.store.post([(self._run(number), "cancel", {"reason": "requested"})])

    @precondition(lambda self: any(run.is_over and run.status != "succeeded" for run in self.store.runs.values()))
    @rule(number=PICK)
    def retry(self, number: int) -> None:
        ended = [run.id for run in self.store.runs.values() if run.is_over and run.status != "succeeded"]
        self.store.retry(ended[number % len(ended)])

    # Bells.

    @precondition(lambda self: self.store.outbox)
    @rule()
    def relay(self) -> None:
        self.world.relay()

    @precondition(lambda self: self.store.outbox)
    @rule()
    def relay_that_dies_before_publishing(self) -> None:
        self.world.relay(dies="before")

    @precondition(lambda self: self.store.outbox)
    @rule()
    def relay_that_dies_after_publishing(self) -> None:
        self.world.relay(dies="after")

    @precondition(lambda self: self.world.bells)
    @rule(number=PICK, who=PICK)
    def deliver_any_bell(self, number: int, who: int) -> None:
        self.world.deliver(number, self._worker(who))

    @precondition(lambda self: self.world.bells)
    @rule(number=PICK, who=PICK)
    def deliver_a_bell_that_comes_again(self, number: int, who: int) -> None:
        self.world.deliver(number, self._worker(who), is_repeated=True)

    @precondition(lambda self: self.world.bells)
    @rule()
    def lose_all_bells(self) -> None:
        self.world.lose_bells()

    @rule()
    def keep_time(self) -> None:
        self.world.keep_time()

    @rule()
    def keep_time_and_die_before_ringing(self) -> None:
        self.world.keep_time(dies=True)

    @precondition(lambda self: self.world.has_sweeper)
    @rule(who=PICK)
    def sweep_and_claim(self, who: int) -> None:
        self.world.sweep(self._worker(who))
        self._worker(who).claim()

    @rule(who=PICK)
    def reconcile(self, who: int) -> None:
        self.world.reconcile(self._worker(who))

    # Workers.

    @precondition(some(is_announced))
    @rule(who=PICK)
    def claim(self, who: int) -> None:
        self._worker(who, is_announced).claim()

    @precondition(some(is_announced))
    @rule(who=PICK)
    def claim_and_die_before_beginning(self, who: int) -> None:
        worker = self._worker(who, is_announced)
        worker.claim(is_answered=False)
        self._die(worker)

    @precondition(some(is_announced))
    @rule(who=PICK)
    def claim_whose_answer_is_lost(self, who: int) -> None:
        self._worker(who, is_announced).claim(is_answered=False)

    @precondition(some(asks))
    @rule(who=PICK, number=PICK, is_ok=st.sampled_from([True, True, False]))
    def have_an_effect(self, who: int, number: int, is_ok: bool) -> None:
        worker = self._worker(who, asks)
        waiting = worker.attempts(answered=False)
        worker.have_effect(*waiting[number % len(waiting)], is_ok=is_ok)

    @precondition(some(knows))
    @rule(who=PICK, number=PICK)
    def observe_an_answer(self, who: int, number: int) -> None:
        worker = self._worker(who, knows)
        answered = worker.attempts(answered=True)
        worker.observe(*answered[number % len(answered)])

    @precondition(some(asks_more))
    @rule(who=PICK)
    def fail_while_others_begin(self, who: int) -> None:
        worker = self._worker(who, asks_more)
        driver, attempt = worker.attempts(answered=False)[0]
        worker.have_effect(driver, attempt, is_ok=False)
        worker.observe(driver, attempt)
        for other in worker.attempts(answered=False):
            worker.have_effect(*other, is_ok=True)

    @precondition(some(asks_beside))
    @rule(who=PICK)
    def fail_while_somebody_decides_in_vain(self, who: int) -> None:
        worker = self._worker(who, asks_beside)
        for asked in asks_somebody(worker):
            self.store.begin_deciding(asked, "approved")
        driver, attempt = worker.attempts(answered=False)[0]
        worker.have_effect(driver, attempt, is_ok=False)
        worker.observe(driver, attempt)
        worker.flush()
        for asked in list(self.store.deciding):
            self.store.end_deciding(asked, is_committed=False)
        self.world.replace_gone()

    @precondition(some(starts))
    @rule(who=PICK, is_answered=st.booleans())
    def start_children(self, who: int, is_answered: bool) -> None:
        worker = self._worker(who, starts)
        for driver in list(worker.drivers.values()):
            for path in list(driver.child_starts):
                worker.start_child(driver, path, is_answered=is_answered)

    @precondition(some(starts))
    @rule(who=PICK)
    def start_a_child_and_die(self, who: int) -> None:
        worker = self._worker(who, starts)
        self.start_children(who, is_answered=False)
        self._die(worker)

    @precondition(some(writes))
    @rule(who=PICK)
    def flush(self, who: int) -> None:
        self._worker(who, writes).flush()
        self.world.replace_gone()

    @precondition(some(writes))
    @rule(who=PICK)
    def flush_and_be_buried_on_the_way(self, who: int) -> None:
        worker = self._worker(who, writes)
        worker.is_silent = True
        worker.look_alive()
        self.world.tick(6.0)
        self.world.bury()
        worker.flush()
        self.world.replace_gone()

    @precondition(some(writes))
    @rule(who=PICK)
    def flush_whose_answer_is_lost(self, who: int) -> None:
        self._worker(who, writes).flush(is_answered=False)
        self.world.replace_gone()

    @precondition(some(writes))
    @rule(who=PICK)
    def flush_that_does_not_arrive(self, who: int) -> None:
        self._worker(who, writes).lose_connection()

    @precondition(some(writes))
    @rule(who=PICK)
    def flush_and_die(self, who: int) -> None:
        worker = self._worker(who, writes)
        worker.flush(mails=False)
        self._die(worker)

    @precondition(lambda self: self.world.held())
    @rule(number=PICK, who=PICK, is_own=st.booleans())
    def cancel_as_a_held_run_is_put_to_rest(self, number: int, who: int, is_own: bool) -> None:
        held = self.world.held()
        worker, run_id = self._worker(who), held[number % len(held)]
        self.world.signal(run_id)
        self.world.ring_all(worker)
        # It waits on. Until that is written, it is cancelled, or whoever has its slot.
        for each in [run_id] if is_own else self.store.holders("one"):
            self.store.post([(each, "cancel", {"reason": "requested"})])
        self.world.ring_all(worker)
        for other in self.world.workers:
            other.flush()
        self.world.ring_all(worker)
        worker.rest()
        self.world.replace_gone()

    @precondition(some(drives))
    @rule(who=PICK)
    def read_inboxes(self, who: int) -> None:
        self._worker(who, drives).read_inboxes()

    @precondition(some(drives))
    @rule(who=PICK, is_ok=st.sampled_from([True, True, False]))
    def work_on(self, who: int, is_ok: bool) -> None:
        work_once(self._worker(who, drives), is_ok=is_ok)
        self.world.replace_gone()

    @precondition(some(drives))
    @rule(who=PICK)
    def go_on_to_the_effects(self, who: int) -> None:
        prepare(self._worker(who, drives))
        self.world.replace_gone()

    @precondition(some(drives))
    @rule(who=PICK, number=PICK)
    def break_a_run(self, who: int, number: int) -> None:
        worker = self._worker(who, drives)
        drivers = list(worker.drivers.values())
        worker.break_run(drivers[number % len(drivers)])
        self.world.replace_gone()

    @precondition(some(asks))
    @rule(who=PICK, number=PICK, is_ok=st.booleans())
    def break_a_run_amid_an_effect(self, who: int, number: int, is_ok: bool) -> None:
        worker = self._worker(who, asks)
        waiting = worker.attempts(answered=False)
        driver, attempt = waiting[number % len(waiting)]
        worker.have_effect(driver, attempt, is_ok=is_ok)
        worker.break_run(driver)
        self.world.replace_gone()

    @precondition(some(drives))
    @rule(who=PICK)
    def die(self, who: int) -> None:
        self._die(self._worker(who, drives))

    def _die(self, worker: Worker) -> None:
        worker.die()
        self.world.replace_gone()

    @precondition(some(drives))
    @rule(who=PICK)
    def fall_silent(self, who: int) -> None:
        self._worker(who, drives).is_silent = True

    @precondition(some(drives))
    @rule(who=PICK)
    def be_silent_and_buried(self, who: int) -> None:
        self._worker(who, drives).is_silent = True
        self.world.tick(6.0)
        self.world.bury()

    @rule(seconds=SECONDS)
    def tick(self, seconds: float) -> None:
        self.world.tick(seconds)

    @rule(seconds=SECONDS)
    def tick_and_bury(self, seconds: float) -> None:
        self.world.tick(seconds)
        self.world.bury()

    @precondition(some(drives))
    @rule(who=PICK)
    def pass_time(self, who: int) -> None:
        self._worker(who, drives).pass_time()

    @invariant()
    def nothing_is_lost(self) -> None:
        self.store.audit.check_always()

    def teardown(self) -> None:
        self.world.calm()


def make_machine(mutant: Mutant, nets: Nets = ALL, flows: tuple[str, ...] = NAMES) -> type[Protocol]:
    """The machine of one mutant with these nets and workflows; `examples` counts how often it is begun."""

    class Mutated(Protocol):
        examples = 0

        def __init__(self) -> None:
            type(self).examples += 1
            super().__init__()

    Mutated.mutant, Mutated.nets, Mutated.flows = mutant, nets, flows
    return Mutated
