"""The invariants, looked at from outside: whatever the protocol believes, this is what must hold."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.core.events import StepCancelled, decode_event, event_type
from engine.core.graph import find_node
from engine.core.replay import replay
from engine.core.statuses import TERMINAL_STEP
from engine.core.transitions import InvalidTransition
from tests.simulation.flows import FLOWS
from tests.simulation.protocol import require

if TYPE_CHECKING:
    from tests.simulation.store import Batch, RunRow, Store

ATTEMPT_ENDS = ("step.succeeded", "step.failed", "step.retrying", "step.cancelled")
SETTLED = ("step.succeeded", "step.failed", "step.skipped")


class Audit:
    """Looks at each commit, each effect, and the whole at any moment."""

    def __init__(self, store: "Store") -> None:
        self.store = store
        self.accepted: list[str] = []
        self.keys: dict[tuple[str, str], set[str]] = {}
        self.effects: Counter[tuple[str, str]] = Counter()
        self.messages: dict[int, tuple[str, str, dict[str, Any], int]] = {}
        self.decisions: Counter[tuple[str, str, int]] = Counter()
        self.children: Counter[tuple[str | None, str]] = Counter()
        self.unkept: list[str] = []
        self.made: set[tuple[str, str, int, int]] = set()

    def note_child(self, run: "RunRow", key: str) -> None:
        """A run was accepted: of a step's child there is one in a round."""
        if run.parent is not None:
            self.children[run.parent, key] += 1
            require(self.children[run.parent, key] == 1, "one child", f"{key} of {run.parent} starts a second run")

    def note_message(self, row_id: int, run_id: str, kind: str, payload: dict[str, Any]) -> None:
        """A message was accepted for a run."""
        attempt = self.store.runs[run_id].attempt
        if kind == "approval":
            # A step of this simulation asks once a round.
            self.decisions[run_id, payload["step"], attempt] += 1
            count = self.decisions[run_id, payload["step"], attempt]
            require(count == 1, "one decision", f"{payload['step']} of {run_id} is decided {count} times")
        self.messages[row_id] = run_id, kind, payload, attempt

    def note_broken_off(self, run_id: str, event: StepCancelled, number: int) -> None:
        """A worker decides that a step is cancelled, of which it had begun the attempt of this number (0: none)."""
        if number not in (0, event.attempt):
            self.unkept.append(
                f"attempt {number} of {event.step} of {run_id} is broken off, and told as {event.attempt}"
            )

    def check_commit(self, worker_id: int, batch: "Batch") -> None:
        """Who writes is alive and owns the runs (I5); what was decided does not time out."""
        require(self.store.workers[worker_id].alive, "I5 fence", f"worker {worker_id} writes after its end")
        for run_id, _, _ in batch.rows:
            owner = self.store.runs[run_id].owner
            require(owner == worker_id, "I5 owner", f"worker {worker_id} writes to {run_id}, which is {owner}'s")
        for run_id, _, event in batch.rows:
            if event.reason == "wait_timeout":
                asked = run_id, getattr(event, "step", ""), self.store.runs[run_id].attempt
                require(not self.decisions[asked], "decision kept", f"{asked} times out after it was decided")

    def check_journals(self, run_ids: Iterable[str]) -> None:
        """Each transition once, without gaps, legal, and none after the end (I3, I7)."""
        for run_id in run_ids:
            numbers = sorted(seq for seq, _ in self.store.journal[run_id])
            require(numbers == list(range(1, len(numbers) + 1)), "I3 gapless", f"{run_id} has events {numbers}")
            run = self.store.runs[run_id]
            events: list[Any] = list(self.store.events(run_id))
            try:
                state = replay(FLOWS[run.flow], events, run_id=run_id, attempt=run.attempt)
            except (InvalidTransition, KeyError) as error:
                require(False, "I3 legal", f"{run_id}: {error!r}")
                raise
            require(run.status == state.status, "I9 row", f"{run_id} is {run.status}, by its journal {state.status}")
            ends: dict[str, list[int]] = {}
            for event in events:
                if event_type(event) in ATTEMPT_ENDS and event.attempt:
                    ends.setdefault(event.step, []).append(event.attempt)
            twice = {step: numbers for step, numbers in ends.items() if len(numbers) > len(set(numbers))}
            require(not twice, "I3 once", f"{run_id}: {twice} ended more than once")
            gaps = {step: numbers for step, numbers in ends.items() if numbers != list(range(1, len(numbers) + 1))}
            require(not gaps, "attempts kept", f"{run_id} has no end of some attempts: {gaps}")
            self._check_effects_of(run_id, events)
            if state.is_over:
                left = [
                    node.id for node in state.root.graph.nodes if state.steps[node.index].status not in TERMINAL_STEP
                ]
                require(not left, "I9 ended", f"{run_id} has ended, and its steps {left} have not")

    def _check_effects_of(self, run_id: str, events: list[Any]) -> None:
        for event in events:
            if event_type(event) == "step.succeeded" and event.attempt:
                require(self.effects[run_id, event.step], "I9 effect", f"{event.step} of {run_id} succeeded unseen")

    def check_effect(self, run_id: str, path: str, key: str, number: int, worker_id: int) -> None:
        """An effect comes after what it depends on is durable (I4), always under one key (I6); numbers go on."""
        self.effects[run_id, path] += 1
        made = run_id, path, number, worker_id
        require(
            made not in self.made, "once a worker", f"worker {worker_id} makes {number} of {path} of {run_id} again"
        )
        self.made.add(made)
        keys = self.keys.setdefault((run_id, path), set())
        keys.add(key)
        require(len(keys) == 1, "I6 one key", f"{path} of {run_id} had its effect as {sorted(keys)}")
        graph = FLOWS[self.store.runs[run_id].flow]
        durable: dict[str, set[str]] = {}
        for _, payload in self.store.journal[run_id]:
            event = decode_event(payload)
            durable.setdefault(event_type(event), set()).add(getattr(event, "step", ""))
            is_end = event_type(event) in ATTEMPT_ENDS and getattr(event, "step", "") == path
            # A worker that is late goes on with what has ended elsewhere.
            if is_end and self.store.runs[run_id].owner == worker_id:
                ended = getattr(event, "attempt", 0)
                require(ended != number, "attempts kept", f"attempt {number} of {path} of {run_id} comes again")
        require("run.started" in durable, "I4 durable", f"{run_id} acts before it is known to have started")
        settled = set().union(*(durable.get(kind, set()) for kind in SETTLED))
        node = find_node(graph, path)
        loop, _, _ = path.rpartition(".")
        require(node is not None, "I4 durable", f"{run_id} has no step {path}")
        if loop:
            started = durable.get("step.started", set())
            require(loop.partition("[")[0] in started, "I4 durable", f"{loop} of {run_id} is not known to have begun")
        elif node is not None:
            parents = {graph.nodes[source].id for source, _ in node.after}
            require(parents <= settled, "I4 durable", f"{path} of {run_id} acts before {sorted(parents - settled)}")

    def check_always(self) -> None:
        """What is accepted is there: runs (I1), messages until they have their effect; slots are not overdrawn."""
        store = self.store
        require(not self.unkept, "attempts kept", f"{self.unkept}")
        for run_id in self.accepted:
            require(run_id in store.runs, "I1 accepted", f"{run_id} was accepted and is gone")
        held = Counter(run.key for run in store.runs.values() if run.slot_at is not None and not run.is_over)
        held.pop(None, None)
        require(all(count <= 1 for count in held.values()), "slots", f"more runs than slots: {held}")
        self._check_approvals()
        for row_id, (run_id, kind, payload, attempt) in list(self.messages.items()):
            run = store.runs[run_id]
            # A signal is for every round that follows.
            is_late = run.is_over or run.attempt != attempt
            if run.status == "succeeded" or (is_late and kind != "signal"):
                del self.messages[row_id]
            elif row_id not in store.inbox:
                events = store.events(run_id)
                require(_has_effect(events, kind, payload), "I1 message", f"{kind} {payload} of {run_id} is lost")
                del self.messages[row_id]

    def _check_approvals(self) -> None:
        """An approval is open only as long as its step waits."""
        for (run_id, step), status in self.store.approvals.items():
            if status == "pending" and (run_id, step) not in self.store.deciding:
                last = next(e for e in reversed(self.store.events(run_id)) if getattr(e, "step", None) == step)
                is_open = event_type(last) == "step.waiting" and not self.store.runs[run_id].is_over
                require(is_open, "approval closed", f"{step} of {run_id} can be decided and waits for nothing")

    def check_signals(self) -> None:
        """No signal is taken twice."""
        for run_id in self.store.runs:
            events: list[Any] = [event for event in self.store.events(run_id) if event_type(event) == "run.signalled"]
            ids = Counter(event.payload for event in events)
            require(all(count == 1 for count in ids.values()), "signals once", f"{run_id}: {ids}")

    def check_end(self) -> None:
        """Everything that was accepted has ended (I1, I8)."""
        self.check_always()
        self.check_signals()
        for run in self.store.runs.values():
            require(run.is_over, "I8 ends", f"{run.id} ({run.flow}) is {run.status} for ever: {run}")
        self.check_journals(self.store.runs)


def _has_effect(events: list[Any], kind: str, payload: dict[str, Any]) -> bool:
    """Whether the journal has what the message was sent for, or what made it late."""
    if kind == "signal":
        return any(event_type(event) == "run.signalled" and event.payload == payload["id"] for event in events)
    if kind == "cancel":
        return any(event_type(event) == "run.cancelled" for event in events)
    rounds = [place for place, event in enumerate(events) if event_type(event) == "run.retried"]
    present = events[rounds[-1] :] if rounds else events
    if kind == "approval":
        # Who decides as the step is broken off is heard by nobody.
        ends = (*SETTLED, "step.cancelled")
        return any(getattr(e, "step", None) == payload["step"] and event_type(e) in ends for e in present)
    is_settled = any(getattr(e, "step", None) == payload["step"] and event_type(e) in SETTLED for e in events)
    # A run that the step started in an earlier round is nothing that it waits for.
    mine = [getattr(event, "child_run_id", None) == payload["run_id"] for event in present]
    return is_settled or not any(mine)
