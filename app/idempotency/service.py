"""`Idempotency-Key`: a creating POST, sent again with its key, is answered as the first time and creates nothing."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import asyncpg
import msgspec
from litestar import Request
from litestar.response import Response
from msgspec import Struct
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.principal import Principal
from app.errors import IdempotencyInProgress, IdempotencyKeyReused, InvalidIdempotencyKey
from app.idempotency import repository
from app.idempotency.repository import KeyPlace
from engine.infra.secrets import SecretBox, SecretDigests

HEADER: Final = "idempotency-key"
REPLAYED_HEADER: Final = "idempotent-replayed"
REQUEST_PURPOSE: Final = "idempotent requests"
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")

Body = TypeVar("Body")


class Answer(Struct, frozen=True, kw_only=True):
    """What a creating call answers: the status, the body (any msgspec type) and headers of its own."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


async def answer_once(
    request: Request[Any, Any, Any],
    transaction: AsyncConnection,
    principal: Principal,
    create: Callable[[], Awaitable[Answer]],
    *,
    box: SecretBox | None = None,
) -> Response[Any]:
    """The answer of `create`, which runs once a key; without `Idempotency-Key` it simply runs.

    Key, change and answer share the request's transaction: either all of it is there after a crash, or nothing. A
    second request that comes meanwhile waits for the first; a failed one leaves no key behind. An answer that holds a
    secret is kept sealed by `box`.
    """
    key = request.headers.get(HEADER)
    if key is None:
        answer = await create()
        return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
    if not _KEY.fullmatch(key):
        raise InvalidIdempotencyKey
    place = KeyPlace(
        workspace_id=principal.workspace_id,
        principal_id=principal.credential_id,
        route=f"{request.method} {request.scope['path_template']}",
        key=key,
    )
    digests: SecretDigests = request.app.state.request_digests
    request_hash = await _hash_request(request)
    # What came may be a secret that can be guessed, like a password: only a keyed digest of it is kept.
    if not await _claim(transaction, place, digests.make(request_hash)):
        return await _replay(transaction, place, lambda kept: _is_same(digests, kept, request_hash), box)
    answer = await create()
    body = msgspec.json.encode(answer.body)
    kept = body if box is None else box.seal(body, _cell(place))
    await repository.keep_answer(
        transaction, place, status=answer.status, headers=msgspec.json.encode(answer.headers), body=kept
    )
    return _respond(body, answer.status, answer.headers)


async def _hash_request(request: Request[Any, Any, Any]) -> bytes:
    digest = hashlib.sha256()
    for part in (request.scope["path"].encode(), request.scope["query_string"], await request.body()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _is_same(digests: SecretDigests, kept: bytes, request_hash: bytes) -> bool:
    """Whether what is kept is of this request; a plain hash is of a release that kept no other."""
    return hmac.compare_digest(kept, request_hash) or digests.is_of(kept, request_hash)


async def _claim(transaction: AsyncConnection, place: KeyPlace, request_digest: bytes) -> bool:
    await repository.delete_expired(transaction)
    try:
        return await repository.claim(transaction, place, request_digest)
    except DBAPIError as error:
        if isinstance(getattr(error.orig, "__cause__", None), asyncpg.LockNotAvailableError):
            raise IdempotencyInProgress(headers={"retry-after": "1"}) from None
        raise


async def _replay(
    transaction: AsyncConnection, place: KeyPlace, is_same: Callable[[bytes], bool], box: SecretBox | None
) -> Response[Any]:
    row = await repository.find(transaction, place)
    if not is_same(row.request_hash):
        raise IdempotencyKeyReused
    headers = msgspec.json.decode(row.headers, type=dict[str, str])
    body = row.body if box is None else box.open(row.body, _cell(place))
    return _respond(body, row.status, {**headers, REPLAYED_HEADER: "true"})


def _cell(place: KeyPlace) -> str:
    return f"idempotency_key/{place.workspace_id}/{place.principal_id}/{place.route}/{place.key}/body"


def _respond(body: bytes, status: int, headers: Mapping[str, str]) -> Response[Any]:
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")
