"""The budget of an evaluation. Every limit of the language stands here."""

from engine.core.expressions.errors import LimitError

DEFAULT_FUEL = 500_000
"""Units an evaluation or a rendering may use, about 0.1 microseconds each."""

MAX_SOURCE_LENGTH = 4096
MAX_NODES = 500
MAX_DEPTH = 32
MAX_PATTERN_LENGTH = 1024
MAX_TEMPLATE_DEPTH = 64

MAX_DEFINITION_TOKENS = 200_000
"""Names, values, operators and brackets of all expressions of a definition: reading so many takes about a second."""

MAX_DEFINITION_INSTRUCTIONS = 1_000_000
"""What RE2 makes of all constant patterns of a definition, which takes about a second too."""

MAX_TEXT_LENGTH = 256 * 1024
"""Characters of a string that an expression may build."""

MAX_RESULT_SIZE = 1024 * 1024
"""Bytes, as JSON, of a list or map that an expression may build; what it merely passes on is not measured."""

BYTES_PER_UNIT = 64

CALL_COST = 5
TIME_COST = 15
"""Units of a function with times: reading their texts and time zones is slow."""

CONTAINER_COST = 5
ERROR_COST = 50
"""Units of an error that `&&`, `||`, `all` or `exists` swallow."""


class AllowanceSpent(Exception):
    """A definition holds more expressions than it may; the message says of what, and how much it may have."""


class Allowance:
    """What is left of what a definition's expressions may have together, so that reading them takes a bounded time."""

    __slots__ = ("instructions", "tokens")

    def __init__(self) -> None:
        self.tokens = MAX_DEFINITION_TOKENS
        self.instructions = MAX_DEFINITION_INSTRUCTIONS

    def take(self, tokens: int, instructions: int) -> None:
        """Take away what was read; raises `AllowanceSpent` once nothing is left."""
        self.tokens -= tokens
        self.instructions -= instructions
        if self.tokens < 0:
            raise AllowanceSpent(f"{MAX_DEFINITION_TOKENS:,} names, values, operators and brackets")
        if self.instructions < 0:
            raise AllowanceSpent(f"{MAX_DEFINITION_INSTRUCTIONS:,} instructions of patterns")


class Fuel:
    """What is left of a budget; several evaluations may share one."""

    __slots__ = ("remaining",)

    def __init__(self, units: int = DEFAULT_FUEL) -> None:
        self.remaining = units

    def spend(self, units: int) -> None:
        """Take `units` away; raises `LimitError` once nothing is left."""
        self.remaining -= units
        if self.remaining < 0:
            raise LimitError("budget_exceeded", "expression used too many operations")

    def build_text(self, length: int) -> None:
        """Pay for a string of `length` characters before it is built; raises `LimitError` when it is too long."""
        if length > MAX_TEXT_LENGTH:
            raise LimitError("too_long", f"a text of {length} characters is longer than {MAX_TEXT_LENGTH}")
        self.spend(1 + length // BYTES_PER_UNIT)

    def read_text(self, length: int) -> None:
        """Pay for looking through a string of `length` characters."""
        self.spend(1 + length // BYTES_PER_UNIT)
