"""Bodies of the connection calls. A secret goes in and never comes out."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.infra.credentials import ConnectionType

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$(?!\n)"
MAX_ALLOWED_HOSTS: Final = 100

ConnectionName = Annotated[str, Meta(pattern=NAME_PATTERN, description="as steps name it: `connection: NAME`")]
SecretBody = Annotated[
    msgspec.Raw,
    Meta(
        description="write-only. `basic`: {username, password}; `bearer`: {token}; `api_key`: {header, value}; "
        "`custom_headers`: {headers: {NAME: VALUE}}; `oauth2_client_credentials`: {token_url, client_id, "
        "client_secret, scope?, audience?, client_auth?: basic | post}; `oauth2_authorization_code`: the same, and "
        "{authorize_url, issuer?}",
        extra_json_schema={"type": "object", "writeOnly": True},
    ),
]
AllowedHosts = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=260)]],
    Meta(
        max_length=MAX_ALLOWED_HOSTS,
        description="where the secret may be sent: api.example.com, *.example.com, either with :port; "
        "empty: wherever a step with this connection calls",
    ),
]


class NewConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection to make; its name is its workspace's own."""

    name: ConnectionName
    type: ConnectionType
    secret: SecretBody
    allowed_hosts: AllowedHosts = []


class ConnectionChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a connection; what is left out stays. Another type needs its secret."""

    name: ConnectionName | UnsetType = UNSET
    type: ConnectionType | UnsetType = UNSET
    secret: SecretBody | UnsetType = UNSET
    allowed_hosts: AllowedHosts | UnsetType = UNSET


class Authorization(Struct, frozen=True, kw_only=True):
    """Whether somebody has signed in for the connection, and what came of it.

    `needed`: steps fail until somebody does. `never`: nobody has with this secret; `refused`: the other system accepts
    the sign-in no more; `ended`: the access token has, and nothing came with it to ask for another one. `message`: why
    the last sign-in or refresh failed. `expires_at`: of the access token, which is replaced before.
    """

    status: Literal["needed", "granted"]
    reason: Literal["never", "refused", "ended"] | None
    message: str | None
    granted_by: UUID | None
    granted_at: datetime | None
    refreshed_at: datetime | None
    expires_at: datetime | None
    scope: str | None
    redirect_uri: Annotated[str, Meta(description="what the other system has to know as this product's address")]


class AuthorizationStart(Struct, frozen=True, kw_only=True):
    """Where to sign in, in the very browser that asked, and until when."""

    url: str
    expires_at: datetime


class ConnectionView(Struct, frozen=True, kw_only=True):
    """A connection without its secret; the ETag stands for the `revision`.

    `authorization`: of a connection that somebody signs in for, null for every other.
    """

    id: UUID
    name: str
    type: ConnectionType
    allowed_hosts: list[str]
    revision: int
    created_by: UUID
    updated_by: UUID
    created_at: datetime
    updated_at: datetime
    authorization: Authorization | None


class ConnectionSummary(ConnectionView, frozen=True, kw_only=True):
    """A connection as the list has it. `used_by_count`: how many workflows name it, null where that was not asked."""

    used_by_count: int | None


class ConnectionUse(Struct, frozen=True, kw_only=True):
    """A workflow that names the connection: in its draft, in its published version, or in both."""

    workflow_id: UUID
    workflow_name: str
    in_draft: bool
    in_published: bool


class ConnectionDetail(ConnectionView, frozen=True, kw_only=True):
    """A connection with the workflows that name it. Names that an expression gives are not among them."""

    used_by: list[ConnectionUse]


class ConnectionTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to call with the connection, by GET.

    Without a URL: the first host that is allowed, or, for an OAuth client, its token endpoint alone.
    """

    url: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None


class ConnectionTestResult(Struct, frozen=True, kw_only=True):
    """What came of it; nothing of an answer's body is shown.

    `ok`: the target took the credentials, as far as its status tells; `code` and `message` say why not.
    """

    ok: bool
    status: int | None
    elapsed_ms: int | None
    code: str | None
    message: str
