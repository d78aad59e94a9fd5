"""Guards: `/v1` asks for a signed-in principal unless a handler says `public=True`; handlers name a permission."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.auth.authenticator import Authenticator
from app.auth.permissions import Permission
from app.auth.principal import Principal, read_principal
from app.errors import InvalidToken, MissingPermission, MissingToken

Connection = ASGIConnection[Any, Any, Any, Any]

_MAX_TOKEN_CHARACTERS = 4096


async def authenticate(connection: Connection, handler: BaseRouteHandler) -> None:
    """Deny by default: refuse with 401 who is nobody, and with 403 everybody where a handler names no permission."""
    if handler.opt.get("public"):
        return
    principal = connection.scope["user"] = await find_principal(connection)
    asked = find_permission(handler)
    if asked is None or asked not in principal.permissions:
        raise _missing(asked)


def find_permission(handler: BaseRouteHandler) -> Permission | None:
    """What a handler asks for; None where it says nothing, and so is for nobody, or is public."""
    return next((guard.permission for guard in handler.guards or () if isinstance(guard, requires)), None)


async def find_principal(connection: Connection) -> Principal:
    """The principal that the request's bearer token stands for; raises MissingToken or InvalidToken."""
    header = connection.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise MissingToken
    if len(token) > _MAX_TOKEN_CHARACTERS or not token.isascii():
        raise InvalidToken
    authenticator: Authenticator = connection.app.state.authenticator
    return await authenticator.authenticate(token)


class requires:  # noqa: N801 - reads as a verb where it stands: guards=[requires(...)]
    """A guard that refuses with 403 whom the role does not give `permission`."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Let the request pass, or raise MissingPermission."""
        if self.permission not in read_principal(connection).permissions:
            raise _missing(self.permission)


def _missing(permission: Permission | None) -> MissingPermission:
    if permission is None:
        return MissingPermission()
    return MissingPermission(f"Your role does not hold the permission {permission.value}.", permission=permission.value)
