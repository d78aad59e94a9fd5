"""The one place where the HTTP application is put together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import asyncpg
from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide

from app.api_keys.service import ApiKeyService
from app.audit.refusals import Refusals
from app.auth.authenticator import Authenticator
from app.auth.oidc.assembly import open_oidc
from app.auth.oidc.identities import IdentityLinks
from app.auth.passwords import Passwords
from app.auth.principal import Principal, read_principal
from app.auth.service import IdentityService
from app.auth.sessions import SessionService
from app.auth.signing_keys import SigningKeys
from app.auth.standing import Standing
from app.auth.throttle import LoginThrottle
from app.bodies import StrictBody
from app.connections.authorizing import CALLBACK_PATH, AuthorizationService
from app.connections.service import ConnectionService
from app.connections.testing import ConnectionTester
from app.control.bulk import BulkService
from app.control.service import ControlService
from app.dependencies import Isolation, begin_transaction
from app.idempotency.service import REQUEST_PURPOSE
from app.members.service import InvitationService, MemberService
from app.middleware.edge import serve_request
from app.openapi import StructSchemas, make_openapi_config
from app.problems import EXCEPTION_HANDLERS
from app.routes import make_routes
from app.runs.hub import Hub
from app.runs.service import RunService
from app.runs.starter import RunStarter
from app.runs.stream import LiveStreams
from app.stats.figures import FigureCache
from app.transfer.documents import FileReader
from app.trials.evaluation import Evaluator
from app.trials.service import TrialService
from app.triggers.answers import Answers
from app.triggers.door import is_call_of_hook, serve_hook
from app.triggers.gate import Gate
from app.triggers.ingest import Ingest
from app.triggers.received import ReceivedEvents
from app.triggers.rejections import Rejections
from app.triggers.service import TriggerService
from app.web.bundle import BundleFolder
from app.web.pages import is_for_web_app, serve_web_app
from engine.infra.access_tokens import AccessTokens
from engine.infra.bell import HELD_CHANNEL, OutboxBell
from engine.infra.database import create_engine, create_pool
from engine.infra.envelopes import Envelopes
from engine.infra.garbage import collect_garbage
from engine.infra.http_client import HttpClient
from engine.infra.metrics_exchange import publish_metrics
from engine.infra.open_connections import ConnectionOpener
from engine.infra.rate_limiter import RateLimiter
from engine.infra.redis import create_redis
from engine.infra.secrets import SecretBox, SecretDigests, SecretKeys
from engine.infra.settings import Settings
from engine.store.connection_tokens import TokenStore
from engine.store.connections import CONNECTION_PURPOSE
from engine.store.sealed import TRIGGER_PURPOSE

# A definition of 1 MiB, and what stands around it in the body.
MAX_BODY_BYTES = 1_048_576 + 65_536
_REDIS_SECONDS = 2.0
# A statement that takes longer has no answer to come: callers are told to come again.
ANSWER_SECONDS = 30.0
_POOL_CLOSE_SECONDS = 5.0
# What a token endpoint has given is to be kept through a failover of the database.
_TOKEN_PATIENCE_SECONDS = 30.0


class Application(Litestar):
    """Litestar with the edge around everything, also around what no route matches."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, or start and stop."""
        if scope["type"] == "http":
            serve = partial(serve_hook, self) if is_call_of_hook(scope) else self._serve_rest
            is_https = self.state.settings.public_url.startswith("https:")
            await serve_request(serve, scope, receive, send, is_https=is_https)
        else:
            await super().__call__(scope, receive, send)

    async def _serve_rest(self, scope: Any, receive: Any, send: Any) -> None:
        if not (is_for_web_app(scope) and await serve_web_app(self.state.web, scope, send)):
            await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> Application:
    """The application. Its lifespan opens connections lazily: it starts without PostgreSQL and Redis, and says so."""
    return Application(
        route_handlers=make_routes(),
        state=State({"settings": settings, "draining": asyncio.Event(), "web": BundleFolder()}),
        lifespan=[_open_resources],
        dependencies={
            "transaction": Provide(begin_transaction),
            "principal": Provide(_provide_principal, sync_to_thread=False),
            "identity": Provide(_provide_identity, sync_to_thread=False),
            "api_keys": Provide(_provide_api_keys, sync_to_thread=False),
            "sessions": Provide(_provide_sessions, sync_to_thread=False),
            "members": Provide(_provide_members, sync_to_thread=False),
            "invitations": Provide(_provide_invitations, sync_to_thread=False),
            "connections": Provide(_provide_connections, sync_to_thread=False),
            "authorizations": Provide(_provide_authorizations, sync_to_thread=False),
            "connection_tester": Provide(_provide_connection_tester, sync_to_thread=False),
            "runs": Provide(_provide_runs, sync_to_thread=False),
            "streams": Provide(_provide_streams, sync_to_thread=False),
            "triggers": Provide(_provide_triggers, sync_to_thread=False),
            "received": Provide(_provide_received, sync_to_thread=False),
            "ingest": Provide(_provide_ingest, sync_to_thread=False),
            "file_reader": Provide(_provide_file_reader, sync_to_thread=False),
            "control": Provide(_provide_control, sync_to_thread=False),
            "bulk": Provide(_provide_bulk, sync_to_thread=False),
            "trials": Provide(_provide_trials, sync_to_thread=False),
            "evaluator": Provide(_provide_evaluator, sync_to_thread=False),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        dto=StrictBody,
        return_dto=None,
        request_max_body_size=MAX_BODY_BYTES,
        plugins=[StructSchemas()],
        openapi_config=make_openapi_config(_version()),
        logging_config=None,
    )


@asynccontextmanager
async def _open_resources(app: Litestar) -> AsyncGenerator[None, None]:
    """Connections and services, as attributes of `app.state`: `database` (SQLAlchemy), `pool` (asyncpg), `redis`."""
    state, settings = app.state, app.state.settings
    async with AsyncExitStack() as stack:
        state.database = create_engine(settings, name="api", answer_seconds=ANSWER_SECONDS)
        stack.push_async_callback(state.database.dispose)
        state.isolation = Isolation(state.database, settings.row_security)
        state.pool = await create_pool(settings, name="api", size=settings.database_pool)
        stack.push_async_callback(_close_pool, state.pool)
        state.redis = create_redis(settings, name="api", timeout=_REDIS_SECONDS, retries=1)
        stack.push_async_callback(state.redis.aclose)
        _open_identity(state, stack)
        await _open_connections(state, stack)
        await _open_runs(state, stack)
        yield


def _open_identity(state: State, stack: AsyncExitStack) -> None:
    """Who callers are, and what they belong to."""
    settings: Settings = state.settings
    secret_key = SecretKeys(settings)
    state.request_digests = SecretDigests(secret_key, REQUEST_PURPOSE)
    passwords, throttle = Passwords(), LoginThrottle(state.redis)
    state.throttle = throttle
    state.refusals = Refusals(state.pool)
    state.standing = Standing(state.database)
    duties = [asyncio.create_task(state.refusals.run()), asyncio.create_task(state.standing.run())]
    stack.push_async_callback(_end_duties, duties)
    state.figures = FigureCache(state.isolation)
    stack.callback(passwords.close)
    state.signing_keys = SigningKeys(state.database, secret_key)
    stack.push_async_callback(state.signing_keys.close)
    state.authenticator = Authenticator(state.database, state.signing_keys, state.refusals)
    state.identity = IdentityService(
        settings=settings,
        database=state.database,
        keys=state.signing_keys,
        authenticator=state.authenticator,
        passwords=passwords,
        throttle=throttle,
        refusals=state.refusals,
    )
    state.sessions = SessionService(
        database=state.database,
        identity=state.identity,
        authenticator=state.authenticator,
        passwords=passwords,
        throttle=throttle,
        refusals=state.refusals,
    )
    state.identity_links = IdentityLinks(
        database=state.database, passwords=passwords, throttle=throttle, refusals=state.refusals
    )
    state.api_keys = ApiKeyService(state.authenticator, SecretBox(secret_key, "idempotent-api-keys"))
    state.members = MemberService(state.authenticator)
    state.invitations = InvitationService(
        database=state.database,
        identity=state.identity,
        passwords=passwords,
        throttle=throttle,
        refusals=state.refusals,
        base_url=settings.base_url,
        box=SecretBox(secret_key, "idempotent-invitations"),
    )


async def _open_connections(state: State, stack: AsyncExitStack) -> None:
    """What keeps connections, signs in for them, and tries them out."""
    settings: Settings = state.settings
    envelopes = Envelopes(SecretBox(SecretKeys(settings), CONNECTION_PURPOSE))
    http = await stack.enter_async_context(HttpClient(settings))
    redirect_uri = settings.base_url + CALLBACK_PATH
    tokens = AccessTokens(http, envelopes, TokenStore(partial(_ready, state.pool), patience=_TOKEN_PATIENCE_SECONDS))
    stack.push_async_callback(tokens.close)
    opener = ConnectionOpener(envelopes, tokens)
    state.connections = ConnectionService(envelopes, redirect_uri)
    state.authorizations = AuthorizationService(state.database, http, opener, tokens, redirect_uri)
    state.connection_tester = ConnectionTester(state.isolation, envelopes, http, tokens)
    state.oidc = open_oidc(state, http)


async def _open_runs(state: State, stack: AsyncExitStack) -> None:
    """What starts, reads and streams runs; its duties end with the application."""
    settings: Settings = state.settings
    bell = OutboxBell(settings)
    held_bell = OutboxBell(settings, HELD_CHANNEL)
    starter = RunStarter(settings, bell, held_bell)
    hub = Hub(state.redis)
    answers = Answers(state.pool, hub, state.draining)
    rejections = Rejections(state.pool, starter.clock)
    duties = [
        asyncio.create_task(duty)
        for duty in (
            bell.run(),
            held_bell.run(),
            starter.run(),
            hub.run(),
            answers.run(),
            rejections.run(),
            publish_metrics(state.redis, "api"),
            collect_garbage(),
        )
    ]
    stack.push_async_callback(_end_duties, duties)
    state.runs = RunService(state.pool, state.isolation, starter, bell)
    state.control = ControlService(starter.clock, bell)
    state.bulk = BulkService(state.control)
    state.streams = LiveStreams(state.redis, hub, state.runs.read_events_after, state.standing, state.draining)
    state.trials = TrialService(state.isolation, state.runs, hub, starter.clock, state.draining)
    state.evaluator = Evaluator(state.isolation, starter.clock)
    state.triggers = TriggerService(SecretBox(SecretKeys(settings), TRIGGER_PURPOSE), settings.base_url)
    state.received = ReceivedEvents(state.isolation, hub, state.draining)
    state.ingest = Ingest(
        state.pool,
        starter,
        state.triggers,
        answers=answers,
        gate=Gate(RateLimiter(state.redis), settings),
        rejections=rejections,
    )
    state.file_reader = FileReader()


async def _ready(pool: asyncpg.Pool) -> asyncpg.Pool:
    return pool


async def _end_duties(duties: list[asyncio.Task[None]]) -> None:
    for duty in duties:
        duty.cancel()
    await asyncio.gather(*duties, return_exceptions=True)


async def _close_pool(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), _POOL_CLOSE_SECONDS)
    except TimeoutError:
        pool.terminate()


