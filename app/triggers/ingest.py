"""The hot path of webhooks: resolve, authenticate the raw body, make durable, answer."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from app.bodies import check_depth
from app.errors import (
    ApiError,
    Busy,
    InvalidRequest,
    InvalidSignature,
    MalformedBody,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
)
from app.runs.starter import RunStarter
from app.triggers.answers import Answer, Answers
from app.triggers.gate import Gate
from app.triggers.rejections import Rejections
from app.triggers.schemas import Ingested
from app.triggers.service import TriggerService
from engine.core.problems import Problem
from engine.core.queueing import announce_queued, make_queued_event
from engine.infra import metrics
from engine.infra.database import DATABASE_ERRORS
from engine.infra.ids import new_id
from engine.infra.telemetry import current_traceparent, new_traceparent
from engine.store.keeping import Hold, Kept
from engine.store.origins import WebhookOrigin, find_webhook
from engine.store.starts import Accepted, Start
from engine.triggers.bodies import TooLongUnpacked, may_be_json, says_json, unpack
from engine.triggers.flow import FlowKeyError, make_hold
from engine.triggers.signatures import challenge, is_authentic
from engine.triggers.webhook import (
    DedupError,
    Described,
    FilterError,
    WebhookConfig,
    describe_request,
    is_let_through,
    make_dedup_key,
)

CACHED_TRIGGERS: Final = 10_000
# A cached copy refuses nobody: the trigger may have changed, so that it is read anew, at most once in this time.
REST_SECONDS: Final = 0.05
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}")

_OUTCOMES = {name: metrics.INGEST_EVENTS.labels(name) for name in ("started", "duplicate", "filtered", "pending")}
_CREATED = metrics.RUNS_CREATED.labels("webhook")
_log = structlog.get_logger()


# What is noted as rejected. That the server is busy, or its database away, is nobody's fault who sends it again.
_REJECTIONS = (NotFound, InvalidSignature, InvalidRequest, MalformedBody, PayloadTooLarge, TooManyRequests)


class InboundRequest(Struct, frozen=True, kw_only=True):
    """A request to a hook's address. Header names are lower case; `hang_up` returns once its caller is gone.

    `most_bytes`: of its body, once that is unpacked.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    body: bytes
    most_bytes: int
    address: str
    hang_up: Callable[[], Awaitable[Any]]


class Taken(Struct, frozen=True, kw_only=True):
    """What became of a request, with `headers` for its answer.

    `has_waited`: its caller was kept for the run's answer, which may not have come.
    """

    ingested: Ingested
    is_repeat: bool = False
    has_waited: bool = False
    answer: Answer | None = None
    headers: dict[str, str] = {}


class _Live(Struct, frozen=True, kw_only=True):
    """A trigger as it was read from the database at a moment of the monotonic clock."""

    origin: WebhookOrigin
    config: WebhookConfig
    secrets: list[str]
    read_at: float

    def secrets_at(self, now: datetime) -> list[str]:
        """The secrets that are good at a moment, the newest first."""
        until = self.origin.previous_secret_until
        return self.secrets if until is not None and now < until else self.secrets[:1]


