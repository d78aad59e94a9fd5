"""A user's shell, in which the command-line client runs as real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.client import OWNER, PASSWORD
from tests.product import clean_environment

Completed = subprocess.CompletedProcess[str]


class Shell:
    """A user's shell: commands with a configuration folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.environment = clean_environment(XDG_CONFIG_HOME=str(folder / "config"), FLOWFORGE_PASSWORD=PASSWORD)

    def run(self, *arguments: str, stdin: str = "", **extra: str) -> Completed:
        """A command from start to end."""
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, **extra},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=self.folder,
        )

    def command(self, *arguments: str) -> list[str]:
        """What to start for a command."""
        return [sys.executable, "-m", "cli.main", *arguments]

    def sign_in(self) -> "Shell":
        """Sign in as the owner."""
        answer = self.run("login", "--url", self.url, "--email", OWNER)
        assert answer.returncode == 0, answer.stderr
        return self

    def write(self, name: str, definition: Any, **more: Any) -> str:
        """A workflow file; JSON is YAML as well."""
        path = self.folder / f"{name.replace(' ', '-')}.yaml"
        path.write_text(json.dumps({"flowforge": 1, "name": name, "definition": definition, **more}))
        return str(path)

    def publish(self, name: str, definition: Any) -> None:
        """Import a definition and publish it."""
        answer = self.run("import", self.write(name, definition), "--publish")
        assert answer.returncode == 0, answer.stderr


def one_line(answer: Completed, code: int) -> str:
    """The one line that a command which cannot go on leaves behind."""
    assert answer.returncode == code, answer.stderr
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("flowforge: ")
    return line
