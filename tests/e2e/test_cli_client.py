"""The command-line client as a person uses it: real processes against a real product."""

import json
import os
import pty
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.client import OWNER, PASSWORD, Client
from tests.e2e.shell import Shell, one_line
from tests.e2e.steps import define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import PATIENCE_SECONDS, Product


@pytest.fixture
def stranger(tmp_path: Path, product: Product, client: Client) -> Shell:
    """Somebody who has not signed in; `client` has set the product up."""
    return Shell(tmp_path, product.url)


@pytest.fixture
def shell(stranger: Shell) -> Shell:
    """Somebody who has signed in."""
    return stranger.sign_in()


def test_tokens_are_kept_for_their_owner_alone(shell: Shell) -> None:
    path = shell.folder / "config" / "flowforge" / "sessions.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert PASSWORD not in path.read_text()
    assert shell.run("runs", "--limit", "1").returncode == 0


def test_a_wrong_password_keeps_nothing(stranger: Shell) -> None:
    line = one_line(stranger.run("login", "--url", stranger.url, "--email", OWNER, FLOWFORGE_PASSWORD="wrong"), 2)
    assert "email or the password is wrong" in line
    assert not (stranger.folder / "config" / "flowforge" / "sessions.json").exists()


def test_an_expired_access_token_is_renewed_once_for_all_commands(shell: Shell) -> None:
    path = shell.folder / "config" / "flowforge" / "sessions.json"
    kept = json.loads(path.read_text())
    kept["sessions"][shell.url]["access_token"] = "expired"
    path.write_text(json.dumps(kept))
    # A refresh token that two commands used would end the session.
    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(lambda _number: shell.run("runs"), range(4)))
    assert [answer.returncode for answer in answers] == [0, 0, 0, 0], [answer.stderr for answer in answers]
    assert json.loads(path.read_text())["sessions"][shell.url]["access_token"] != "expired"
    assert shell.run("runs").returncode == 0


def test_errors_are_one_line_with_a_cure(shell: Shell, stranger: Shell) -> None:
    fresh = Shell(shell.folder / "other", shell.url)
    fresh.folder.mkdir()
    assert "./flowforge login" in one_line(fresh.run("runs", "--url", shell.url), 2)
    gone = one_line(shell.run("login", "--url", "http://127.0.0.1:1", "--email", OWNER), 2)
    assert "Nothing listens at http://127.0.0.1:1" in gone
    assert "./flowforge up" in gone
    assert "looks like http://127.0.0.1:8000" in one_line(shell.run("runs", "--url", "nonsense"), 2)
    assert "no JSON" in one_line(shell.run("run", "x", "--input", "{"), 2)
    assert "cannot be read" in one_line(shell.run("import", "nowhere.yaml"), 2)
    assert "There is no workflow 'nowhere'" in one_line(shell.run("run", "nowhere"), 1)
    assert "nothing here that you can see" in one_line(shell.run("logs", "0199aaaa-0000-7000-8000-000000000000"), 1)
    assert "refuses the API key" in one_line(shell.run("runs", FLOWFORGE_API_KEY="ff_wrong"), 2)
    assert "Nothing listens at http://127.0.0.1:1" in one_line(shell.run("runs", "--url", "http://127.0.0.1:1"), 2)
    nameless = shell.run("import", "-", stdin='{"schema": 1, "steps": []}')
    assert (nameless.returncode, nameless.stdout) == (1, "")
    assert "/name: a definition alone has no name" in nameless.stderr
    for command in ("logs", "cancel", "retry", "rerun", "approve", "reject"):
        wrong = shell.run(command, "nonsense")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "'nonsense' is no id" in wrong.stderr
    silent = shell.run("login", "--url", shell.url, "--email", OWNER, FLOWFORGE_PASSWORD="", stdin="x\n")
    assert (silent.returncode, "echo" in silent.stderr) == (2, False)
    assert "FLOWFORGE_PASSWORD" in silent.stderr
    usage = shell.run("run")
    assert (usage.returncode, usage.stdout) == (2, "")
    assert "Missing argument" in usage.stderr


