import gzip
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from msgspec.structs import replace

from app.bodies import SMALL_BODY_BYTES
from app.main import MAX_BODY_BYTES
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.histories import Histories, queued, started
from tests.integration.api.journals import BROKEN, CHAIN

JSON = {"content-type": "application/json"}
DEEP = b"[" * 2000 + b"]" * 2000


def _is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    problem = answer.json()
    return (
        answer.status_code == problem["status"] == status
        and problem["code"] == code
        and answer.headers["content-type"] == "application/problem+json"
        and problem["request_id"] == answer.headers["x-request-id"]
        and {"type", "title", "detail"} <= set(problem)
    )


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"name": "x", "definition": ' + DEEP + b"}",
        b'{"name": "x", "definition": {"steps": ' + b"[" * 70 + b"]" * 70 + b"}}",
        b"[" * 200_000,
        b"{",
        b"\xff\xfe",
        b'{"name": "\xff", "definition": {}}',
        b'{"name": "x", "definition": {"a": "\xff"}}',
        b'{"name": "\\ud800", "definition": {}}',
        b'{"name": "x", "definition": {"a": "\\ud800"}}',
        b'{"name": "x", "definition": {"a": 1e400}}',
        b'{"name": "x", "definition": {"a": NaN}}',
        b'{"name": "x", "definition": {"a": 1,}}',
        b'{"name": "x"} {}',
        b"\x00",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_no_json_is_refused(owner: Caller, body: bytes) -> None:
    for path in ("/v1/workflows", "/v1/workflows/validate"):
        answer = await owner.client.post(path, content=body, headers=JSON)
        assert _is_problem(answer, 400, "malformed_body"), answer.text


async def test_sixty_levels_of_nesting_are_fine(owner: Caller) -> None:
    body = b'{"name": "x", "definition": {"ui": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}}"
    assert (await owner.client.post("/v1/workflows", content=body, headers=JSON)).status_code == 201


async def test_brackets_in_strings_are_no_nesting(owner: Caller) -> None:
    body = b'{"name": "x", "definition": {"ui": {"a": "' + b'[{\\"\\\\' * 500 + b'"}}}'
    assert (await owner.client.post("/v1/workflows", content=body, headers=JSON)).status_code == 201


async def test_wide_documents_are_no_nesting(owner: Caller) -> None:
    body = b'{"name": "x", "definition": {"ui": {"a": [' + b"{}," * 5000 + b"{}]}}}"
    assert (await owner.client.post("/v1/workflows", content=body, headers=JSON)).status_code == 201


@pytest.mark.parametrize("name", ["nul\x00", "\x1b[31m", "", " \t ", "x" * 201, "line\nbreak", "end\n", "\x7f"])
async def test_a_name_that_cannot_be_shown_is_refused(owner: Caller, name: str) -> None:
    answer = await owner.client.post("/v1/workflows", json={"name": name, "definition": {}})
    assert _is_problem(answer, 400, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]


@pytest.mark.parametrize(
    "name", ["Zażółć gęślą jaźń", "工作流程", "🚀", "a" * 200, "'; DROP TABLE workflow; --", "${jndi:x}"]
)
async def test_any_other_name_is_kept_as_it_is(owner: Caller, name: str) -> None:
    answer = await owner.client.post("/v1/workflows", json={"name": name, "definition": {}})
    assert (answer.status_code, answer.json()["name"]) == (201, name)