class Ingest:
    """Takes webhooks. Triggers are cached; what is committed is checked against the database in the same statement."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        starter: RunStarter,
        triggers: TriggerService,
        *,
        answers: Answers,
        gate: Gate,
        rejections: Rejections,
    ) -> None:
        self._pool = pool
        self._starter = starter
        self._answers = answers
        self._gate = gate
        self._rejections = rejections
        self._triggers = triggers
        self._cache: dict[str, _Live] = {}
        self._upcoming: dict[str, asyncio.Task[_Live]] = {}

    async def take(self, token: str, request: InboundRequest) -> Taken:
        """Accept the event; where its trigger says so, wait for what the run answers.

        Raises NotFound, InvalidSignature, InvalidRequest, TooManyRequests, Busy.
        """
        live: _Live | None = None
        headers: dict[str, str] = {}
        try:
            live = await self._find(token, request)
            headers = await self._gate.admit(live.origin, live.config, request.address)
            try:
                return await self._accept(live, token, request, headers)
            except InvalidRequest:
                # By a copy's expressions, which may have been mended since.
                changed = await self._read_soon(token, live)
                if changed.origin.updated_at == live.origin.updated_at:
                    raise
                live = await self._authenticated(changed, request)
                return await self._accept(live, token, request, headers)
        except ApiError as error:
            # It was counted: its caller shall see how the limits stand.
            error.headers.update(headers)
            if isinstance(error, _REJECTIONS):
                self._note(live, token, error)
            raise

    async def refuse_large(self, token: str, address: str) -> None:
        """Count and note a call whose body was too large to be read. Raises TooManyRequests."""
        error: ApiError = PayloadTooLarge()
        try:
            await self._gate.admit_stranger(address)
        except TooManyRequests as limited:
            error = limited
            raise
        finally:
            if _TOKEN.fullmatch(token):
                # Whatever the database says, it is refused.
                with suppress(NotFound, *DATABASE_ERRORS):
                    self._note(self._cache.get(token) or await self._read(token), token, error)

    async def _find(self, token: str, request: InboundRequest) -> _Live:
        try:
            if not _TOKEN.fullmatch(token):
                raise _unknown()
            return await self._resolve(token, request)
        except (NotFound, InvalidSignature) as error:
            try:
                await self._gate.admit_stranger(request.address)
            except TooManyRequests as limited:
                raise limited from error
            raise

    def _note(self, live: _Live | None, token: str, error: ApiError) -> None:
        known = live or self._cache.get(token)
        reason = error.errors[0].code if isinstance(error, InvalidRequest) and error.errors else error.code
        self._rejections.note(None if known is None else known.origin, reason)

    async def _accept(self, live: _Live, token: str, request: InboundRequest, headers: dict[str, str]) -> Taken:
        unpacked = _unpack(request) if "content-encoding" in request.headers else request
        is_text = _is_text(unpacked)
        for _ in range(3):
            start = _make_start(live, unpacked, self._starter.clock.now(), is_text=is_text)
            with self._expect(live, start) as answer:
                accepted = await self._starter.accept(start)
                if accepted.outcome != "stale":
                    ingested = _count(start, accepted)
                    if answer is None or accepted.is_duplicate:
                        return Taken(ingested=ingested, is_repeat=accepted.is_duplicate, headers=headers)
                    found = await self._answers.wait(answer, live.config.respond_timeout, request.hang_up)
                    return Taken(ingested=ingested, has_waited=True, answer=found, headers=headers)
            live = await self._authenticated(await self._read(token), request)
        # It changes faster than it can be read: the sender shall come again, for it cannot know why.
        raise Busy

    @contextmanager
    def _expect(self, live: _Live, start: Start | Kept) -> Iterator[asyncio.Future[Answer] | None]:
        """The answer to come, where the trigger's callers wait for one."""
        if live.config.respond != "sync" or isinstance(start, Kept):
            yield None
            return
        with self._answers.expect(start.run_id, start.version_id, start.workspace_id) as answer:
            yield answer

    async def _resolve(self, token: str, request: InboundRequest) -> _Live:
        known = self._cache.get(token)
        if known is None:
            return await self._authenticated(await self._read(token), request)
        if self._is_authentic(known, request):
            return known
        return await self._authenticated(await self._read_soon(token, known), request)

    async def _read_soon(self, token: str, known: _Live) -> _Live:
        """The trigger as it is after this moment; a flood of refusals shares a few looks."""
        task = self._upcoming.get(token)
        if task is None:
            task = self._upcoming[token] = asyncio.create_task(
                self._read_later(token, known.read_at + REST_SECONDS - time.monotonic())
            )
            # Whoever waits has the exception; asking for it keeps asyncio from reporting it again.
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return await asyncio.shield(task)

    async def _read_later(self, token: str, seconds: float) -> _Live:
        try:
            await asyncio.sleep(max(seconds, 0.0))
        finally:
            # Whoever comes from now on may know of a change that this look does not see.
            del self._upcoming[token]
        return await self._read(token)

    async def _authenticated(self, live: _Live, request: InboundRequest) -> _Live:
        if not self._is_authentic(live, request):
            raise _refused(live)
        return live

    def _is_authentic(self, live: _Live, request: InboundRequest) -> bool:
        auth = live.config.auth
        if isinstance(auth, str):
            return True
        now = self._starter.clock.now()
        return is_authentic(auth, live.secrets_at(now), request.headers, request.body, now=now.timestamp())

    async def _read(self, token: str) -> _Live:
        read_at = time.monotonic()
        origin = await find_webhook(self._pool, token)
        if origin is None:
            self._cache.pop(token, None)
            raise _unknown()
        live = _Live(
            origin=origin,
            config=msgspec.json.decode(origin.config, type=WebhookConfig),
            secrets=self._triggers.open_secrets(origin.trigger_id, origin.secret),
            read_at=read_at,
        )
        if len(self._cache) >= CACHED_TRIGGERS:
            self._cache.pop(next(iter(self._cache)))
        self._cache[token] = live
        return live


