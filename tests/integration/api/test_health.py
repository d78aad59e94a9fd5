import msgspec
import pytest
import structlog
from sqlalchemy import text

from app.auth.permissions import Role
from app.health.controllers import newest_revision
from cli.migrations import head
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, running

NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"
CALLS = [
    ("GET", "/v1/setup", None),
    ("POST", "/v1/auth/login", {"email": "a@example.com", "password": "correct horse"}),
    ("POST", "/v1/auth/refresh", {"refresh_token": "x"}),
]


@pytest.mark.without_faults("readiness tells of the very statement that failed")
async def test_the_process_is_alive_and_ready(api: Api) -> None:
    client = api.client()
    assert (await client.get("/health/live")).json() == {"status": "ok"}
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ready"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "postgres": "ok",
        "redis": "ok",
        "migrations": "ok",
    }


async def test_without_a_database_the_api_starts_says_so_and_answers_503(settings: Settings, clean_redis: str) -> None:
    async with running(msgspec.structs.replace(settings, database_url=NOWHERE)) as api:
        client = api.client()
        assert (await client.get("/health/live")).status_code == 200
        with structlog.testing.capture_logs() as logged:
            answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["postgres"]["status"] == "failed"
        assert answer.json()["checks"]["redis"]["status"] == "ok"
        # An open probe tells nobody where the database is; the log does.
        assert "127.0.0.1" not in answer.text
        told = {line["dependency"]: line["error"] for line in logged if line["event"] == "dependency_failed"}
        assert "127.0.0.1" in told["postgres"]
        assert "redis" not in told
        for method, path, body in CALLS:
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
            assert int(answer.headers["retry-after"]) >= 1


async def test_a_token_is_answered_with_503_while_the_database_is_away(api: Api, settings: Settings) -> None:
    caller = await api.sign_in()
    async with running(msgspec.structs.replace(settings, database_url=NOWHERE)) as cut_off:
        answer = await cut_off.client(caller.tokens["access_token"]).get("/v1/workflows")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


async def test_without_redis_the_api_says_so_and_goes_on(settings: Settings, clean_database: str) -> None:
    async with running(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1")) as api:
        answer = await api.client().get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["redis"]["status"] == "failed"
        caller = await api.sign_in()
        assert (await caller.client.get("/v1/workflows")).status_code == 200


async def test_connections_that_the_server_ended_are_answered_with_503_and_then_replaced(api: Api) -> None:
    caller = await api.sign_in()
    async with api.database.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flowforge-api'"
                " AND pid <> pg_backend_pid()"
            )
        )
    statuses = [(await caller.client.get("/v1/workflows")).status_code for _ in range(6)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


@pytest.mark.without_faults("readiness tells of the very statement that failed")
async def test_a_database_without_tables_is_told_to_be_migrated(
    settings: Settings, empty_database_url: str, database_url: str, api: Api
) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        answer = await api.client().get("/health/ready")
    finally:
        async with api.database.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head()})
    assert answer.status_code == 503
    assert "flowforge migrate" in answer.json()["checks"]["migrations"]["detail"]


@pytest.mark.without_faults("readiness tells of the very statement that failed")
async def test_a_database_of_the_next_release_is_served(api: Api) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        answer = await api.client().get("/health/ready")
    finally:
        async with api.database.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head()})
    assert answer.status_code == 200


def test_the_newest_revision_is_what_alembic_says() -> None:
    assert newest_revision() == head()


async def test_metrics_are_open_to_this_machine(api: Api) -> None:
    await api.client().get("/v1/setup")
    answer = await api.client().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    line = next(line for line in answer.text.splitlines() if line.startswith("flowforge_http_requests_total{"))
    for label in ("method", "route", "status"):
        assert f'{label}="' in line
    assert 'route="/v1/setup"' in answer.text


@pytest.mark.parametrize(
    ("address", "headers"), [("192.0.2.7", {}), ("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}), ("unix", {})]
)
async def test_metrics_ask_others_for_a_token(api: Api, address: str, headers: dict[str, str]) -> None:
    assert (await api.client(address=address).get("/metrics", headers=headers)).status_code == 401
    for role, status in ((Role.ADMIN, 200), (Role.EDITOR, 403)):
        caller = await api.sign_in(role)
        client = api.client(caller.tokens["access_token"], address=address)
        assert (await client.get("/metrics", headers=headers)).status_code == status
