"""Who hands out what outlasts them is looked at again, in the very transaction that does it.

A guard goes by what was found up to 5 s ago. That is short for a call, but long enough for somebody who is thrown out
to let themselves in anew: by another key, an invitation, a role or a session.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys.repository import hold_roles
from app.auth.permissions import PERMISSIONS, Permission, Role, weaker_of
from app.auth.principal import Principal
from app.auth.repository import find_session_role
from app.errors import InvalidToken, MissingPermission


async def confirm(connection: AsyncConnection, principal: Principal, permission: Permission) -> Role:
    """The role that a principal has by now, and until this transaction ends.

    Raises InvalidToken where session, key, user or membership have ended, MissingPermission where the role is too weak.
    """
    role = await _find_role(connection, principal)
    if role is None:
        raise InvalidToken
    if permission not in PERMISSIONS[role]:
        raise MissingPermission(
            f"Your role does not hold the permission {permission.value}.", permission=permission.value
        )
    return role


async def _find_role(connection: AsyncConnection, principal: Principal) -> Role | None:
    if principal.api_key_id is not None:
        roles = await hold_roles(connection, principal.workspace_id, principal.api_key_id)
        return None if roles is None else weaker_of(Role(roles[0]), Role(roles[1]))
    if principal.session_id is None:
        return None
    role = await find_session_role(
        connection, principal.session_id, principal.user_id, principal.workspace_id, is_held=True
    )
    return None if role is None else Role(role)
