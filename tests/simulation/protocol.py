"""What the simulated system may do wrong: named mutants of the protocol, and the safety nets it can do without."""

from dataclasses import dataclass
from enum import StrEnum


class Mutant(StrEnum):
    """One thing that the protocol does wrong; each must be noticed."""

    NONE = "none"
    NO_FENCE = "no_fence"  # a commit does not look whether its worker is alive and owns the run
    CHECKED_BEFORE_WRITE = "checked_before_write"  # it looks, but in a statement of its own
    BLIND_WRITE = "blind_write"  # (run, seq) is not unique, and a lost answer is not looked up
    FORGOTTEN_DOUBT = "forgotten_doubt"  # after a lost answer the batch is taken for committed
    KEY_PER_ATTEMPT = "key_per_attempt"  # the idempotency key names the attempt
    MARK_BEFORE_PUBLISH = "mark_before_publish"  # the relay deletes outbox rows before it publishes them
    NO_SWEEPER = "no_sweeper"  # lost doorbells are nobody's business
    NO_TIMEKEEPER = "no_timekeeper"  # nobody releases suspended runs that are due
    ACK_BEFORE_COMMIT = "ack_before_commit"  # a start is answered before it is durable
    REPLAY_FORGETS_LAST = "replay_forgets_last"  # a journal is read without its last event
    TIMER_DROPPED = "timer_dropped"  # a suspended run loses the time when it is due
    INBOX_DELETED_EARLY = "inbox_deleted_early"  # messages are deleted when they are read
    WAKE_UP_LOST = "wake_up_lost"  # a run is given up without a look at its inbox
    CHILD_WITHOUT_DEDUP = "child_without_dedup"  # a child is started anew by whoever reads the journal
    CHILD_END_LOST = "child_end_lost"  # the end of a child is posted after its commit, not in it
    EARLY_END_DROPPED = "early_end_dropped"  # a child that ends before its start is known is forgotten
    CLAIM_WITHOUT_OWNER = "claim_without_owner"  # runs that have an owner are claimed as well
    ACT_BEFORE_DURABLE = "act_before_durable"  # what was decided is done before it is committed
    RETRY_RESETS_SEQ = "retry_resets_seq"  # a further round counts its events from the beginning
    BURIED_KEEPS_RUNS = "buried_keeps_runs"  # a dead worker's runs stay its own
    DECIDED_TWICE = "decided_twice"  # an approval that was decided can be decided again
    TIMEOUT_OVER_DECISION = "timeout_over_decision"  # an approval times out although somebody has decided it
    EXPIRY_NOT_KEPT = "expiry_not_kept"  # whether it is decided is looked up, but it can be decided afterwards
    DECISION_COSTS_RUN = "decision_costs_run"  # for a decision that comes as it times out, the run is given up
    CONTESTED_FORGOTTEN = "contested_forgotten"  # an approval that was being decided as its step ended stays open
    ENDED_BESIDE_CORE = "ended_beside_core"  # a run that broke ends without the ends of what belongs to it
    BROKEN_WHILE_WRITING = "broken_while_writing"  # a run that broke is read anew before all that it wrote is there
    BREAKDOWN_FORGETS_BEGUN = "breakdown_forgets_begun"  # what a run that broke had begun is not told of
    BREAK_FORGOTTEN = "break_forgotten"  # an attempt that is broken off is not told of
    BEGINS_BROKEN_OFF = "begins_broken_off"  # what is broken off before it began begins until that is durable
    SLOTS_UNLOCKED = "slots_unlocked"  # a slot is given to whoever asks
    SLOT_NOT_GRANTED = "slot_not_granted"  # a slot that a run leaves is given to nobody
    SLOT_BELL_LOST = "slot_bell_lost"  # one that a run is granted as it is given up is nobody's news
    MAIL_BELL_LOST = "mail_bell_lost"  # nor is what was sent to it in that moment
    LATE_SIGNAL_LOST = "late_signal_lost"  # a signal that came as its run ended is not there for a retry


@dataclass(frozen=True)
class Nets:
    """Which ways lead an unowned run to a worker. Without doorbells every bell is lost."""

    name: str
    doorbells: bool = True
    wakes: bool = True
    sweeper: bool = True
    timekeeper: bool = True

    @property
    def is_lossy(self) -> bool:
        """Whether bells may be lost: only where the sweeper finds what they were about."""
        return self.sweeper


ALL = Nets("all")
DOORBELL_ONLY = Nets("doorbell only", sweeper=False, timekeeper=False)
SWEEPER_ONLY = Nets("sweeper only", doorbells=False, wakes=False, timekeeper=False)
TIMEKEEPER_ONLY = Nets("timekeeper only", sweeper=False, wakes=False)
PROFILES = (ALL, DOORBELL_ONLY, SWEEPER_ONLY, TIMEKEEPER_ONLY)


class Violated(AssertionError):
    """An invariant does not hold; `invariant` is its short name."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


def require(holds: object, invariant: str, what: str) -> None:
    """Raise Violated unless it holds."""
    if not holds:
        raise Violated(invariant, what)
