"""Step types of installed packages, over a whole product: a good one, and everything that one can do wrong."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.step_packages import install_package
from tests.e2e.steps import define
from tests.product import ROOT, Product, clean_environment, run_command

EXAMPLE = ROOT / "docs" / "guides" / "example-step"
TROUBLE = """
import sys
from typing import Any, ClassVar
from msgspec import Struct
from engine.steps.base import ActionStep

class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    how: str

class Trouble(ActionStep):
    name: ClassVar = "trouble"
    title: ClassVar = "Trouble"
    icon: ClassVar = "x"
    Config: ClassVar = Config

    def check(self, config: Any) -> Any:
        if config.get("how") == "check":
            raise RuntimeError("lost my way")
        return ()

    async def run(self, config: Config, context: Any) -> Any:
        match config.how:
            case "raise":
                raise RuntimeError("broken")
            case "exit":
                sys.exit("enough")
            case "object":
                return {"it": object()}
        return {"it": ("is", "well")}

class Clash(Trouble):
    name: ClassVar = "http"
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example of the guide and a package of trouble installed in it."""
    folder = tmp_path_factory.mktemp("packages")
    install_package(EXAMPLE, folder / "installed", folder)
    project = folder / "trouble"
    (project / "trouble").mkdir(parents=True)
    (project / "trouble" / "__init__.py").write_text(TROUBLE)
    (project / "trouble" / "broken.py").write_text("import nothing_of_that_name\n")
    (project / "trouble" / "leaving.py").write_text("raise SystemExit('no licence')\n")
    points = {
        "trouble": "trouble:Trouble",
        "clash": "trouble:Clash",
        "broken": "trouble.broken:Step",
        "leaving": "trouble.leaving:Step",
    }
    lines = "".join(f'{name} = "{place}"\n' for name, place in points.items())
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "trouble"\nversion = "0.1"\n\n[project.entry-points."flowforge.steps"]\n{lines}'
    )
    install_package(project, folder / "installed", folder)
    return folder / "installed"


@pytest.fixture(scope="module")
def postbox() -> Iterator[Any]:
    """The mail server of the example's own tests."""
    spec = importlib.util.spec_from_file_location("postbox", EXAMPLE / "tests" / "postbox.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Postbox().running() as box:
        yield box


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory, packages: Path, postbox: Any) -> Iterator[Product]:
    """A product that finds both packages."""
    settings = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}",
        "SMTP_MAIL_URL": f"smtp://127.0.0.1:{postbox.port}",
        "SMTP_MAIL_FROM": "shop@c.example",
    }
    product = Product(tmp_path_factory.mktemp("extended") / "data", settings=settings)
    product.start()
    yield product
    assert product.stop() == 0


@pytest.fixture(scope="module")
def owner(extended: Product) -> Iterator[Client]:
    with closing(Client(extended.url)) as opened:
        yield opened.sign_in()


def validate(client: Client, definition: Any) -> Any:
    return client.http.post("/v1/workflows/validate", json=definition).raise_for_status().json()


def test_a_workflow_uses_the_step_type_of_a_package(owner: Client, postbox: Any) -> None:
    mail = {"to": "{{ input.to }}", "subject": "Order {{ input.n }}", "text": "It is on its way."}
    published = owner.publish(define({"id": "tell", "type": "smtp_mail", "with": mail}))
    run = owner.finish(published.id, {"input": {"to": ["ada@b.example"], "n": 17}})
    (step,) = run["steps"]
    assert (run["status"], step["status"]) == ("succeeded", "succeeded"), step["error"]
    assert step["output"]["accepted"] == ["ada@b.example"]
    (message,) = [message for message in postbox.messages if message["Subject"] == "Order 17"]
    assert message["Message-ID"] == step["output"]["message_id"]


