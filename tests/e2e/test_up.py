"""`up`: one command, a whole product, and what happens when things go wrong."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.servers.ports import find_free_port
from tests.product import (
    Product,
    clean_environment,
    in_time,
    is_gone,
    on_this_machine,
    run_command,
    wait_for,
)

pytestmark = pytest.mark.timeout(400)


def all_pids(run: dict[str, object]) -> list[int]:
    return [int(pid) for pid in re.findall(r'"pid": (\d+)', json.dumps(run))]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of this module's own, with two workers: its processes are killed here."""
    product = Product(tmp_path_factory.mktemp("up") / "data", workers=2)
    product.start()
    yield product
    product.stop()


def test_run_json_says_where_everything_is(up: Product) -> None:
    run = up.run
    assert list(run) == ["url", "api", "relay", "workers", "postgres", "redis"]
    assert run["url"] == up.url
    assert len(run["workers"]) == 2
    pids = all_pids(run)
    assert len(set(pids)) == 6
    assert not any(map(is_gone, pids))
    assert run["postgres"]["url"].startswith("postgresql://flowforge:")
    assert run["redis"]["url"].startswith("redis://:")
    assert stat.S_IMODE((up.folder / "run.json").stat().st_mode) == 0o600


def test_a_second_up_on_the_same_folder_is_refused(up: Product) -> None:
    answer = run_command("up", "--port", str(find_free_port()), "--data-dir", str(up.folder))
    assert answer.returncode == 2
    assert f"{up.folder} is in use by another `up`" in answer.stderr
    assert up.url in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert up.run["url"] == up.url


def test_doctor_finds_the_running_product_well(up: Product) -> None:
    answer = run_command("doctor", "--json", "--data-dir", str(up.folder))
    report = json.loads(answer.stdout)
    outcomes = {finding["check"]: finding["outcome"] for finding in report["findings"]}
    assert answer.returncode == 0
    wanted = ("configuration", "python", "database", "migrations", "clock", "redis", "port", "data folder")
    assert {check: outcomes[check] for check in wanted} == dict.fromkeys(wanted, "ok")


@pytest.mark.parametrize("role", ["api", "relay", "worker"])
def test_a_killed_process_is_started_again_and_noted(up: Product, role: str) -> None:
    def entry() -> int:
        found = up.run["workers"][1] if role == "worker" else up.run[role]
        return int(found["pid"])

    before = entry()
    os.kill(before, signal.SIGKILL)
    after = wait_for(lambda: entry() if entry() != before else None, what=f"new {role} in run.json")
    assert not is_gone(after)
    wait_for(lambda: up.get("/health/ready")[0] == 200, what="readiness")
    died = next(json.loads(line) for line in up.output.splitlines() if f'"process_id":{before}' in line)
    assert (died["message"], died["process"], died["signal"]) == ("process died", role, "SIGKILL")


@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_a_killed_server_comes_back_where_it_was(up: Product, server: str) -> None:
    before = up.run[server]
    up.kill(server)
    wait_for(lambda: up.run[server]["pid"] not in (before["pid"], 0), what=f"new {server} in run.json")
    assert up.run[server]["url"] == before["url"]
    wait_for(lambda: up.get("/health/ready")[0] == 200, what="readiness")


def test_after_a_kill_of_the_supervisor_up_works_again(up: Product) -> None:
    before = all_pids(up.run)
    postgres_url = up.run["postgres"]["url"]
    up.kill_supervisor()
    up.start()
    assert up.run["postgres"]["url"] == postgres_url
    assert set(all_pids(up.run)).isdisjoint(before)
    assert all(map(is_gone, before))
    assert up.get("/health/ready")[0] == 200


def test_after_a_kill_of_everything_up_works_again(up: Product) -> None:
    up.kill_supervisor(with_children=True)
    up.start()
    assert up.get("/health/ready")[0] == 200


