"""What the target has recorded: every effect that anybody outside has seen."""

from pathlib import Path

import msgspec
from msgspec import Struct


class Effect(Struct, frozen=True, kw_only=True):
    """One request as it arrived; `at` in seconds of the machine's clock, `step` with `#` and its item in a loop."""

    at: float
    key: str
    run_id: str
    n: int
    step: str
    attempt: int
    answer: str


def read_ledger(path: Path) -> list[Effect]:
    """All effects in the order of their arrival."""
    decode = msgspec.json.Decoder(Effect).decode
    return [decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []
