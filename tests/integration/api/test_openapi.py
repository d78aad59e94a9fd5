import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.routes import HTTPRoute
from msgspec import Struct
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from app.auth.guards import requires
from app.auth.permissions import Role
from app.main import create_app
from app.openapi import build_document
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from tests.integration.api.served import Served, serving

# A stream does not end by itself, and a step's test waits for a worker.
EXCLUDED = {"streamRun", "streamWorkspace", "testStep"}
# They end the sessions under test: made with keys, which have none.
ENDING = {"logOut", "endOtherSessions"}
STEERING = {
    "POST /v1/runs/{run_id}/retry",
    "POST /v1/runs/{run_id}/rerun",
    "POST /v1/runs/{run_id}/signal",
    "POST /v1/runs/{run_id}/cancel",
    "POST /v1/runs/bulk",
    "GET /v1/approvals",
    "GET /v1/approvals/{approval_id}",
    "POST /v1/approvals/{approval_id}",
}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
MEDIA_TYPES = ("application/json", "application/problem+json", "text/plain", "text/event-stream")
SETUP = {"email": "o@example.com", "password": "correct horse battery", "name": "Owner", "workspace": "W"}
WORKFLOW = {
    "name": "W",
    "definition": {"schema": 1, "steps": [{"id": "a", "type": "delay", "with": {"seconds": 1}}]},
}


@pytest.fixture
def app() -> Litestar:
    """The application, not started."""
    return create_app(Settings(database_url="postgresql://nowhere"))


def _handlers(app: Litestar) -> Iterator[tuple[str, Any]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield f"{method} {route.path_format}", handler


PUBLIC = {
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /docs/api",
    "GET /docs/api.css",
    "GET /openapi.json",
    "GET /v1/setup",
    "POST /v1/setup",
    "POST /v1/invitations/accept",
    "POST /v1/invitations/read",
    "GET /v1/auth/oidc/callback",
    "GET /v1/auth/oidc/login",
    "GET /v1/auth/providers",
    "POST /v1/auth/oidc/invitation",
    "POST /v1/auth/login",
    "POST /v1/auth/refresh",
    "GET /v1/connections/oauth/callback",
    "GET /v1/hooks/{token}",
    "POST /v1/hooks/{token}",
    "PUT /v1/hooks/{token}",
}


def test_only_these_calls_are_public(app: Litestar) -> None:
    public = {name for name, handler in _handlers(app) if handler.opt.get("public")}
    assert public == PUBLIC


def test_every_other_call_is_below_v1_and_names_a_permission(app: Litestar) -> None:
    for name, handler in _handlers(app):
        if name not in PUBLIC:
            assert " /v1/" in name
            assert any(isinstance(guard, requires) for guard in handler.guards or ()), name


def test_every_operation_is_described(app: Litestar) -> None:
    document = build_document(app)
    ids = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["tags"], (method, path)
            assert operation["summary"], (method, path)
            ids.append(operation["operationId"])
            for response in operation["responses"].values():
                for media_type in response.get("content") or {}:
                    assert media_type in (
                        "application/json",
                        "application/problem+json",
                        "application/x-ndjson",
                        "application/yaml",
                        "text/plain",
                        "text/event-stream",
                    )
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", each) for each in ids), ids


def test_bodies_that_refuse_unknown_fields_say_so(app: Litestar) -> None:
    schemas = build_document(app)["components"]["schemas"]
    for name in ("SetupRequest", "LoginRequest", "RefreshRequest", "NewWorkflow", "WorkflowChange"):
        assert schemas[name]["additionalProperties"] is False


class Callers(Struct, frozen=True):
    """The headers of a member and of a key of each role, the weakest first: who may do more comes later."""

    members: dict[Role, dict[str, str]]
    keys: dict[Role, dict[str, str]]


@pytest.fixture
def served(settings: Settings, clean_database: str, clean_redis: str) -> Iterator[Served]:
    # The full profile takes longer than a token usually lives.
    with serving(settings, FLOWFORGE_ACCESS_TOKEN_SECONDS="3600") as process:
        yield process


def _join(url: str, owner: dict[str, str]) -> Callers:
    """A member and a key of every role."""
    members, keys = {}, {}
    for role in reversed(Role):
        invitation = {"email": f"{role.value}@example.com", "role": role.value}
        made = httpx.post(f"{url}/v1/invitations", json=invitation, headers=owner).raise_for_status().json()
        person = {"token": made["token"], "name": role.value, "password": "a password of one's own"}
        tokens = httpx.post(f"{url}/v1/invitations/accept", json=person).raise_for_status().json()
        members[role] = {"authorization": f"Bearer {tokens['access_token']}"}
        key = httpx.post(f"{url}/v1/api-keys", json={"name": role.value, "role": role.value}, headers=owner)
        keys[role] = {"authorization": f"Bearer {key.raise_for_status().json()['secret']}"}
    return Callers(members, keys)


@pytest.mark.timeout(3000)
def test_whatever_is_sent_by_whichever_role_the_answers_keep_to_the_document(
    served: Served, clean_database: str
) -> None:
    tokens = httpx.post(f"{served.url}/v1/setup", json=SETUP).json()
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    callers = _join(served.url, headers)
    document = httpx.get(f"{served.url}/openapi.json").json()
    for item in document["paths"].values():
        for operation in item.values():
            # Every call below carries the token, so a missing one must not count as a fault that was let pass.
            del operation["security"]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=served.url)
    # The default profile spends about a minute here, the full one some twenty. Each example is sent by every role.
    examples = hypothesis.settings().max_examples // 14
    tested: set[str] = set()
    seen: dict[Role, Counter[int]] = {role: Counter() for role in Role}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.definition.raw["operationId"] in EXCLUDED:
            continue
        tested.add(operation.label)
        known = _known_ids(served.url, headers)
        with ThreadPoolExecutor(1) as executor:
            # pytest-asyncio owns the main thread's loop.
            known["approval_id"] = str(executor.submit(asyncio.run, _end_and_ask(clean_database, known)).result())
        ends = operation.definition.raw["operationId"] in ENDING
        _test_operation(operation, callers.keys if ends else callers.members, known, examples, seen)
    assert "POST /v1/workflows/{workflow_id}/publish" in tested
    assert tested >= STEERING
    answers = _count_answers(httpx.get(f"{served.url}/metrics").text)
    assert answers["2"] > len(tested), "too few calls got past validation to tell anything"
    assert answers["4"] > len(tested)
    weaker = [role for role in Role if role is not Role.OWNER]
    assert seen[Role.OWNER][403] == 0
    assert all(seen[role][403] for role in weaker), seen
    assert all(sum(seen[role].values()) == sum(seen[Role.OWNER].values()) for role in weaker)


