"""A running product, a target for its steps, and a signed-in client."""

import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing

import asyncpg
import httpx
import pytest

from tests.e2e.client import Client, Deliver, Published
from tests.e2e.database import Database
from tests.e2e.target import Target, TargetServer
from tests.product import Product

TOLD_CHARACTERS = 30_000
_UNFINISHED = """
SELECT run.id, run.status, run.owner, run.crashes, run.created_at, run.started_at, run.wake_at, now() AS now,
       (SELECT string_agg(kind, ' ' ORDER BY seq) FROM journal WHERE run_id = run.id) AS events
FROM run WHERE finished_at IS NULL ORDER BY id DESC LIMIT 20
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a test that fails, tell what its product said, and which runs it has under way."""
    report = yield
    product = getattr(item, "funcargs", {}).get("product")
    if call.when == "call" and report.failed and isinstance(product, Product):
        report.sections.append(("what the product said last", product.output[-TOLD_CHARACTERS:]))
        try:
            rows = Database(lambda: product.run["postgres"]["url"]).fetch(_UNFINISHED)
        except (OSError, KeyError, asyncpg.PostgresError) as error:
            rows = [{"error": repr(error)}]
        report.sections.append(("runs under way", "\n".join(str(row) for row in rows)))
    return report


@pytest.fixture(scope="session")
def target_server() -> Iterator[TargetServer]:
    """The server behind every `target`."""
    with TargetServer().running() as server:
        yield server


@pytest.fixture(scope="session")
def refusing_port() -> Iterator[int]:
    """A port that steps may call and where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def target(target_server: TargetServer) -> Iterator[Target]:
    """A target of the test's own."""
    corner = target_server.open_corner()
    yield corner
    corner.release_all()


@pytest.fixture(scope="session")
def allowed_targets(target_server: TargetServer, refusing_port: int) -> dict[str, str]:
    """The setting by which steps may call the target and the refusing port, and nothing else that is private."""
    return {"FLOWFORGE_HTTP_ALLOW_PRIVATE": f"127.0.0.1:{target_server.port},127.0.0.1:{refusing_port}"}


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str]) -> Iterator[Product]:
    """The product that all tests share which kill nothing. A module may have one of its own by this name."""
    settings = {**allowed_targets, "FLOWFORGE_HOOK_MAX_BODY": "200000"}
    running = Product(tmp_path_factory.mktemp("shared") / "data", settings=settings)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def start_product(
    tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str]
) -> Iterator[Callable[..., Product]]:
    """Start a product of the module's own, whose steps may call the target; it stops, in order, with the module."""
    with ExitStack() as stack:

        def start(*, workers: int = 1, settings: Mapping[str, str] | None = None) -> Product:
            folder = tmp_path_factory.mktemp("own") / "data"
            running = Product(folder, workers=workers, settings={**allowed_targets, **(settings or {})})
            stack.callback(assert_stops, running)
            running.start()
            return running

        yield start


def assert_stops(product: Product) -> None:
    assert product.stop() == 0


@pytest.fixture(scope="module")
def client(product: Product) -> Iterator[Client]:
    """The owner of the main workspace."""
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


@pytest.fixture(scope="module")
def anonymous(product: Product) -> Iterator[Client]:
    """Nobody in particular."""
    with closing(Client(product.url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def deliver(anonymous: Client) -> Deliver:
    """Send a body to a hook as somebody outside; headers are named with underscores."""

    def send(hook: str, body: bytes | str, **headers: str | bytes) -> httpx.Response:
        named = {name.replace("_", "-").encode(): _encode(value) for name, value in headers.items()}
        return anonymous.http.post(hook, content=body, headers={b"content-type": b"application/json", **named})

    return send


@pytest.fixture(scope="module")
def database(product: Product) -> Database:
    """The product's database."""
    return Database(lambda: product.run["postgres"]["url"])


@pytest.fixture(scope="module")
def stranger(product: Product, client: Client, database: Database) -> Iterator[Client]:
    """The owner of another workspace."""
    client.me()
    email = database.add_member(database.add_workspace(), "owner")
    with closing(Client(product.url)) as opened:
        yield opened.sign_in(email)


@pytest.fixture
def publish_workflow(client: Client) -> Callable[..., Published]:
    """Make and publish a workflow with a webhook trigger."""
    return client.publish


def _encode(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