def test_a_session_that_has_ended_says_how_to_sign_in_again(shell: Shell) -> None:
    path = shell.folder / "config" / "flowforge" / "sessions.json"
    kept = json.loads(path.read_text())
    kept["sessions"][shell.url] |= {"access_token": "expired", "refresh_token": "used"}
    path.write_text(json.dumps(kept))
    line = one_line(shell.run("run", "x", "--wait"), 2)
    assert f"Your session at {shell.url} has ended" in line
    assert f"./flowforge login --url {shell.url}" in line
    assert shell.sign_in().run("runs").returncode == 0


def test_nothing_is_imported_where_one_of_the_files_is_missing(shell: Shell, client: Client) -> None:
    path = shell.write("cli never", define(delay("a", 0)))
    assert "nowhere.yaml cannot be read" in one_line(shell.run("import", path, "nowhere.yaml"), 2)
    assert client.read("/v1/workflows", q="cli never")["items"] == []


def test_a_reader_that_goes_away_gets_no_traceback(shell: Shell) -> None:
    shell.publish("cli piped away", define(delay("a", 0)))
    run_id = shell.run("run", "cli piped away", "--wait", "--json").stdout
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        shell.command("logs", json.loads(run_id)["id"]),
        env=shell.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        assert process.communicate(timeout=PATIENCE_SECONDS)[1] == ""
    assert process.returncode == 1


def test_an_import_tells_lines_and_is_repeatable(shell: Shell, client: Client) -> None:
    text = "schema: 1\nsteps:\n  - id: a\n    type: teleport\n"
    (shell.folder / "faulty-one.yaml").write_text(text)
    answer = shell.run("import", "faulty-one.yaml", "--publish")
    assert answer.returncode == 1
    assert "faulty-one.yaml:4:5: /steps/0/type: " in answer.stderr
    assert "is not published" in answer.stderr
    (shell.folder / "broken.yaml").write_text("a: [1\nb: 2\n")
    assert "broken.yaml: Line 2, column 2: " in one_line(shell.run("import", "broken.yaml"), 1)
    path = shell.write("cli twice", define(delay("a", 0)), triggers=[{"type": "webhook"}])
    first = json.loads(shell.run("import", path, "--publish", "--json").stdout)["items"]
    second = shell.run("import", path, "--publish", "--json")
    assert "nothing to publish of 'cli twice': it is version 1 already" in second.stderr
    assert "published 'cli twice' as" not in second.stderr
    again = json.loads(second.stdout)["items"]
    assert [first[0]["outcome"], again[0]["outcome"]] == ["created", "unchanged"]
    assert first[0]["id"] == again[0]["id"]
    assert again[0]["published_version"] == 1
    assert [trigger["outcome"] for trigger in again[0]["triggers"]] == ["unchanged"]
    assert "There is no workflow 'cli twize'. There is 'cli twice'" in one_line(shell.run("run", "cli twize"), 1)
    assert len(client.read("/v1/workflows", q="cli twice")["items"]) == 1


def test_what_is_exported_comes_back_by_a_pipe(shell: Shell) -> None:
    shell.publish("cli piped", define(delay("a", 0), output={"b": 1, "a": "{{ input }}"}))
    text = shell.run("export", "cli piped")
    assert text.returncode == 0
    item = json.loads(shell.run("import", "-", "--json", stdin=text.stdout).stdout)["items"][0]
    assert item["outcome"] == "unchanged"
    as_json = json.loads(shell.run("export", item["id"], "--format", "json").stdout)
    assert list(as_json["definition"]["output"]) == ["b", "a"]
    assert shell.run("export", "cli piped", "-o", "file.yaml").returncode == 0
    assert (shell.folder / "file.yaml").read_text() == text.stdout


