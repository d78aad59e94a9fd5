"""`./flowforge demo` as a person tries it: a product, a target, and every workflow run for real."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from cli.servers.ports import find_free_port
from tests.e2e.client import OWNER, PASSWORD, Client
from tests.product import Product, clean_environment

RESULT = re.compile(
    r"^  \S (?P<status>\w+)  (?P<workflow>[\w-]+) +(?P<took>[\d.]+ \w+)  (?P<output>.*)\n    run (?P<id>\S+)$",
    re.MULTILINE,
)
COMMAND = [sys.executable, "-m", "cli.main", "demo"]


class Visitor:
    """Somebody who tries the demo, with a data and a configuration folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.environment = clean_environment(XDG_CONFIG_HOME=str(folder / "config"))
        self.ports = [find_free_port(), find_free_port(), find_free_port()]

    def arguments(self, target: int, *more: str) -> list[str]:
        return ["--data-dir", str(self.data), "--port", str(self.ports[0]), "--target-port", str(target), *more]

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **extra}
        return subprocess.run(
            [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=100, check=False
        )

    @contextmanager
    def going(self, *arguments: str, **extra: str) -> Iterator["Going"]:
        with subprocess.Popen(
            [*COMMAND, *arguments],
            env={**self.environment, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Going(process)
            finally:
                if process.poll() is None:
                    process.terminate()

    def processes(self) -> list[str]:
        """Everything that runs on the data folder."""
        answer = subprocess.run(["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True)
        return [line for line in answer.stdout.splitlines() if str(self.data) in line]


class Going:
    """A demo under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def read_until(self, text: str) -> str:
        """All that it tells up to the line with this text."""
        told = ""
        for line in self._told:
            told += line
            if text in line:
                return told
        raise AssertionError(f"no {text!r} in:\n{told}")

    def press_ctrl_c(self) -> tuple[int, str, str]:
        """The exit code, and the rest of what is told and of what is printed."""
        self.process.send_signal(signal.SIGINT)
        printed, told = self.process.communicate(timeout=100)
        return self.process.returncode, told, printed

    @property
    def _told(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """The one who tries it for the first time, then again and again."""
    return Visitor(tmp_path_factory.mktemp("demo"))


def read_results(text: str) -> list[tuple[str, str, Any]]:
    return [(found["workflow"], found["status"], json.loads(found["output"])) for found in RESULT.finditer(text)]


def check_results(text: str) -> None:
    order, report, approved, escalated, onboarding, incident = read_results(text)
    assert order[:2] == ("order-processing", "succeeded")
    assert order[2]["payment"].startswith("payment-")
    assert report[:2] == ("nightly-report", "succeeded")
    assert report[2] == {
        "regions": 10,
        "unreadable": ["http_status"],
        "strong": ["islands", "capital", "lakes"],
        "weak": ["north", "east"],
    }
    assert approved[:2] == ("expense-approval", "succeeded")
    assert approved[2]["decision"] == "approved"
    assert escalated == ("expense-approval", "succeeded", {"decision": "timeout", "transfer": None})
    greetings = ["Welcome, Ada!", "Willkommen, Emmy!", "Welcome, Grace!"]
    assert onboarding == ("customer-onboarding", "succeeded", {"greetings": greetings})
    assert incident[:2] == ("incident-escalation", "succeeded")
    assert incident[2]["escalated"] is True


def test_a_first_demo_starts_everything_and_a_second_one_finds_it(visitor: Visitor) -> None:
    _, first, second = visitor.ports
    allow = {"FLOWFORGE_HTTP_ALLOW_PRIVATE": f"127.0.0.1:{second}"}
    with visitor.going(*visitor.arguments(first), **allow) as demo:
        told = demo.read_until("Ctrl-C stops FlowForge and the target")
        assert "6 published (6 created)" in told
        assert "making the database" in told
        found = re.search(r"first user +(\S+) with the password (\S+) ", told)
        assert found, told
        with httpx.Client(base_url=f"http://127.0.0.1:{visitor.ports[0]}") as api:
            tokens = (
                api.post("/v1/auth/login", json={"email": found[1], "password": found[2]}).raise_for_status().json()
            )
            api.headers["authorization"] = f"Bearer {tokens['access_token']}"
            names = [workflow["name"] for workflow in api.get("/v1/workflows").raise_for_status().json()["items"]]
        assert len(names) == 6
        assert all(name.startswith("Demo: ") for name in names)
        again = visitor.run(*visitor.arguments(second, "--once"))
        assert again.returncode == 0, again.stderr
        assert "which runs already" in again.stderr
        assert "6 published (5 updated, 1 unchanged)" in again.stderr or "6 published (6 updated)" in again.stderr
        check_results(again.stdout)
        code, told, printed = demo.press_ctrl_c()
    assert code == 0
    assert told.splitlines() == ["flowforge: stopping FlowForge and the target"]
    check_results(printed)
    assert "./flowforge logs " in printed
    assert visitor.processes() == []
    assert not (visitor.data / "run.json").exists()


@pytest.mark.parametrize("moment", ["starting it on", "1/6"])
def test_ctrl_c_at_any_moment_leaves_nothing_running(visitor: Visitor, moment: str) -> None:
    with visitor.going(*visitor.arguments(visitor.ports[1])) as demo:
        demo.read_until(moment)
        code, told, printed = demo.press_ctrl_c()
    assert code == 130
    assert told.splitlines()[-1] == "flowforge: interrupted"
    assert "Traceback" not in told
    assert printed == ""
    assert visitor.processes() == []


def test_a_product_that_may_not_call_the_target_is_told_how(tmp_path: Path, product: Product, client: Client) -> None:
    visitor = Visitor(tmp_path)
    target = visitor.ports[0]
    answer = visitor.run(
        *("--url", product.url, "--target-port", str(target), "--once"),
        FLOWFORGE_EMAIL=OWNER,
        FLOWFORGE_PASSWORD=PASSWORD,
    )
    assert answer.returncode == 1, answer.stderr
    assert f"FLOWFORGE_HTTP_ALLOW_PRIVATE=127.0.0.1:{target} ./flowforge up" in answer.stderr
    assert answer.stdout.count("✗ failed") == 1, "it would be the same with every other workflow"
    assert "2/6" not in answer.stderr
    assert client.read("/v1/workflows", q="Demo: order processing")["items"]


def test_what_is_in_the_way_is_told_in_one_line(tmp_path: Path, product: Product, client: Client) -> None:
    visitor = Visitor(tmp_path)
    port = str(visitor.ports[0])

    def last_line(*arguments: str) -> str:
        answer = visitor.run(*arguments, "--once")
        assert (answer.returncode, answer.stdout) == (2, "")
        return answer.stderr.splitlines()[-1]

    assert "Nothing listens at http://127.0.0.1:1" in last_line("--url", "http://127.0.0.1:1", "--target-port", port)
    assert "looks like http://127.0.0.1:8000" in last_line("--url", "nonsense", "--target-port", port)
    assert "./flowforge login" in last_line("--url", product.url, "--target-port", port)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = str(holder.getsockname()[1])
        assert f"The port {taken} of the demo's target is taken" in last_line("--target-port", taken)
    assert not visitor.data.exists()
    line = last_line("--data-dir", str(visitor.data), "--port", str(product.port), "--target-port", port)
    assert f"add --url {product.url}" in line
    assert visitor.processes() == []
    (tmp_path / "file").touch()
    assert "--data-dir" in last_line("--data-dir", str(tmp_path / "file"), "--target-port", port)
