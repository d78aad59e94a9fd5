"""`advance`: the one function that moves a run on."""

from typing import assert_never

from engine.core.decisions import Decision, Ignore
from engine.core.ending import break_run, cancel_run
from engine.core.graph import Graph
from engine.core.observations import (
    ApprovalDecided,
    AttemptFailed,
    AttemptOngoing,
    AttemptSucceeded,
    CancelRequested,
    ChildEnded,
    ChildRefused,
    ChildStarted,
    FindBegun,
    Observation,
    RunBroken,
    RunClaimed,
    SignalReceived,
    TimePassed,
)
from engine.core.performing import observe_attempt
from engine.core.settling import settle
from engine.core.starting import claim_run
from engine.core.state import State
from engine.core.turn import Turn
from engine.core.waiting import decide_approval, observe_child, pass_time, take_signal


def _find_none(_path: str) -> None:
    """Nothing is being made."""


def advance(
    graph: Graph, state: State, observation: Observation, find_begun: FindBegun = _find_none
) -> tuple[State, list[Decision]]:
    """Move the run on by what happened outside; the state is changed in place and returned.

    `find_begun` tells which attempts are being made: one that is broken off is kept in the journal.
    The decisions are in order. All events among them belong in one transaction, before any attempt starts. While
    `state.is_undecided` afterwards, there is more to decide: call again with `TimePassed`.
    A stale or repeated observation changes nothing and gives one `Ignore`.
    """
    if state.is_over:
        return state, [Ignore(reason=f"the run is {state.status}")]
    turn = Turn(graph, state, max(observation.at, state.latest_at), find_begun)
    _observe(turn, observation)
    settle(turn)
    turn.withdraw_starts()
    return state, turn.decisions


def _observe(turn: Turn, observation: Observation) -> None:
    # The commonest first.
    match observation:
        case AttemptSucceeded() | AttemptFailed() | AttemptOngoing():
            observe_attempt(turn, observation)
        case RunClaimed():
            claim_run(turn, observation)
        case TimePassed():
            pass_time(turn, observation)
        case SignalReceived():
            take_signal(turn, observation)
        case ApprovalDecided():
            decide_approval(turn, observation)
        case ChildStarted() | ChildRefused() | ChildEnded():
            observe_child(turn, observation)
        case CancelRequested():
            cancel_run(turn, observation)
        case RunBroken():
            break_run(turn, observation)
        case _:
            assert_never(observation)
