"""The secret key is rotated while the product runs, and nothing that is sealed is lost."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from engine.infra.secrets import key_id
from tests.e2e.client import Client, Deliver
from tests.e2e.database import Database
from tests.e2e.steps import define, http
from tests.e2e.target import Echo, Reply, Target
from tests.product import Product, run_command

NOBODY = 65534

_SEALED = """
SELECT wrapped_key AS s FROM connection
UNION ALL SELECT wrapped_key FROM connection_token WHERE wrapped_key IS NOT NULL
UNION ALL SELECT sealed_private_key FROM signing_key
UNION ALL SELECT secret FROM workflow_trigger WHERE secret IS NOT NULL
"""


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    return start_product(workers=2)


@pytest.fixture
def fresh(product: Product) -> Iterator[Client]:
    """Somebody who signs in with the product as it is now."""
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


@pytest.fixture(autouse=True)
def one_key(product: Product, database: Database) -> Iterator[None]:
    """Each test begins with one secret key: the others are forgotten behind it, whichever test comes next."""
    yield
    if len((product.folder / "secret.key").read_text().split()) > 1:
        age_answers(database)
        rekey(product, "--forget")


def age_answers(database: Database) -> None:
    """A day later, nothing that was kept to repeat an answer needs an older key."""
    database.fetch("UPDATE idempotency_key SET created_at = created_at - interval '25 hours'")


def connect(client: Client, name: str, kind: str = "bearer", **secret: str) -> str:
    body = {"name": name, "type": kind, "secret": secret or {"token": f"t0ken-0f-{name}"}}
    answer = client.http.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["location"]
    return path


def rekey(product: Product, *arguments: str) -> str:
    ended = run_command("rekey", "--data-dir", str(product.folder), *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr + ended.stdout


def key_ids(database: Database) -> set[bytes]:
    """The keys that anything is sealed by."""
    rows = database.fetch(_SEALED)
    return {bytes(row["s"])[1:9] for row in rows}


def test_what_runs_goes_on_under_the_new_key_and_the_old_one_is_forgotten(
    client: Client, product: Product, database: Database, target: Target, deliver: Deliver
) -> None:
    file = product.folder / "secret.key"
    connect(client, "first")
    oauth = {"token_url": f"{target.base}/token", "client_id": "c", "client_secret": "cl13nt-s3cret"}
    connect(client, "crm", "oauth2_client_credentials", **oauth)
    target.plan("/get", Echo())
    target.plan("/token", Reply(value={"access_token": "acc355-t0ken", "expires_in": 86_400}))
    steps: list[dict[str, Any]] = [
        http("get", f"{target.base}/get", with_={"connection": "first"}),
        http("call", f"{target.base}/call", with_={"connection": "crm"}),
    ]
    config = {"auth": {"type": "bearer", "secret": "w3bh00k-s3cret"}}
    workflow = client.publish(define(*steps), config=config)

    def works(name: str = "first") -> None:
        assert client.finish(workflow.id, {})["status"] == "succeeded"
        assert target.received("/get")[-1].headers["authorization"] == f"Bearer t0ken-0f-{name}"
        assert target.received("/call")[-1].headers["authorization"] == "Bearer acc355-t0ken"
        assert deliver(workflow.hook, "{}", authorization="Bearer w3bh00k-s3cret").status_code == 202

    works()
    repeat: dict[str, Any] = {"json": {"name": "Twice", "definition": {}}, "headers": {"idempotency-key": "0nce-0nly"}}
    made = client.http.post("/v1/workflows", **repeat).raise_for_status()
    (old,) = file.read_text().split()
    assert key_ids(database) == {key_id(old)}
    rekey(product)
    new, kept = file.read_text().split()
    assert kept == old
    assert new != old
    assert file.stat().st_mode & 0o777 == 0o600
    # The processes that run since before find the new key by themselves.
    assert key_ids(database) == {key_id(new)}
    works()
    connect(client, "second")
    assert key_ids(database) == {key_id(new)}
    # What was kept of a request under the old key tells its repetition from another one, and holds that key for a day.
    assert client.http.post("/v1/workflows", **repeat).content == made.content
    repeat["json"] = {"name": "Another", "definition": {}}
    assert client.http.post("/v1/workflows", **repeat).json()["code"] == "idempotency_key_reused"
    refused = run_command("rekey", "--data-dir", str(product.folder), "--forget")
    assert "try again within a day" in refused.stderr
    assert file.read_text().split() == [new, old]
    age_answers(database)
    rekey(product, "--forget")
    assert file.read_text().split() == [new]
    works()
    assert product.stop() == 0
    product.start()
    works()
    # The access token went along: nobody had to ask for another one.
    assert len(target.received("/token")) == 1


def test_a_second_rotation_is_one_more_key_and_an_unknown_one_stops_it(
    fresh: Client, product: Product, database: Database
) -> None:
    path = connect(fresh, "third")
    file = product.folder / "secret.key"
    before = file.read_text().split()
    if os.geteuid() == 0:
        os.chown(file, NOBODY, NOBODY)
    owner = file.stat().st_uid
    rekey(product)
    assert file.read_text().split()[1:] == before
    assert file.stat().st_uid == owner, "whom the product runs as can read it still"
    assert key_ids(database) == {key_id(file.read_text().split()[0])}
    assert fresh.http.get(path).status_code == 200
    row = database.fetch("SELECT id, wrapped_key FROM connection WHERE name = 'third'")[0]
    altered = row["wrapped_key"][:1] + bytes(8) + row["wrapped_key"][9:]
    database.fetch("UPDATE connection SET wrapped_key = $2 WHERE id = $1", row["id"], altered)
    ended = run_command("rekey", "--data-dir", str(product.folder), "--forget")
    assert ended.returncode == 2
    assert str(row["id"]) in ended.stderr
    assert len(file.read_text().split()) == 2
    database.fetch("UPDATE connection SET wrapped_key = $2 WHERE id = $1", row["id"], row["wrapped_key"])


def test_one_rotation_at_a_time(product: Product) -> None:
    file = product.folder / "secret.key"
    before = file.read_text()
    with (product.folder / "secret.key.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run_command("rekey", "--data-dir", str(product.folder))
    assert ended.returncode == 2
    assert "another `rekey` is at work" in ended.stderr
    assert file.read_text() == before
