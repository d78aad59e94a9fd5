"""Steps that use connections, with two workers: targets get the credentials, and nobody else ever sees them."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.authorization_server import CLIENT_SECRET, AuthorizationServer
from tests.e2e.client import Client, Frame, step_of
from tests.e2e.database import Database
from tests.e2e.leaks import Search, find_leaks
from tests.e2e.steps import ONCE, define, foreach, http, of_type, transform
from tests.e2e.target import Echo, Reply, Target, TargetServer
from tests.product import Product

Make = Callable[..., str]
SIGNED_IN = "oauth2_authorization_code"


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product], target_server: TargetServer) -> Product:
    settings = {
        # The target collects traces as well.
        "FLOWFORGE_OTLP_ENDPOINT": f"http://127.0.0.1:{target_server.port}/collector",
        "FLOWFORGE_LOG_LEVEL": "debug",
        "FLOWFORGE_TRACE_SAMPLE_RATIO": "1",
        # The target by any of its names.
        "FLOWFORGE_HTTP_ALLOW_PRIVATE": "127.0.0.0/8",
    }
    return start_product(workers=2, settings=settings)


@pytest.fixture(scope="module")
def accounts(product: Product) -> Iterator[AuthorizationServer]:
    """The other system, at which people sign in for connections."""
    with AuthorizationServer().running() as server:
        server.protocol.redirect_uris = {f"{product.url}/v1/connections/oauth/callback"}
        yield server


@pytest.fixture
def search(client: Client, product: Product, database: Database, target_server: TargetServer) -> Search:
    return Search(client, product, database, target_server)


@pytest.fixture
def make(client: Client) -> Iterator[Make]:
    """Make a connection; its path. It goes with the test."""
    paths = []

    def make_connection(name: str, kind: str, secret: dict[str, Any], **more: Any) -> str:
        body = {"name": name, "type": kind, "secret": secret, **more}
        answer = client.http.post("/v1/connections", json=body)
        assert answer.status_code == 201, answer.text
        paths.append(answer.headers["location"])
        return paths[-1]

    yield make_connection
    for path in paths:
        client.http.delete(path, params={"force": "true"})


def call(step_id: str, url: str, connection: str, **more: Any) -> dict[str, Any]:
    return http(step_id, url, with_={"connection": connection, **more.pop("with_", {})}, **more)


def finish(client: Client, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return client.finish(client.publish(define(*steps, **more)).id, {})


KINDS: list[tuple[str, dict[str, Any], dict[str, str], list[str]]] = [
    (
        "basic",
        {"username": "ann", "password": 'pa55/w0rd+"ü" &more'},
        {"authorization": "Basic " + base64.b64encode('ann:pa55/w0rd+"ü" &more'.encode()).decode()},
        ['pa55/w0rd+"ü" &more', 'ann:pa55/w0rd+"ü" &more'],
    ),
    ("bearer", {"token": "b34r3r/t0ken=="}, {"authorization": "Bearer b34r3r/t0ken=="}, ["b34r3r/t0ken=="]),
    (
        "api_key",
        {"header": "X-Api-Key", "value": "k3y of.the-shop"},
        {"x-api-key": "k3y of.the-shop"},
        ["k3y of.the-shop"],
    ),
    (
        "custom_headers",
        {"headers": {"X-One": "f1rst-0ne", "Cookie": "session=s3ss10n-c00kie"}},
        {"x-one": "f1rst-0ne", "cookie": "session=s3ss10n-c00kie"},
        ["f1rst-0ne", "session=s3ss10n-c00kie"],
    ),
]


@pytest.mark.parametrize(("kind", "secret", "headers", "secrets"), KINDS, ids=[kind[0] for kind in KINDS])
def test_a_target_gets_the_credentials_and_what_it_echoes_is_nowhere(
    client: Client,
    search: Search,
    target: Target,
    make: Make,
    kind: str,
    secret: dict[str, Any],
    headers: dict[str, str],
    secrets: list[str],
) -> None:
    make("shop", kind, secret)
    types = {"json": "application/json", "text": "text/html", "bytes": "application/octet-stream", "none": ""}
    for name, content_type in types.items():
        target.plan(f"/{name}", Echo(content_type=content_type or "application/x-unknown"))
    target.plan("/refused", Echo(status=403))
    target.plan("/broken", Echo(status=503))
    target.plan(
        "/no-json", Reply(raw=f"{{not json {secrets[0]}".encode(), headers={"content-type": "application/json"})
    )
    # The secret stands where the beginning of the body is cut off.
    target.plan(
        "/cut", Reply(status=500, raw=b"x" * 1_995 + secrets[0].encode(), headers={"content-type": "text/plain"})
    )
    target.plan("/large", Reply(value=[*["y" * 1000] * 900, secrets[0], {secrets[0]: 1}]))
    good = [call(name, f"{target.base}/{name}", "shop") for name in (*types, "large")]
    bad = [
        call(name.replace("-", "_"), f"{target.base}/{name}", "shop", retry=ONCE)
        for name in ("refused", "broken", "no-json", "cut")
    ]
    told = [
        transform(f"{step['id']}_told", after=[f"{step['id']}.error"], error=f"{{{{ steps.{step['id']}.error }}}}")
        for step in bad
    ]
    live: list[Frame] = []
    with client.stream("/v1/stream") as frames:
        run = finish(client, *good, *bad, *told)
        while not live or (live[-1].event, live[-1].data.get("run_id")) != ("run.succeeded", run["id"]):
            live.append(next(frames))
    assert run["status"] == "succeeded", run
    for path in types:
        (received,) = target.received(f"/{path}")
        assert headers.items() <= received.headers.items()
    assert step_of(run, "json")["output"]["body"]["headers"]["Accept"] == "*/*"
    assert "[redacted]" in json.dumps(step_of(run, "json")["output"])
    assert base64.b64decode(step_of(run, "bytes")["output"]["body"]["base64"]).count(b"[redacted]") >= 2
    assert step_of(run, "refused")["error"]["details"]["body"].count("[redacted]") >= 2
    assert step_of(run, "cut")["error"]["details"]["body"] == "x" * 1_995 + "[reda"
    payload = step_of(run, "large")["output"]
    large = client.http.get(f"/v1/runs/{run['id']}/payloads/{payload['ref']}").text
    assert large.count("[redacted]") == 2
    assert find_leaks(large, secrets) == []
    assert search.find(run, secrets, received.trace_id, live) == []


def test_the_search_finds_what_is_no_secret_wherever_it_looks(
    client: Client, search: Search, target: Target, make: Make
) -> None:
    make("shop", "bearer", {"token": "t0ken"})
    target.plan("/get", Echo())
    live: list[Frame] = []
    with client.stream("/v1/stream") as frames:
        run = finish(client, call("get_m4rker", f"{target.base}/get", "shop"))
        # Logs name requests that are refused by what their callers call them.
        assert client.http.get("/v1/vars/nothing", headers={"x-request-id": "get_m4rker"}).status_code == 404
        while not live or live[-1].data.get("run_id") != run["id"]:
            live.append(next(frames))
    found = search.find(run, [run["id"], "get_m4rker"], target.received("/get")[0].trace_id, live)
    places = {line.partition(":")[0] for line in found}
    streams = {"stream of the run", "stream of the workspace"}
    kept = {"log", "traces", "journal", "run", "workflow_version", "GET /v1/runs", "GET /v1/runs/{run_id}/events"}
    assert streams | kept <= places
    assert [place for place in places if place.startswith("postgres")], places


def test_a_changed_secret_is_used_by_a_run_that_waited(client: Client, target: Target, make: Make) -> None:
    path = make("shop", "bearer", {"token": "0ld-t0ken"})
    target.plan("/first", Echo())
    target.plan("/second", Echo())
    steps = [
        call("first", f"{target.base}/first", "shop"),
        of_type("wait", "pause", {"signal": "go"}, after=["first"]),
        call("second", f"{target.base}/second", "shop", after=["pause"]),
    ]
    run_id = client.start(client.publish(define(*steps)).id)
    client.wait_for_status(run_id, "waiting")
    client.http.patch(path, json={"secret": {"token": "n3w-t0ken"}}).raise_for_status()
    client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).raise_for_status()
    assert client.wait_for_end(run_id)["status"] == "succeeded"
    used = [target.received(place)[0].headers["authorization"] for place in ("/first", "/second")]
    assert used == ["Bearer 0ld-t0ken", "Bearer n3w-t0ken"]


def test_every_attempt_after_a_change_uses_the_new_secret(client: Client, target: Target, make: Make) -> None:
    path = make("shop", "bearer", {"token": "t0ken-0"})
    target.plan("/get", Echo())
    workflow = client.publish(define(foreach("each", "[1, 2, 3]", call("get", f"{target.base}/get", "shop")))).id
    for number in range(1, 6):
        client.http.patch(path, json={"secret": {"token": f"t0ken-{number}"}}).raise_for_status()
        assert client.finish(workflow, {})["status"] == "succeeded"
        used = {request.headers["authorization"] for request in target.received("/get")[-3:]}
        assert used == {f"Bearer t0ken-{number}"}


def test_credentials_go_to_no_host_but_those_that_are_allowed(client: Client, target: Target, make: Make) -> None:
    path = make("shop", "bearer", {"token": "0nly-f0r-them"}, allowed_hosts=["api.example.com", "*.shop.example"])
    step = call("get", f"{target.base}/get", "shop", retry=ONCE)
    workflow = client.publish(define(step)).id
    failed = step_of(client.finish(workflow, {}), "get")
    assert failed["error"]["code"] == "host_not_allowed"
    assert "api.example.com, *.shop.example" in failed["error"]["message"]
    assert target.received() == []
    client.http.patch(path, json={"allowed_hosts": ["127.0.0.1"]}).raise_for_status()
    assert client.finish(workflow, {})["status"] == "succeeded"
    assert target.received("/get")[0].headers["authorization"] == "Bearer 0nly-f0r-them"


def test_a_redirect_to_another_origin_goes_without_credentials(client: Client, target: Target, make: Make) -> None:
    make("shop", "api_key", {"header": "X-Key", "value": "st4ys-at-h0me"}, allowed_hosts=["127.0.0.1"])
    # The same server by another name is another origin.
    elsewhere = target.base.replace("127.0.0.1", "localhost") + "/there"
    target.plan("/here", Reply(status=302, headers={"location": f"{target.base}/near"}))
    target.plan("/near", Reply(status=302, headers={"location": elsewhere}))
    assert finish(client, call("get", f"{target.base}/here", "shop", retry=ONCE))["status"] == "succeeded"
    assert [request.headers.get("x-key") for request in target.received("/here")] == ["st4ys-at-h0me"]
    assert [request.headers.get("x-key") for request in target.received("/near")] == ["st4ys-at-h0me"]
    assert [request.headers.get("x-key") for request in target.received("/there")] == [None]


def test_a_connection_that_is_gone_fails_the_step_and_says_so(client: Client, target: Target, make: Make) -> None:
    path = make("gone", "bearer", {"token": "t0ken"})
    workflow = client.publish(define(call("get", f"{target.base}/get", "gone"))).id
    client.http.delete(path, params={"force": "true"}).raise_for_status()
    failed = step_of(client.finish(workflow, {}), "get")
    assert (failed["status"], failed["error"]["code"], len(failed["attempts"])) == ("failed", "unknown_connection", 1)
    assert target.received() == []


def test_a_connection_is_named_by_an_expression(client: Client, target: Target, make: Make) -> None:
    make("eu", "bearer", {"token": "t0ken-eu"})
    make("us", "bearer", {"token": "t0ken-us"})
    target.plan("/get", Echo())
    steps = [foreach("each", "['eu', 'us']", call("get", f"{target.base}/get", "{{ item }}"))]
    assert finish(client, *steps)["status"] == "succeeded"
    used = {request.headers["authorization"] for request in target.received("/get")}
    assert used == {"Bearer t0ken-eu", "Bearer t0ken-us"}


def test_a_secret_that_is_a_word_of_the_output_renames_nothing_of_it(
    client: Client, target: Target, make: Make
) -> None:
    make("words", "basic", {"username": "status", "password": "body"})
    target.plan("/get", Reply(value={"body": "status"}))
    output = step_of(finish(client, call("get", f"{target.base}/get", "words")), "get")["output"]
    assert set(output) == {"status", "headers", "body", "elapsed_ms"}
    assert output["body"] == {"[redacted]": "[redacted]"}


def make_client(make: Make, target: Target, **more: Any) -> str:
    secret = {"token_url": f"{target.base}/token", "client_id": "cl13nt", "client_secret": "cl13nt-s3cret", **more}
    return make("crm", "oauth2_client_credentials", secret)


def test_an_oauth_client_gets_one_token_for_many_attempts_of_a_worker(
    client: Client, search: Search, target: Target, make: Make
) -> None:
    make_client(make, target, scope="orders:read")
    token = {"access_token": "acc355-t0ken", "token_type": "Bearer", "expires_in": 3600}
    target.plan("/token", Reply(value=token, delay=0.2))
    target.plan("/get", Echo())
    run = finish(client, foreach("each", str([*range(20)]), call("get", f"{target.base}/get", "crm")))
    assert run["status"] == "succeeded", run
    assert {request.headers["authorization"] for request in target.received("/get")} == {"Bearer acc355-t0ken"}
    assert len(target.received("/get")) == 20
    # The run is driven by one worker.
    (asked,) = target.received("/token")
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"cl13nt:cl13nt-s3cret").decode()
    assert httpx.QueryParams(asked.body.decode()).multi_items() == [
        ("grant_type", "client_credentials"),
        ("scope", "orders:read"),
    ]
    trace_id = target.received("/get")[0].trace_id
    assert search.find(run, ["cl13nt-s3cret", "acc355-t0ken"], trace_id) == []


def test_a_token_that_is_about_to_end_is_asked_for_anew(client: Client, target: Target, make: Make) -> None:
    make_client(make, target, client_auth="post")
    tokens = [Reply(value={"access_token": f"t0ken-{number}", "expires_in": 0}) for number in (1, 2)]
    target.plan("/token", *tokens)
    target.plan("/get", Echo())
    steps = [call("a", f"{target.base}/get", "crm"), call("b", f"{target.base}/get", "crm", after=["a"])]
    assert finish(client, *steps)["status"] == "succeeded"
    assert [request.headers["authorization"] for request in target.received("/get")] == [
        "Bearer t0ken-1",
        "Bearer t0ken-2",
    ]
    asked = httpx.QueryParams(target.received("/token")[0].body.decode())
    assert (asked["client_id"], asked["client_secret"]) == ("cl13nt", "cl13nt-s3cret")


def test_a_token_that_a_target_refuses_is_replaced_at_the_next_attempt(
    client: Client, target: Target, make: Make
) -> None:
    make_client(make, target)
    target.plan("/token", *[Reply(value={"access_token": f"t0ken-{number}", "expires_in": 3600}) for number in (1, 2)])
    target.plan("/get", Reply(), Echo(status=401), Echo())
    retry = {"max_attempts": 2, "initial": 0.01, "jitter": False}
    steps = [call("a", f"{target.base}/get", "crm"), call("b", f"{target.base}/get", "crm", after=["a"], retry=retry)]
    run = finish(client, *steps)
    assert run["status"] == "succeeded", run
    used = [request.headers["authorization"] for request in target.received("/get")]
    assert used == ["Bearer t0ken-1", "Bearer t0ken-1", "Bearer t0ken-2"]


def test_what_a_token_endpoint_says_is_told_without_the_secret(client: Client, target: Target, make: Make) -> None:
    make_client(make, target)
    told = {"error": "invalid_client", "error_description": "cl13nt-s3cret is wrong"}
    target.plan("/token", Reply(status=401, value=told))
    failed = step_of(finish(client, call("get", f"{target.base}/get", "crm", retry=ONCE)), "get")
    assert failed["error"]["code"] == "token_refused"
    assert "401 (invalid_client: [redacted] is wrong)" in failed["error"]["message"]
    assert target.received("/get") == []


def sign_in(client: Client, path: str) -> dict[str, Any]:
    """Sign in as a browser does; how the connection stands then."""
    begun = client.http.post(f"{path}/authorize")
    assert begun.status_code == 200, begun.text
    # Another site: it gets no cookie and no token of ours.
    back = httpx.get(begun.json()["url"]).headers["location"]
    ended = client.http.get(back)
    assert (ended.status_code, ended.headers["location"].rpartition("&")[2]) == (303, "authorization=granted")
    state: dict[str, Any] = client.read(path)["authorization"]
    return state


def test_a_sign_in_serves_runs_of_all_workers_and_its_tokens_are_nowhere(
    client: Client, search: Search, accounts: AuthorizationServer, make: Make
) -> None:
    path = make("crm", SIGNED_IN, accounts.secret, allowed_hosts=["127.0.0.1"])
    asked, called = len(accounts.asked), len(accounts.called)
    assert sign_in(client, path)["status"] == "granted"
    step = foreach("each", "[1, 2, 3]", call("get", f"{accounts.base}/orders", "crm"))
    workflow = client.publish(define(step)).id
    assert client.finish(workflow, {})["status"] == "succeeded"
    # All runs find that the token has ended.
    search.database.fetch("UPDATE connection_token SET usable_until = now(), expires_at = now()")
    runs = [client.wait_for_end(run_id) for run_id in [client.start(workflow) for _ in range(10)]]
    assert {run["status"] for run in runs} == {"succeeded"}
    assert accounts.grants_asked()[asked:] == ["authorization_code", "refresh_token"]
    assert (len(set(accounts.called[called:])), accounts.protocol.reuses) == (2, 0)
    assert search.find(runs[-1], [CLIENT_SECRET, *accounts.tokens]) == []


def test_a_sign_in_that_was_withdrawn_is_told_and_another_one_lets_the_run_go_on(
    client: Client, accounts: AuthorizationServer, make: Make
) -> None:
    path = make("crm", SIGNED_IN, accounts.secret)
    sign_in(client, path)
    retry = {"max_attempts": 4, "initial": 0.01, "jitter": False}
    workflow = client.publish(define(call("get", f"{accounts.base}/orders", "crm", retry=retry))).id
    assert client.finish(workflow, {})["status"] == "succeeded"
    accounts.revoke_all()
    run = client.finish(workflow, {})
    failed = step_of(run, "get")
    # 401 has the token replaced, once; that is refused, and nothing is left to try.
    assert [attempt["error"]["code"] for attempt in failed["attempts"]] == [
        "http_status",
        "connection_needs_authorization",
    ]
    assert "invalid_grant" in failed["error"]["message"]
    (shown,) = [item for item in client.read("/v1/connections")["items"] if item["name"] == "crm"]
    assert (shown["authorization"]["status"], shown["authorization"]["reason"]) == ("needed", "refused")
    asked = len(accounts.asked)
    assert step_of(client.finish(workflow, {}), "get")["error"]["code"] == "connection_needs_authorization"
    assert len(accounts.asked) == asked
    assert sign_in(client, path)["status"] == "granted"
    client.http.post(f"/v1/runs/{run['id']}/retry").raise_for_status()
    assert client.wait_for_status(run["id"], "succeeded")["attempt"] == 2


def test_a_connection_that_nobody_has_signed_in_for_calls_nobody(
    client: Client, accounts: AuthorizationServer, make: Make
) -> None:
    make("crm", SIGNED_IN, accounts.secret)
    called = len(accounts.called)
    failed = step_of(finish(client, call("get", f"{accounts.base}/orders", "crm")), "get")
    assert (failed["error"]["code"], len(failed["attempts"])) == ("connection_needs_authorization", 1)
    assert "nobody has signed in with it yet; sign in" in failed["error"]["message"]
    assert len(accounts.called) == called