def test_a_second_start_is_ready_within_five_seconds(up: Product) -> None:
    def measure() -> float:
        assert up.stop() == 0
        return up.start()

    in_time(measure, on_this_machine(5))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_asked_for_leaves_nothing_running(up: Product, number: signal.Signals) -> None:
    if up.process is None or up.process.poll() is not None:
        up.start()
    pids = all_pids(up.run)
    assert up.stop(number) == 0
    assert all(map(is_gone, pids))
    assert not (up.folder / "run.json").exists()


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        answer = run_command("up", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert answer.returncode == 2
    assert answer.stderr == (
        f"flowforge: FLOWFORGE_PORT={port} (--port) is taken on 127.0.0.1. "
        "Stop what listens there, or name another port.\n"
    )
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        pytest.param("DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/x", "nothing listens there", id="no database"),
        pytest.param("DATABASE_URL", "mysql://u:s3cret@127.0.0.1/x", "this is no PostgreSQL URL", id="other database"),
        pytest.param("REDIS_URL", "redis://:s3cret@127.0.0.1:1/0", "cannot be reached", id="no redis"),
        pytest.param("REDIS_URL", "http://127.0.0.1", "cannot be used", id="no redis url"),
        pytest.param("PORT", "http", "FLOWFORGE_PORT='http' cannot be used", id="bad number"),
        pytest.param("HOST", "192.0.2.1", "is no address of this machine", id="foreign address"),
        pytest.param("DATA_DIR", "/proc/flowforge", "FLOWFORGE_DATA_DIR=/proc/flowforge cannot be used", id="folder"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line_and_code_2(
    tmp_path: Path, setting: str, value: str, words: str
) -> None:
    environment = {
        "FLOWFORGE_PORT": str(find_free_port()),
        "FLOWFORGE_DATA_DIR": str(tmp_path / "data"),
        f"FLOWFORGE_{setting}": value,
    }
    answer = run_command("up", **environment)
    errors = [line for line in answer.stderr.splitlines() if "FLOWFORGE_" in line]
    assert answer.returncode == 2, answer.stderr
    assert len(errors) == 1, answer.stderr
    assert errors[0].startswith(f"flowforge: FLOWFORGE_{setting}")
    assert words in errors[0]
    assert "s3cret" not in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["api", "worker", "relay", "migrate"])
def test_a_single_process_needs_a_database(command: str) -> None:
    answer = run_command(command)
    assert answer.returncode == 2
    assert answer.stderr.startswith("flowforge: FLOWFORGE_DATABASE_URL is not set.")
    assert answer.stderr.count("\n") == 1


def test_beyond_loopback_the_first_set_up_asks_for_a_token(tmp_path: Path) -> None:
    port = find_free_port()
    product = Product(tmp_path / "data", settings={"FLOWFORGE_HOST": "0.0.0.0"})
    product.port, product.url = port, f"http://127.0.0.1:{port}"
    product.start()
    try:
        line = wait_for(
            lambda: next((line for line in product.output.splitlines() if "asks for this token: " in line), None),
            what="token",
        )
        assert len(line.rpartition(" ")[2]) >= 32
        assert stat.S_IMODE((tmp_path / "data" / "setup.token").stat().st_mode) == 0o600
    finally:
        assert product.stop() == 0


def test_single_processes_run_side_by_side_on_named_servers(database_url: str, redis_url: str, tmp_path: Path) -> None:
    port = find_free_port()
    environment = clean_environment(
        FLOWFORGE_DATABASE_URL=database_url,
        FLOWFORGE_REDIS_URL=redis_url,
        FLOWFORGE_PORT=str(port),
        FLOWFORGE_DATA_DIR=str(tmp_path),
    )
    watcher = Product(tmp_path / "unused")
    watcher.url = f"http://127.0.0.1:{port}"
    processes = [
        subprocess.Popen([sys.executable, "-m", "cli.main", role], env=environment, stdout=subprocess.DEVNULL)
        for role in ("api", "relay", "worker")
    ]
    try:
        wait_for(lambda: watcher.get("/health/ready")[0] == 200, what="readiness")
        assert [process.poll() for process in processes] == [None, None, None]
    finally:
        for process in processes:
            process.terminate()
        codes = [process.wait(60) for process in processes]
    assert codes == [0, 0, 0]