def test_a_watched_run_shows_each_step_and_gives_its_output(shell: Shell, target: Target) -> None:
    target.plan("/order", Reply(status=503), Reply(value={"total": 5}))
    retry = {"max_attempts": 2, "initial": 0.1, "jitter": False}
    definition = define(
        http("fetch", target.base + "/order", retry=retry),
        delay("pause", 0.2, after=["fetch"]),
        output={"total": "{{ steps.fetch.output.body.total }}", "given": "{{ input.n }}"},
    )
    shell.publish("cli watched", definition)
    (shell.folder / "input.json").write_text('{"n": 7}')
    answer = shell.run("run", "cli watched", "--input", "@input.json", "--wait")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"total": 5, "given": 7}
    lines = [line.split(" ", 1)[-1].split() for line in answer.stderr.splitlines()]
    told = [" ".join(line[:3]) for line in lines if line[0] in ("fetch", "pause")]
    assert told[0] == "fetch attempt 1"
    assert "fetch succeeded at" in told
    assert told[-1] == "pause succeeded"
    assert "503" in answer.stderr


@pytest.mark.parametrize(("n", "code", "status"), [(1, 1, "failed"), (2, 0, "succeeded")])
def test_the_exit_code_tells_how_the_run_ended(shell: Shell, n: int, code: int, status: str) -> None:
    fail = {"id": "no", "type": "fail", "with": {"message": "too small"}, "after": ["big.false"]}
    condition = {"id": "big", "type": "if", "with": {"condition": "input.n > 1"}}
    shell.publish("cli codes", define(condition, fail))
    answer = shell.run("run", "cli codes", "--input", json.dumps({"n": n}), "--wait", "--json")
    run = json.loads(answer.stdout)
    assert (answer.returncode, run["status"]) == (code, status)
    logs = shell.run("logs", run["id"])
    assert logs.returncode == 0
    assert logs.stdout.splitlines()[-1].split()[3:5] == ["run", status]


def test_ctrl_c_leaves_the_run_going(shell: Shell, client: Client) -> None:
    shell.publish("cli left", define(delay("pause", 600)))
    with subprocess.Popen(
        shell.command("run", "cli left", "--wait"), env=shell.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "pause" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(20) == 130
    (line,) = rest.splitlines()[-1:]
    assert "The run goes on" in line
    run_id = line.partition("./flowforge cancel ")[2].rstrip(".")
    assert client.run(run_id)["status"] in ("running", "waiting")
    listed = json.loads(shell.run("runs", "--workflow", "cli left", "--status", "waiting", "--json").stdout)["items"]
    assert [run["id"] for run in listed] == [run_id]
    assert shell.run("cancel", run_id, "--wait").returncode == 0
    assert client.run(run_id)["status"] == "cancelled"
    assert "CANCELLED" in shell.run("runs", "--workflow", "cli left").stdout.upper()


def test_logs_follow_a_run_to_its_end(shell: Shell, client: Client) -> None:
    shell.publish("cli followed", define(delay("pause", 1.5)))
    run_id = shell.run("run", "cli followed").stdout.strip()
    followed = shell.run("logs", run_id, "--follow", "--json")
    events = [json.loads(line) for line in followed.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run.succeeded"
    assert [event["id"] for event in events] == [event["id"] for event in client.events(run_id)]


def test_a_terminal_is_drawn_over(shell: Shell) -> None:
    shell.publish("cli drawn", define(delay("first", 1.5), delay("second", 1.5, after=["first"])))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        shell.command("run", "cli drawn", "--wait"),
        env={**shell.environment, "TERM": "xterm"},
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        text = _read_all(ours)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert "\x1b[3F" in text, "two steps and the run are drawn over"
    last = text.rpartition("\x1b[3F")[2]
    assert [word for word in ("first", "second", "run succeeded") if word in last] == [
        "first",
        "second",
        "run succeeded",
    ]
    assert last.count("✓") == 2


def _read_all(descriptor: int) -> str:
    chunks = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:
            # Linux says so when nobody writes any more.
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks).decode()