def _count_answers(metrics: str) -> Counter[str]:
    """Answers by the first digit of their status."""
    counts: Counter[str] = Counter()
    for digit, count in re.findall(
        r'^flowforge_http_requests_total\{.*status="(\d)\d\d"\} (\S+)$', metrics, re.MULTILINE
    ):
        counts[digit] += int(float(count))
    return counts


def _known_ids(url: str, headers: dict[str, str]) -> dict[str, Any]:
    """Ids of things that are there, so that not every call ends with 404."""
    made = httpx.post(f"{url}/v1/workflows", json=WORKFLOW, headers=headers).raise_for_status().json()
    httpx.post(f"{url}/v1/workflows/{made['id']}/publish", headers=headers).raise_for_status()
    runs = [
        httpx.post(f"{url}/v1/workflows/{made['id']}/runs", json={}, headers=headers).raise_for_status().json()
        for _ in range(2)
    ]
    return {"workflow_id": made["id"], "version": 1, "run_id": runs[0]["run_id"], "other_run_id": runs[1]["run_id"]}


async def _end_and_ask(database_url: str, known: dict[str, Any]) -> UUID:
    """End one run, as no worker here will, and have the other one ask for an approval, whose id is given."""
    approval_id = new_id()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "UPDATE run SET status = 'failed', finished_at = now() WHERE id = $1", UUID(known["run_id"])
        )
        await connection.execute(
            """
            INSERT INTO approval (id, workspace_id, run_id, step, message, created_at)
            SELECT $1, workspace_id, id, 'ask', 'Go?', now() FROM run WHERE id = $2
            """,
            approval_id,
            UUID(known["other_run_id"]),
        )
    finally:
        await connection.close()
    return approval_id


def _test_operation(
    operation: Any,
    callers: dict[Role, dict[str, str]],
    known: dict[str, Any],
    examples: int,
    seen: dict[Role, Counter[int]],
) -> None:
    positive = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    negative = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @hypothesis.settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
    )
    @given(case=positive | negative, exists=st.booleans())
    def run(case: Any, exists: bool) -> None:
        if exists and case.meta.generation.mode.is_positive:
            case.path_parameters = {
                **case.path_parameters,
                **{k: v for k, v in known.items() if k in case.path_parameters},
            }
        for role, headers in callers.items():
            response = case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)
            seen[role][response.status_code] += 1

    run()