async def test_integers_of_any_size_are_fine_in_a_definition(owner: Caller) -> None:
    definition = {"ui": {"n": 10**400}}
    answer = await owner.client.post("/v1/workflows", json={"name": "x", "definition": definition})
    assert (answer.status_code, answer.json()["definition"]) == (201, definition)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "",
        "*/*",
    ],
)
async def test_a_body_of_another_type_is_refused(owner: Caller, content_type: str) -> None:
    answer = await owner.client.post(
        "/v1/workflows", content=b'{"name": "x", "definition": {}}', headers={"content-type": content_type}
    )
    assert _is_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"]
)
async def test_json_by_another_spelling_is_taken(owner: Caller, content_type: str) -> None:
    answer = await owner.client.post(
        "/v1/workflows", content=b'{"name": "x", "definition": {}}', headers={"content-type": content_type}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_a_compressed_body_is_refused(owner: Caller, encoding: str) -> None:
    body = gzip.compress(b'{"name": "x", "definition": {}}')
    answer = await owner.client.post("/v1/workflows", content=body, headers={**JSON, "content-encoding": encoding})
    assert _is_problem(answer, 415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_refused(owner: Caller) -> None:
    body = b'{"name": "x", "definition": {"ui": {"a": "' + b"x" * MAX_BODY_BYTES + b'"}}}'
    assert _is_problem(await owner.client.post("/v1/workflows", content=body, headers=JSON), 413, "payload_too_large")


@pytest.mark.parametrize(
    "path", ["/v1/auth/login", "/v1/auth/refresh", "/v1/setup", "/v1/invitations/read", "/v1/invitations/accept"]
)
async def test_a_stranger_sends_small_bodies_alone(anonymous: httpx.AsyncClient, path: str) -> None:
    answer = await anonymous.post(path, content=b'{"' + b"x" * SMALL_BODY_BYTES + b'": 1}', headers=JSON)
    assert _is_problem(answer, 413, "payload_too_large")


async def test_a_body_over_the_limit_without_a_length_is_refused_before_its_end(owner: Caller) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    answer = await owner.client.post("/v1/workflows", content=endless(), headers=JSON)
    assert _is_problem(answer, 413, "payload_too_large")
    assert sent <= MAX_BODY_BYTES + 2 * 65_536


async def test_a_missing_body_is_refused(owner: Caller) -> None:
    answer = await owner.client.post("/v1/workflows", headers=JSON)
    assert _is_problem(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/nothing", "/V1/workflows", "/v1/../etc/passwd", "/%00", "/v1/workflows/x/y/z"]
)
async def test_an_unknown_path_is_a_problem(anonymous: httpx.AsyncClient, path: str) -> None:
    assert _is_problem(await anonymous.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "PROPFIND", "X" * 50])
async def test_an_unknown_method_is_a_problem_that_names_the_known_ones(owner: Caller, method: str) -> None:
    answer = await owner.client.request(method, "/v1/workflows")
    assert _is_problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "value",
    [DEEP, b"[" * 70 + b"]" * 70, b"1e400", b"-1e400", b"NaN", b'"\xff"', b'"\\ud800"', b"{", b"1,", b"'x'", b"01"],
    ids=lambda value: repr(value[:20]),
)
async def test_a_value_that_is_no_json_is_no_input_payload_or_comment(
    owner: Caller, clean_database: str, value: bytes
) -> None:
    histories = Histories(clean_database, owner)
    failed = await histories.keep(CHAIN, BROKEN, status="failed")
    waiting = await histories.keep(CHAIN, [queued(), started()], status="waiting")
    for path, body in (
        (f"runs/{failed}/rerun", b'{"input": %s}'),
        (f"runs/{waiting}/signal", b'{"name": "go", "payload": %s}'),
        ("runs/bulk", b'{"action": "rerun", "filter": {"q": %s}}'),
        (f"approvals/{UUID(int=7)}", b'{"decision": "approved", "comment": %s}'),
    ):
        answer = await owner.client.post(f"/v1/{path}", content=body % value, headers=JSON)
        # A number that is too large is a fault of its field.
        code = "invalid_request" if b"e400" in value else "malformed_body"
        assert _is_problem(answer, 400, code), (path, answer.text)
    assert len((await histories.read("/v1/runs"))["items"]) == 2


