"""The table of access in `docs/security.md`, made from the guards of the calls, so that it says what they do."""

import re
from collections.abc import Iterator
from typing import Final

from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.auth.guards import find_permission
from app.auth.permissions import PERMISSIONS, Permission, Role
from app.main import create_app
from cli.lifecycle import ROOT
from engine.infra.settings import Settings

PAGE: Final = ROOT / "docs" / "security.md"
_BEGIN: Final = "<!-- access: made by `./flowforge docs` -->\n"
_END: Final = "<!-- /access -->"
_PLACE = re.compile(re.escape(_BEGIN) + r".*?" + re.escape(_END), re.DOTALL)
_WEAKEST_FIRST: Final = tuple(Role)[::-1]
# A name is taken in each workspace by itself: what is another one's is neither found nor in the way.
_MAKES_ONES_OWN: Final = frozenset({"PUT /v1/vars/{name}"})


def make_page() -> str:
    """The page with the table as the code has it now; the rest of it stays. Raises ValueError without its place."""
    page, count = _PLACE.subn(lambda _: f"{_BEGIN}{make_table()}{_END}", PAGE.read_text())
    if count != 1:
        raise ValueError(f"{PAGE} has no place for the table of access")
    return page


def make_table() -> str:
    """Every call with the permission that it asks for, the roles that hold it, and what it finds of others."""
    roles = " | ".join(role.value for role in _WEAKEST_FIRST)
    head = f"| call | asks for | anybody | {roles} | of another workspace |"
    rows = sorted(_rows(), key=lambda row: (row[0].partition(" ")[2], row[0]))
    return "\n".join([head, "| --- |" + " --- |" * 8, *(_format(*row) for row in rows), ""])


def _rows() -> Iterator[tuple[str, Permission | None]]:
    for route in create_app(Settings()).routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield f"{method} {route.path_format}", _find_asked(handler)


def _find_asked(handler: HTTPRouteHandler) -> Permission | None:
    """What a call asks of those who are not on the machine itself."""
    from_elsewhere: Permission | None = handler.opt.get("from_elsewhere")
    return from_elsewhere or find_permission(handler)


def _format(call: str, asked: Permission | None) -> str:
    may = [asked is None or asked in PERMISSIONS[role] for role in _WEAKEST_FIRST]
    cells = ["yes" if each else "-" for each in (asked is None, *may)]
    cells.append(_find_elsewhere(call) if asked is not None else "-")
    return f"| `{call}` | {'nothing' if asked is None else f'`{asked.value}`'} | " + " | ".join(cells) + " |"


def _find_elsewhere(call: str) -> str:
    """What a call is answered with for what another workspace owns."""
    if call in _MAKES_ONES_OWN:
        return "one's own"
    return "404" if "{" in call else "-"