def _unknown() -> NotFound:
    return NotFound("There is no such hook, or it is switched off.")


def _refused(live: _Live) -> InvalidSignature:
    asked = None if isinstance(live.config.auth, str) else challenge(live.config.auth)
    return InvalidSignature(headers={"www-authenticate": asked} if asked else None)


def _unpack(request: InboundRequest) -> InboundRequest:
    """The request with its body as it was before it was packed; raises PayloadTooLarge."""
    try:
        body = unpack(request.headers["content-encoding"], request.body, request.most_bytes)
    except TooLongUnpacked:
        raise PayloadTooLarge(f"The body of a hook has at most {request.most_bytes:,} bytes once unpacked.") from None
    return msgspec.structs.replace(request, body=body)


def _is_text(request: InboundRequest) -> bool:
    """Whether the body is too deep to be JSON; raises MalformedBody where it says that it is."""
    content_type = request.headers.get("content-type", "")
    if not may_be_json(content_type):
        return False
    try:
        check_depth(request.body)
    except MalformedBody:
        if says_json(content_type):
            raise
        return True
    return False


def _make_start(live: _Live, request: InboundRequest, at: datetime, *, is_text: bool) -> Start | Kept:
    origin, run_id = live.origin, new_id(at)
    described = describe_request(
        method=request.method,
        headers=request.headers,
        query=request.query,
        body=request.body,
        received_at=at,
        is_text=is_text,
    )
    try:
        if not is_let_through(live.config, described.seen):
            return _keep_away(origin, described, at, reason="filter")
    except FilterError as error:
        return _keep_away(origin, described, at, reason="filter_failed", message=str(error))
    try:
        key = make_dedup_key(live.config, request.headers, described.seen)
    except DedupError as error:
        raise InvalidRequest(errors=[Problem("", "dedup_key_failed", str(error))]) from None
    traceparent = current_traceparent() or new_traceparent()
    hold = _find_hold(live.config, described)
    if hold is not None:
        return _hold_back(origin, described, at, hold, dedup_key=key, traceparent=traceparent)
    return Start(
        run_id=run_id,
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        version_id=origin.version_id,
        version=origin.version,
        trigger_id=origin.trigger_id,
        trigger_type="webhook",
        at=at,
        queued=make_queued_event(
            at=at,
            trigger=described.kept,
            run_input={},
            workflow_id=origin.workflow_id,
            workflow_name=origin.workflow_name,
            version=origin.version,
            traceparent=traceparent,
            is_awaited=live.config.respond == "sync",
        ),
        message=announce_queued(at=at, run_id=run_id, workspace_id=origin.workspace_id, workflow_id=origin.workflow_id),
        traceparent=traceparent,
        event_id=new_id(at),
        scope=origin.trigger_id,
        key=key,
        trigger_updated_at=origin.updated_at,
    )


def _keep_away(origin: WebhookOrigin, described: Described, at: datetime, **why: str) -> Kept:
    """The event that the trigger's filter leaves out. A filter that fails is no reason to send the same again."""
    return Kept(
        event_id=new_id(at),
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        trigger_id=origin.trigger_id,
        trigger_updated_at=origin.updated_at,
        at=at,
        reason=why["reason"],
        trigger=msgspec.json.encode({"trigger": described.kept, "message": why.get("message")}),
    )


def _find_hold(config: WebhookConfig, described: Described) -> Hold | None:
    try:
        return make_hold(config, described.seen)
    except FlowKeyError as error:
        raise InvalidRequest(errors=[Problem("", "key_failed", str(error))]) from None


def _hold_back(origin: WebhookOrigin, described: Described, at: datetime, hold: Hold, **name: str | None) -> Kept:
    """The event that waits for others, or for its turn."""
    return Kept(
        event_id=new_id(at),
        workspace_id=origin.workspace_id,
        workflow_id=origin.workflow_id,
        trigger_id=origin.trigger_id,
        trigger_updated_at=origin.updated_at,
        at=at,
        hold=hold,
        trigger=msgspec.json.encode(described.kept),
        **name,
    )


def _count(start: Start | Kept, accepted: Accepted) -> Ingested:
    event_id: UUID | None = start.event_id
    if event_id is None:
        raise TypeError("a webhook's start has an event id")
    _OUTCOMES[accepted.outcome].inc()
    if accepted.outcome == "started":
        _CREATED.inc()
    return Ingested(event_id=event_id, run_id=accepted.run_id)
