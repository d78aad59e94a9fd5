"""What a person at the terminal reads: progress goes to stderr, the product's own lines to stdout."""

import sys
from typing import NoReturn

import click


def progress(message: str) -> None:
    """Tell how a long thing is going."""
    click.echo(f"flowforge: {message}", err=True)


def fail(message: str, code: int = 2) -> NoReturn:
    """End the program with one line on stderr."""
    progress(message)
    sys.exit(code)
