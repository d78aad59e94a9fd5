"""Lanes of journeys: each leads through a product of its own in a browser of its own, one journey after the other.

What costs most is begun once for many journeys: the product, the browser, and what drives it. What became of a journey
is told as soon as it is over, so that each is a test by itself.
"""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from cli.ui_toolchain import UI, Node

_TAIL_LINES = 30
_END_SECONDS = 120.0


class Told(msgspec.Struct, rename="camel", frozen=True):
    """What became of a journey, as `ui/e2e/told.ts` writes it."""

    journey: str
    seconds: float
    has_passed: bool
    faults: list[str]
    tests: dict[str, float]


# Of all journeys of a session, for what is said at its end.
TOLD = pytest.StashKey[list[Told]]()


class Lane:
    """Journeys that are under way, and what has been told of them."""

    def __init__(self, journeys: Sequence[str], node: Node, folder: Path, environment: Mapping[str, str]) -> None:
        """Begin; `folder` is for what is printed meanwhile."""
        self._journeys = journeys
        self._log = folder / "journeys.log"
        self._told: dict[str, Told] = {}
        self._has_ended = False
        self._news = threading.Condition()
        self._process, told = self._begin(node, environment)
        self._listener = threading.Thread(target=self._listen, args=(told,), daemon=True)
        self._listener.start()

    @property
    def told(self) -> list[Told]:
        """What became of the journeys that are over."""
        with self._news:
            return list(self._told.values())

    def wait_for(self, journey: str, seconds: float) -> Told:
        """What became of a journey, once it is over; AssertionError where it never comes to that."""
        with self._news:
            self._news.wait_for(lambda: self._has_ended or journey in self._told, seconds)
            found, has_ended = self._told.get(journey), self._has_ended
        why = "what drives the browser has ended" if has_ended else f"it is not over after {seconds:.0f} s"
        assert found is not None, f"{why}\n{self._tail()}"
        return found

    def end(self) -> None:
        """Wait for its end, or stop what nobody waits for any more; AssertionError where it ends badly."""
        is_whole = len(self.told) == len(self._journeys)
        if not is_whole:
            self._process.terminate()
        code = self._process.wait(_END_SECONDS)
        self._listener.join()
        # What nothing caught, between the journeys or after them, is the fault of none of them.
        is_bad = is_whole and code != 0 and all(told.has_passed for told in self.told)
        assert not is_bad, f"what drives the browser has ended with code {code}\n{self._tail()}"

    def _begin(self, node: Node, environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
        vitest = UI / "node_modules" / "vitest" / "vitest.mjs"
        here, there = os.pipe()
        asked = {"E2E_JOURNEYS": ",".join(self._journeys), "E2E_TOLD": str(there)}
        try:
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    [node.program, vitest, "run", "--config", "vitest.e2e.config.ts"],
                    cwd=UI,
                    env={**node.environment, **environment, **asked},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[there],
                )
        finally:
            # With its last writer, what is told ends.
            os.close(there)
        return process, here

    def _listen(self, told: int) -> None:
        try:
            with os.fdopen(told, "rb") as lines:
                for line in lines:
                    self._take(msgspec.json.decode(line, type=Told))
        finally:
            with self._news:
                self._has_ended = True
                self._news.notify_all()

    def _take(self, told: Told) -> None:
        with self._news:
            self._told[told.journey] = told
            self._news.notify_all()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
