"""What is noted of refusals is bounded, however many come."""

from typing import Any

from app.audit.entries import Action
from app.audit.refusals import ACCOUNTS_AN_ADDRESS, MAX_WAITING, Refusals
from app.auth.permissions import Role
from app.auth.principal import Principal
from engine.infra.ids import new_id

NO_POOL: Any = None


def count(refusals: Refusals) -> int:
    return refusals._waiting.qsize()


def test_of_an_address_that_tries_many_accounts_beyond_the_throttle_some_are_noted() -> None:
    refusals = Refusals(NO_POOL)
    for number in range(500):
        for _ in range(3):
            refusals.note_throttled(f"user-{number}@example.com", "192.0.2.9")
    assert count(refusals) == ACCOUNTS_AN_ADDRESS
    refusals.note_throttled("user-1@example.com", "192.0.2.10")
    assert count(refusals) == ACCOUNTS_AN_ADDRESS + 1


def test_one_account_that_is_tried_again_and_again_takes_the_place_of_no_other() -> None:
    refusals = Refusals(NO_POOL)
    for _ in range(100):
        refusals.note_throttled("grace@example.com", "192.0.2.9")
    refusals.note_throttled("ada@example.com", "192.0.2.9")
    assert count(refusals) == 2


def test_a_throttled_password_is_noted_once_and_each_that_was_looked_at() -> None:
    refusals = Refusals(NO_POOL)
    workspace_id, user_id = new_id(), new_id()
    for _ in range(5):
        refusals.note_wrong_password(workspace_id, user_id, Action.PASSWORD_REFUSED)
        refusals.note_wrong_password(workspace_id, user_id, Action.PASSWORD_REFUSED, is_throttled=True)
    assert count(refusals) == 6


def test_more_refusals_than_may_wait_are_not_kept() -> None:
    refusals = Refusals(NO_POOL)
    for _ in range(MAX_WAITING + 10):
        principal = Principal(user_id=new_id(), workspace_id=new_id(), role=Role.VIEWER)
        refusals.note_denied(principal, "audit:read", "GET /v1/audit", "")
    assert count(refusals) == MAX_WAITING