def _provide_principal(request: Request[Any, Any, Any]) -> Principal:
    return read_principal(request)


def _provide_identity(state: State) -> IdentityService:
    identity: IdentityService = state.identity
    return identity


def _provide_sessions(state: State) -> SessionService:
    sessions: SessionService = state.sessions
    return sessions


def _provide_members(state: State) -> MemberService:
    members: MemberService = state.members
    return members


def _provide_invitations(state: State) -> InvitationService:
    invitations: InvitationService = state.invitations
    return invitations


def _provide_api_keys(state: State) -> ApiKeyService:
    api_keys: ApiKeyService = state.api_keys
    return api_keys


def _provide_connections(state: State) -> ConnectionService:
    connections: ConnectionService = state.connections
    return connections


def _provide_authorizations(state: State) -> AuthorizationService:
    authorizations: AuthorizationService = state.authorizations
    return authorizations


def _provide_connection_tester(state: State) -> ConnectionTester:
    tester: ConnectionTester = state.connection_tester
    return tester


def _provide_runs(state: State) -> RunService:
    runs: RunService = state.runs
    return runs


def _provide_control(state: State) -> ControlService:
    control: ControlService = state.control
    return control


def _provide_bulk(state: State) -> BulkService:
    bulk: BulkService = state.bulk
    return bulk


def _provide_streams(state: State) -> LiveStreams:
    streams: LiveStreams = state.streams
    return streams


def _provide_triggers(state: State) -> TriggerService:
    triggers: TriggerService = state.triggers
    return triggers


def _provide_received(state: State) -> ReceivedEvents:
    received: ReceivedEvents = state.received
    return received


def _provide_ingest(state: State) -> Ingest:
    ingest: Ingest = state.ingest
    return ingest


def _provide_file_reader(state: State) -> FileReader:
    file_reader: FileReader = state.file_reader
    return file_reader


def _provide_trials(state: State) -> TrialService:
    trials: TrialService = state.trials
    return trials


def _provide_evaluator(state: State) -> Evaluator:
    evaluator: Evaluator = state.evaluator
    return evaluator


def _version() -> str:
    try:
        return version("flowforge")
    except PackageNotFoundError:
        # A clone that was never installed.
        return "0.0.0"
