"""Operations: is the process alive, can it serve, and its metrics."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal

import structlog
from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Response
from msgspec import Struct
from sqlalchemy import text

from app.auth.guards import find_principal
from app.auth.permissions import Permission
from app.errors import MissingPermission
from app.openapi import problems
from engine.infra.metrics_exchange import collect_metrics
from engine.store.isolation import IS_READY

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 2.0
_VERSIONS = Path(__file__).resolve().parents[2] / "alembic" / "versions"
_REVISION = re.compile(r'^(revision|down_revision) = "(\w+)"', re.MULTILINE)
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


class Liveness(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["ok"]


class _Remark(str):
    """What is worth knowing of a dependency that can be used."""

    __slots__ = ()


class DependencyCheck(Struct, frozen=True, kw_only=True):
    """One dependency: whether it can be used, and if not, what is wrong."""

    status: Literal["ok", "failed"]
    detail: str | None = None


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether requests can be served, with every dependency by name."""

    status: Literal["ready", "unavailable"]
    checks: dict[str, DependencyCheck]


_UNGUARDED = "row-level security is off: the database has no role for it; `./flowforge doctor` tells the cure"
_UNAVAILABLE = ResponseSpec(data_container=Readiness, generate_examples=False, description="A dependency is away")


class HealthController(Controller):
    """Probes."""

    path = "/health"
    tags = ("operations",)

    @get("/live", operation_id="getLiveness", summary="Is the process alive?", public=True)
    async def get_liveness(self) -> Liveness:
        """Answers as long as the process can."""
        return Liveness(status="ok")

    @get(
        "/ready",
        operation_id="getReadiness",
        summary="Can requests be served?",
        public=True,
        responses={503: _UNAVAILABLE},
    )
    async def get_readiness(self, state: State) -> Response[Readiness]:
        """200 where every dependency can be used, else 503, with the same body."""
        results = await asyncio.gather(*(_check(name, state) for name in _CHECKS))
        checks = dict(zip(_CHECKS, results, strict=True))
        ready = all(check.status == "ok" for check in results)
        body = Readiness(status="ready" if ready else "unavailable", checks=checks)
        return Response(body, status_code=200 if ready else 503)


@get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics of all processes",
    tags=("operations",),
    public=True,
    from_elsewhere=Permission.METRICS_READ,
    media_type="text/plain",
    responses=problems(401, 403),
)
async def get_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus text. Open to this machine itself; from elsewhere it needs a token with `metrics:read`."""
    if not _is_local(request):
        principal = request.scope["user"] = await find_principal(request)
        if Permission.METRICS_READ not in principal.permissions:
            raise MissingPermission(permission=Permission.METRICS_READ.value)
    return Response(
        await collect_metrics(request.app.state.redis, "api"), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


def _is_local(request: Request[Any, Any, Any]) -> bool:
    # What a proxy on this machine passes on does not come from this machine.
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _check(name: str, state: State) -> DependencyCheck:
    try:
        fault = await asyncio.wait_for(_CHECKS[name](state), _PATIENCE_SECONDS)
    except TimeoutError:
        fault = f"no answer within {_PATIENCE_SECONDS:.0f} s"
    except Exception as error:
        # The kind of error is enough for an open probe; addresses and names are for the log.
        fault = type(error).__name__
        _log.warning("dependency_failed", dependency=name, error=repr(error))
    if fault is None or isinstance(fault, _Remark):
        return DependencyCheck(status="ok", detail=fault)
    return DependencyCheck(status="failed", detail=fault)


async def _check_postgres(state: State) -> str | None:
    async with state.database.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return None


async def _check_redis(state: State) -> str | None:
    await state.redis.ping()
    return None


async def _check_migrations(state: State) -> str | None:
    async with state.database.connect() as connection:
        if await connection.scalar(text("SELECT to_regclass('alembic_version') IS NULL")):
            return "the database is empty; run `./flowforge migrate`"
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        is_guarded = state.settings.row_security == "off" or await connection.scalar(text(IS_READY))
    # A newer one is fine: a revision leaves what the release before it needs, so that processes are replaced in turn.
    if str(found) < newest_revision():
        return f"the database is at {found}, this version needs {newest_revision()}; run `./flowforge migrate`"
    if not is_guarded:
        return _UNGUARDED if state.settings.row_security == "required" else _Remark(_UNGUARDED)
    return None


_CHECKS: Final[Mapping[str, Callable[[State], Awaitable[str | None]]]] = {
    "postgres": _check_postgres,
    "redis": _check_redis,
    "migrations": _check_migrations,
}


@cache
def newest_revision() -> str:
    """The head of the migrations that came with this code, read without loading Alembic."""
    revisions: set[str] = set()
    parents: set[str] = set()
    for path in _VERSIONS.glob("*.py"):
        for kind, revision in _REVISION.findall(path.read_text()):
            (revisions if kind == "revision" else parents).add(revision)
    return max(revisions - parents, default="")