def test_its_configuration_is_checked_like_that_of_any_other(owner: Client) -> None:
    mail = {"to": "nobody", "subject": "", "text": 5, "cc": "x"}
    answer = validate(owner, define({"id": "tell", "type": "smtp_mail", "with": mail}))
    told = {(error["pointer"].removeprefix("/steps/0/with"), error["code"]) for error in answer["errors"]}
    assert told == {
        ("/to", "invalid_address"),
        ("/subject", "too_short"),
        ("/text", "invalid_type"),
        ("/cc", "unknown_field"),
    }


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [("raise", "step_crashed", "broken"), ("exit", "step_crashed", "enough"), ("object", "invalid_output", "object")],
)
def test_a_step_that_breaks_fails_its_run_and_nothing_else(
    owner: Client, extended: Product, how: str, code: str, told: str
) -> None:
    workers = extended.run["workers"]
    published = owner.publish(define({"id": "a", "type": "trouble", "with": {"how": "{{ input.how }}"}}))
    run = owner.finish(published.id, {"input": {"how": how}})
    assert (run["status"], run["error"]["code"]) == ("failed", code)
    assert told in run["error"]["message"]
    well = owner.finish(published.id, {"input": {"how": "well"}})
    assert well["steps"][0]["output"] == {"it": ["is", "well"]}
    assert extended.run["workers"] == workers, "the worker lives on"


def test_a_check_that_breaks_is_a_fault_of_the_step(owner: Client) -> None:
    answer = validate(owner, define({"id": "a", "type": "trouble", "with": {"how": "check"}}))
    (error,) = answer["errors"]
    assert (error["pointer"], error["code"]) == ("/steps/0/with", "check_crashed")
    assert "lost my way" in error["message"]


def test_what_cannot_be_used_is_named_in_the_log_of_every_process(extended: Product, owner: Client) -> None:
    lines = [json.loads(line) for line in extended.output.splitlines() if '"step_type_' in line]
    refused = {(line["role"], line["entry_point"]): line for line in lines if line["message"] == "step_type_refused"}
    assert set(refused) == {(role, name) for role in ("api", "worker") for name in ("broken", "clash", "leaving")}
    assert "nothing_of_that_name" in refused["worker", "broken"]["error"]
    assert "'http' is taken" in refused["api", "clash"]["error"]
    assert refused["api", "leaving"]["package"] == "trouble 0.1"
    added = {line["entry_point"] for line in lines if line["message"] == "step_type_added"}
    assert added == {"smtp_mail", "trouble"}
    answer = validate(
        owner, define({"id": "a", "type": "http", "with": {"method": "GET", "url": "https://a.example/"}})
    )
    assert answer["valid"], "http is ours"


def test_runs_of_a_package_that_is_gone_can_be_read_and_fail_at_its_step(extended: Product, owner: Client) -> None:
    mail = {"to": "ada@b.example", "subject": "Farewell", "text": "Bye"}
    published = owner.publish(define({"id": "tell", "type": "smtp_mail", "with": mail}))
    before = owner.finish(published.id)
    assert extended.stop() == 0
    bare = Product(extended.folder)
    bare.start()
    try:
        with closing(Client(bare.url)) as client:
            client.sign_in()
            assert client.run(before["id"])["steps"][0]["output"]["accepted"] == ["ada@b.example"]
            run = client.finish(published.id)
            assert (run["status"], run["error"]["code"]) == ("failed", "unknown_step_type")
            assert run["steps"][0]["status"] == "failed"
    finally:
        assert bare.stop() == 0
        extended.start()


def test_doctor_names_what_packages_add(packages: Path, tmp_path: Path) -> None:
    answer = run_command(*("doctor", "--json", "--data-dir", str(tmp_path)), PYTHONPATH=f"{ROOT}{os.pathsep}{packages}")
    findings = [found for found in json.loads(answer.stdout)["findings"] if found["check"] == "step types"]
    assert [found["outcome"] for found in findings] == ["ok", "warn", "warn", "warn"]
    assert "smtp_mail (flowforge-smtp-mail 1.0.0)" in findings[0]["message"]
    assert all("trouble 0.1" in found["message"] for found in findings[1:])


def test_the_examples_own_tests_pass() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLE,
        env=clean_environment(PYTHONPATH=f"{ROOT}{os.pathsep}{EXAMPLE}"),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    assert " passed" in answer.stdout
