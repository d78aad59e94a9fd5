"""What the demo says on its way: to stderr, so that its results alone are on stdout."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import click

_WIDTH: Final = 12


def title(text: str) -> None:
    """Begin a part."""
    click.secho(f"\n{text}", bold=True, err=True)


def tell(what: str, text: str) -> None:
    """One line of the set-up."""
    click.echo(f"  {click.style(what.ljust(_WIDTH), fg='cyan')}{text}", err=True)


def tell_more(text: str) -> None:
    """A line that belongs to the one above."""
    click.secho(f"  {' ' * _WIDTH}{text}", dim=True, err=True)


def tell_loaded(outcomes: Iterable[str]) -> None:
    """How many workflows there are, and what was done to them."""
    counts = Counter(outcomes)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    tell("workflows", f"{counts.total()} published ({told})")