HOSTILE: list[Any] = [
    None,
    [],
    {},
    "",
    "x",
    0,
    -1,
    1.5,
    True,
    "\x00",
    "😀",
    "%s" * 100,
    {"": None},
    [[[]]],
    "9" * 400,
    10**400,
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
async def test_any_value_in_any_field_of_the_calls_that_steer_runs_is_taken_or_refused(
    owner: Caller, clean_database: str, value: Any
) -> None:
    histories = Histories(clean_database, owner)
    failed = await histories.keep(CHAIN, BROKEN, status="failed")
    waiting = await histories.keep(CHAIN, [queued(), started()], status="waiting")
    run = {"action": "rerun", "filter": {"ids": [failed]}}
    bodies: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        (f"runs/{failed}/rerun", {}, ("input", "version", "from_step")),
        (f"runs/{waiting}/signal", {"name": "go"}, ("name", "payload")),
        ("runs/bulk", run, ("action", "filter", "dry_run", "cursor")),
        (f"approvals/{UUID(int=7)}", {"decision": "approved"}, ("decision", "comment")),
    ]
    for path, body, names in bodies:
        for name in names:
            answer = await owner.client.post(f"/v1/{path}", json={**body, name: value})
            assert answer.status_code in (200, 202, 400, 404), (path, name, answer.text)
    for name in ("ids", "workflow_id", "status", "trigger_type", "since", "until", "q"):
        answer = await owner.client.post("/v1/runs/bulk", json={**run, "filter": {name: value}})
        assert answer.status_code in (200, 400), (name, answer.text)
        # By whatever is no list of runs, the run here is not meant.
        assert answer.status_code == 400 or answer.json()["matched"] == 0, (name, answer.text)
    for name in ("status", "run_id", "cursor", "limit"):
        answer = await owner.client.get("/v1/approvals", params={name: str(value)})
        assert answer.status_code in (200, 400), (name, answer.text)
    for path in ("runs/{}/retry", "runs/{}/rerun", "runs/{}/signal", "approvals/{}"):
        answer = await owner.client.post("/v1/" + path.format(quote(str(value), safe="")), json={})
        assert answer.status_code in (400, 404, 405), (path, answer.text)


def _headers(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    for name in ("x-content-type-options", "referrer-policy", "x-frame-options", "cache-control"):
        yield name, answer.headers[name]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/workflows", 401),
        ("GET", "/v1/setup", 200),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1", 404),
        ("PUT", "/v1/setup", 405),
    ],
)
async def test_every_answer_carries_the_security_headers(
    anonymous: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await anonymous.request(method, path)
    assert answer.status_code == status
    assert dict(_headers(answer)) == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.without_faults("they are refused where the public address is not this machine's own")
async def test_who_is_reached_over_tls_tells_browsers_to_come_so_alone(
    settings: Settings, clean_database: str, clean_redis: str, anonymous: httpx.AsyncClient
) -> None:
    paths = ("/", "/v1/setup", "/v1/nothing", "/v1/workflows", "/v1/hooks/x", "/health/live", "/docs/api")
    strict = "max-age=31536000; includeSubDomains"
    for path in paths:
        assert "strict-transport-security" not in (await anonymous.get(path)).headers, path
        # As the server has it from a proxy that is trusted.
        answer = await anonymous.get(f"https://flowforge.test{path}")
        assert answer.headers["strict-transport-security"] == strict, path
    async with running(replace(settings, public_url="https://flowforge.example")) as api:
        for path in paths:
            assert (await api.client().get(path)).headers["strict-transport-security"] == strict, path


async def test_an_object_of_a_great_many_keys_is_refused_wherever_it_stands(owner: Caller) -> None:
    def wide(keys: int) -> dict[str, int]:
        return {f"k{number}": 0 for number in range(keys)}

    for keys, status in ((10_000, 201), (10_001, 400)):
        definition = {"ui": {"a": [wide(6_000), {"b": wide(keys)}]}}
        answer = await owner.client.post("/v1/workflows", json={"name": "x", "definition": definition})
        assert answer.status_code == status, answer.text
    assert _is_problem(answer, 400, "malformed_body")
    assert "10,000 keys" in answer.json()["detail"]


async def test_a_sane_request_id_is_kept(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/v1/setup", headers={"x-request-id": "client-7.a_B"})
    assert answer.headers["x-request-id"] == "client-7.a_B"


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "<script>", "a\tb"])
async def test_another_request_id_is_replaced(anonymous: httpx.AsyncClient, request_id: str) -> None:
    answer = await anonymous.get("/v1/setup", headers={"x-request-id": request_id})
    assert answer.headers["x-request-id"] not in ("", request_id)


@pytest.mark.without_faults("it provokes a 500, which is none of theirs")
async def test_an_unexpected_fault_tells_the_request_id_and_nothing_else(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: Any, **_named: Any) -> None:
        raise ZeroDivisionError("secret internals")

    monkeypatch.setattr(api.app.state.identity, "describe", fail)
    answer = await owner.client.get("/v1/auth/me")
    assert _is_problem(answer, 500, "internal_error")
    assert "secret internals" not in answer.text
    assert "ZeroDivisionError" not in answer.text
