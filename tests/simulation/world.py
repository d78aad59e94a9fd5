"""The whole simulated system: API, relay, broker, workers, timekeeper; and the calm in which everything must end."""

from datetime import timedelta

from tests.simulation.protocol import Mutant, Nets, require
from tests.simulation.store import Store
from tests.simulation.worker import Worker

TTL_SECONDS = 5.0
WORKERS = 2
CALM_PASSES = 150


class World:
    """Everything, and the moves that the state machine makes in it."""

    def __init__(self, mutant: Mutant, nets: Nets) -> None:
        self.mutant = mutant
        self.nets = nets
        self.has_sweeper = nets.sweeper and mutant is not Mutant.NO_SWEEPER
        self.store = Store(mutant)
        self.workers = [Worker(self.store) for _ in range(WORKERS)]
        self.bells: list[tuple[str, str]] = []
        self.wakes: list[str] = []
        self.serial = 0

    # The API.

    def start(self, flow: str, *, is_committed: bool = True) -> None:
        """Somebody starts a run. Not committed: the API dies before that, and nothing is answered."""
        self.serial += 1
        if is_committed:
            self.store.audit.accepted.append(self.store.accept(flow, "api", f"start{self.serial}"))
        elif self.mutant is Mutant.ACK_BEFORE_COMMIT:
            self.store.audit.accepted.append(f"run that start{self.serial} would have made")

    def start_twice(self, flow: str) -> None:
        """The answer to a start gets lost, and it is made again under its key."""
        self.serial += 1
        first, again = (self.store.accept(flow, "api", f"start{self.serial}") for _ in range(2))
        require(first == again, "I1 one run", f"one start made {first} and {again}")
        self.store.audit.accepted.append(first)

    def signal(self, run_id: str) -> None:
        """Somebody sends a signal."""
        self.serial += 1
        self.store.post([(run_id, "signal", {"name": "go", "id": f"signal{self.serial}"})])

    def pending_approvals(self) -> list[tuple[str, str]]:
        """Approvals that nobody has decided."""
        return [asked for asked, status in self.store.approvals.items() if status == "pending"]

    def held(self) -> list[str]:
        """The runs that wait for a slot, and that nobody has."""
        return [r.id for r in self.store.runs.values() if r.key and not (r.slot_at or r.is_over or r.owner)]

    # Bells.

    def relay(self, *, dies: str = "") -> None:
        """Publish the outbox and delete it; the relay may die `before` or `after` publishing."""
        rows = dict(self.store.outbox)
        if self.mutant is Mutant.MARK_BEFORE_PUBLISH:
            self.store.outbox.clear()
        if dies == "before":
            return
        for kind, run_id, _ in rows.values():
            if kind == "wake":
                self.wakes.append(run_id)
            else:
                self.bells.append((kind, run_id))
        if dies != "after":
            for row_id in rows:
                self.store.outbox.pop(row_id, None)

    def deliver(self, number: int, worker: Worker, *, is_repeated: bool = False) -> None:
        """One bell, of any age, reaches a worker, which claims at once; a repeated one comes again."""
        is_heard = self.nets.is_lossy or self.store.workers[worker.id].alive
        if self.bells and is_heard:
            bell = self.bells[number % len(self.bells)]
            if not is_repeated:
                self.bells.remove(bell)
            self._ring(bell, worker)

    def ring_all(self, worker: Worker) -> None:
        """All bells reach a worker, with those of the outbox."""
        self.relay()
        for _ in range(len(self.bells)):
            self.deliver(0, worker)
        worker.claim()

    def _ring(self, bell: tuple[str, str], worker: Worker) -> None:
        kind, run_id = bell
        if not self.nets.doorbells:
            return
        if kind == "inbox":
            for owner in self.workers:
                if run_id in owner.drivers:
                    owner.read_inbox(owner.drivers[run_id])
        worker.announced.add(run_id)
        if not self.nets.is_lossy:
            worker.claim()

    def lose_bells(self) -> None:
        """The broker forgets everything."""
        if self.nets.is_lossy:
            self.bells.clear()
            self.wakes.clear()

    def keep_time(self, *, dies: bool = False) -> None:
        """The timekeeper rings for what is due, unless it dies."""
        if self.nets.timekeeper and self.mutant is not Mutant.NO_TIMEKEEPER:
            due = self.store.find_due()
            if not (dies and self.nets.is_lossy):
                self.bells += [("dispatch", run_id) for run_id in due]

    def ring_wakes(self, worker: Worker) -> None:
        """Deferred bells ring when their moment has come: look for runnable runs now."""
        due = [r for r in self.wakes if (at := self.store.runs[r].wake_at) is None or at <= self.store.now]
        if due and self.nets.wakes:
            self.wakes = [run_id for run_id in self.wakes if run_id not in due]
            worker.announced.update(self.store.find_runnable())
            worker.claim()

    def sweep(self, worker: Worker) -> None:
        """Look for runnable runs that nobody was told of."""
        if self.has_sweeper:
            worker.announced.update(self.store.find_runnable())

    def reconcile(self, worker: Worker) -> None:
        """Look after what others have left undone."""
        worker.give_back_unknown()
        self.store.tidy()
        if self.mutant is not Mutant.SLOT_NOT_GRANTED:
            self.store.grant_slots()

    # Workers and time.

    def replace_gone(self) -> None:
        """For each worker that died a new incarnation comes."""
        self.workers = [Worker(self.store) if worker.is_gone else worker for worker in self.workers]

    def tick(self, seconds: float) -> None:
        """Time passes, with a beat of every worker that can; one that hears that it was declared dead gives up."""
        self.store.now += timedelta(seconds=seconds)
        for worker in self.workers:
            if not worker.is_silent and not self.store.beat(worker.id):
                worker.die()
        self.replace_gone()

    def bury(self) -> None:
        """Somebody looks after silent workers."""
        self.store.bury_silent(TTL_SECONDS)

    # The calm.

    def calm(self) -> None:
        """Without further faults, by the nets that there are, everything ends."""
        for worker in self.workers:
            worker.is_silent = False
        for asked in list(self.store.deciding):
            self.store.end_deciding(asked)
        for number in range(CALM_PASSES):
            if all(run.is_over for run in self.store.runs.values()):
                break
            self._pass()
            self._answer_waits()
            self.tick(min(self._next_moment(), 3600.0) if number % 2 else 2.0)
        for worker in self.workers:
            worker.flush()
        self.store.audit.check_end()

    def _pass(self) -> None:
        self.bury()
        self.keep_time()
        self.relay()
        if not self.nets.doorbells:
            self.lose_bells()
        for number, worker in enumerate(self.workers):
            for _ in range(len(self.bells)):
                self.deliver(number, worker)
            self.ring_wakes(worker)
            if self.nets.sweeper:
                self.sweep(worker)
            self.reconcile(worker)
            worker.claim()
            work(worker)

    def _answer_waits(self) -> None:
        """Whoever waits for a person or a signal gets it."""
        for run_id, step in self.pending_approvals():
            self.store.decide(run_id, step, "approved")
        for run in self.store.runs.values():
            if run.flow == "wait" and not run.is_over and not self.store.has_mail(run.id) and run.status == "waiting":
                self.signal(run.id)

    def _next_moment(self) -> float:
        due = [run.wake_at for run in self.store.runs.values() if run.wake_at is not None and run.owner is None]
        due += [at for w in self.workers for d in w.drivers.values() if (at := d.state.next_due()) is not None]
        return max((min(due) - self.store.now).total_seconds(), 0.0) + 0.001 if due else 1.0


def work(worker: Worker) -> None:
    """Let a worker do everything that it can."""
    for _ in range(8):
        work_once(worker)
        if not worker.queue and not worker.attempts(answered=False):
            return


def work_once(worker: Worker, *, is_ok: bool = True) -> None:
    """Let a worker do one step of everything; the targets answer well or badly."""
    prepare(worker)
    for driver, attempt in worker.attempts(answered=False):
        worker.have_effect(driver, attempt, is_ok=is_ok)
    for driver, attempt in worker.attempts(answered=True):
        worker.observe(driver, attempt)


def prepare(worker: Worker) -> None:
    """Let a worker do everything up to the effects of its attempts."""
    worker.flush()
    worker.rest()
    worker.read_inboxes()
    worker.pass_time()
    for driver in list(worker.drivers.values()):
        for path in list(driver.child_starts):
            worker.start_child(driver, path)
