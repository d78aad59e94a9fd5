"""What stands in the query of a call: a parameter that the call does not know is refused, whichever call it is.

A filter with a slip in its name would be no filter, and the answer a list of everything.
"""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args, get_origin

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from app.errors import InvalidRequest
from engine.core.places import escape_token
from engine.core.problems import Problem

# The option of a handler whose query belongs to the caller.
FREE_QUERY: Final = "free_query"
MOST_TOLD: Final = 20
_SHOWN_CHARACTERS: Final = 100


async def refuse_unknown_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: raise InvalidRequest for parameters that the call does not take, and for one that stands there twice."""
    if not connection.scope["query_string"] or handler.opt.get(FREE_QUERY):
        return
    call = (connection.scope["path_template"], str(connection.scope.get("method")))
    known = _list_parameters(connection.app).get(call, ())
    problems: list[Problem] = []
    for name, count in Counter(name for name, _ in connection.query_params.multi_items()).items():
        place = f"/query/{escape_token(name[:_SHOWN_CHARACTERS])}"
        if name not in known:
            problems.append(Problem(place, "unknown_parameter", _explain_unknown(name[:_SHOWN_CHARACTERS], known)))
        elif count > 1:
            problems.append(Problem(place, "repeated_parameter", f"it stands here {count} times; give it once"))
        if len(problems) == MOST_TOLD:
            break
    if problems:
        raise InvalidRequest(errors=problems)


def read_choices(text: str | None, known: Sequence[str], name: str, problems: list[Problem]) -> list[str] | None:
    """The values of the parameter `name`, of which several may stand there, comma separated; None if it was left out.

    What is none of the known ones goes into `problems`.
    """
    if text is None:
        return None
    values = text.split(",")
    unknown = [value for value in dict.fromkeys(values) if value not in known]
    problems += [
        Problem(f"/query/{name}", "choice", f"'{value}' is none of {', '.join(known)}") for value in unknown[:MOST_TOLD]
    ]
    return values


def list_choices(handler: BaseRouteHandler, name: str) -> list[str]:
    """The values that a parameter may have, where they are few enough to be named."""
    field = handler.parsed_fn_signature.parameters.get(name)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    return [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]


def _explain_unknown(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"there is no parameter {name!r}; this call takes none"
    near = get_close_matches(name.lower(), known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return f"there is no parameter {name!r} (there are {', '.join(known)}){meant}"


def _list_parameters(app: Litestar) -> dict[tuple[str, str], tuple[str, ...]]:
    """The names of the parameters of every call, by its path and method."""
    if "query_parameters" not in app.state:
        app.state.query_parameters = {
            (route.path_format, str(method)): tuple(sorted(known.field_alias for known in model.expected_query_params))
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for method, (_, model) in route.route_handler_map.items()
        }
    parameters: dict[tuple[str, str], tuple[str, ...]] = app.state.query_parameters
    return parameters
