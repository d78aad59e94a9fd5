"""How far the clocks of two processes may be apart for an access token to be good."""

from types import SimpleNamespace

import pytest

from app.auth import tokens
from app.auth.service import COOKIE_LEEWAY
from app.auth.tokens import AccessClaims, load_private_key, load_public_key, make_key_pair, sign_token, verify_token
from app.errors import InvalidToken
from engine.infra.ids import new_id

NOW = 1_800_000_000
PAIR = make_key_pair("k")
PUBLIC = load_public_key("k", PAIR.public_key)


def sign(signed_at: int, expires_at: int) -> str:
    claims = AccessClaims(user_id=new_id(), workspace_id=new_id(), session_id=new_id(), expires_at=expires_at)
    return sign_token(load_private_key("k", PAIR.public_key, PAIR.private_key), claims, signed_at)


@pytest.mark.parametrize(
    ("signed_at", "expires_at", "is_good"),
    [
        pytest.param(NOW, NOW + 900, True, id="now"),
        pytest.param(NOW - 900, NOW - 9, True, id="ended by a clock that is ahead"),
        pytest.param(NOW - 900, NOW - 11, False, id="ended"),
        pytest.param(NOW + 9, NOW + 900, True, id="signed by a clock that is ahead"),
        pytest.param(NOW + 11, NOW + 900, False, id="signed in the future"),
    ],
)
def test_a_token_is_good_for_ten_seconds_beyond_its_time(
    monkeypatch: pytest.MonkeyPatch, signed_at: int, expires_at: int, is_good: bool
) -> None:
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: NOW))
    token = sign(signed_at, expires_at)
    if is_good:
        assert verify_token(PUBLIC, token).expires_at == expires_at
    else:
        with pytest.raises(InvalidToken):
            verify_token(PUBLIC, token)


def test_a_cookie_may_come_again_for_no_longer_than_that() -> None:
    assert COOKIE_LEEWAY.total_seconds() == tokens.LEEWAY_SECONDS == 10
