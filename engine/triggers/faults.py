"""Which errors are about a single trigger, so that the others go on without it."""

import asyncpg
import msgspec

# What is caught to look whether it is such an error.
OWN_FAULTS = (asyncpg.PostgresError, msgspec.MsgspecError, ArithmeticError, LookupError, TypeError, ValueError)
# Classes of PostgreSQL's errors that are about what was written, and not about the way to the database.
_ABOUT_VALUES = ("22", "23", "54")


def is_own_fault(error: Exception) -> bool:
    """Whether the error comes from what was to be written or computed, and would come again."""
    return not isinstance(error, asyncpg.PostgresError) or (error.sqlstate or "")[:2] in _ABOUT_VALUES
