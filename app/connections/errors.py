"""Why a connection cannot be made or changed; the tree is drawn in `app/errors.py`."""

from app.errors import Conflict


class NameTaken(Conflict):
    """There is another one of this name."""

    code = "name_taken"


class ConnectionInUse(Conflict):
    """Workflows name this connection, and would fail without it; `used_by` lists them. `?force=true` does it anyway."""

    code = "connection_in_use"


class NotSignedInFor(Conflict):
    """Nobody signs in for this connection: only those of the type `oauth2_authorization_code` are used so."""

    code = "not_signed_in_for"


class ConnectionSealed(Conflict):
    """The secret of this connection does not open. Give it a new one."""

    code = "connection_sealed"
