"""What the operator says about the provider, checked before anything is served."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct

from app.auth.permissions import Role, is_above
from engine.infra.settings import SettingError, Settings, environment_name

CALLBACK: Final = "/v1/auth/oidc/callback"
LOGIN: Final = "/v1/auth/oidc/login"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")


class OidcConfig(Struct, frozen=True, kw_only=True):
    """One provider, as the settings describe it."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    scope: str
    redirect_uri: str
    login_url: str
    domains: frozenset[str]
    is_provisioning: bool
    workspace_id: UUID | None
    role_claim: str
    roles: Mapping[str, Role]
    default_role: Role | None

    @property
    def is_mapping_roles(self) -> bool:
        """Whether the provider decides on roles."""
        return bool(self.role_claim)

    def needs_more_than(self, claims: Mapping[str, Any]) -> bool:
        """Whether something that is asked for here is not among these claims."""
        named = {"email", "name"} <= claims.keys()
        return not named or (self.is_mapping_roles and _find_claim(claims, self.role_claim) is None)

    def find_role(self, claims: Mapping[str, Any]) -> Role | None:
        """The strongest role that the claim gives, else the default one, else None."""
        value = _find_claim(claims, self.role_claim) if self.role_claim else None
        found: Role | None = None
        for each in value if isinstance(value, list) else [value]:
            role = self.roles.get(each) if isinstance(each, str) else None
            if role is not None and (found is None or is_above(role, found)):
                found = role
        return found or self.default_role


def read_config(settings: Settings) -> OidcConfig | None:
    """The provider of the settings, None without one. Raises SettingError for what cannot be used."""
    if not settings.oidc_issuer:
        _require_nothing_else(settings)
        return None
    if not is_safe_address(settings.oidc_issuer, settings.oidc_issuer):
        raise _bad("oidc_issuer", settings.oidc_issuer, "it is an https address without query or fragment")
    if not settings.oidc_client_id:
        raise SettingError(f"{environment_name('oidc_client_id')} is not set: the provider gives it out.")
    scope = " ".join(settings.oidc_scopes.split())
    if "openid" not in scope.split(" "):
        raise _bad("oidc_scopes", settings.oidc_scopes, "`openid` is among them")
    roles = _read_roles(settings)
    if bool(roles) != bool(settings.oidc_role_claim):
        raise SettingError(
            f"{environment_name('oidc_role_claim')} and {environment_name('oidc_roles')} go together: "
            "set both, or neither."
        )
    return OidcConfig(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        name=settings.oidc_name,
        scope=scope,
        redirect_uri=settings.base_url + CALLBACK,
        login_url=settings.base_url + LOGIN,
        domains=_read_domains(settings),
        is_provisioning=settings.oidc_provision,
        workspace_id=_read_workspace(settings),
        role_claim=settings.oidc_role_claim,
        roles=roles,
        default_role=Role(settings.oidc_default_role) if settings.oidc_default_role != "none" else None,
    )


def is_safe_address(url: str, issuer: str) -> bool:
    """Whether credentials may go to an address of this issuer's: https, or http on this very machine alone."""
    try:
        parts, home = urlsplit(url), urlsplit(issuer)
        is_local = parts.hostname in _LOOPBACK and home.hostname in _LOOPBACK
        is_plain = not parts.fragment and not parts.username and parts.port != 0
    except ValueError:
        return False
    if url == issuer and parts.query:
        return False
    return bool(parts.hostname) and is_plain and (parts.scheme == "https" or (parts.scheme == "http" and is_local))


def _find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this very name, or else the one that its dots lead to."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _read_domains(settings: Settings) -> frozenset[str]:
    domains = frozenset(filter(None, (part.strip().lower() for part in settings.oidc_domains.split(","))))
    if strange := sorted(domain for domain in domains if _DOMAIN.fullmatch(domain) is None):
        raise _bad("oidc_domains", settings.oidc_domains, f"{strange[0]!r} is no domain like example.com")
    return domains


def _read_roles(settings: Settings) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    for entry in filter(None, (part.strip() for part in settings.oidc_roles.split(","))):
        value, _, role = entry.rpartition("=")
        if not value or role not in list(Role):
            kinds = ", ".join(each.value for each in Role)
            raise _bad("oidc_roles", settings.oidc_roles, f"{entry!r} is not VALUE=ROLE with one of {kinds}")
        roles[value.strip()] = Role(role)
    return roles


def _read_workspace(settings: Settings) -> UUID | None:
    if not settings.oidc_workspace:
        return None
    try:
        return UUID(settings.oidc_workspace)
    except ValueError:
        raise _bad("oidc_workspace", settings.oidc_workspace, "it is the id of a workspace") from None


def _require_nothing_else(settings: Settings) -> None:
    """Somebody who has set up a provider without naming it would look for its button in vain."""
    for field in ("oidc_client_id", "oidc_client_secret"):
        if getattr(settings, field):
            raise SettingError(f"{environment_name(field)} is set, but {environment_name('oidc_issuer')} is not.")


def _bad(field: str, value: str, rule: str) -> SettingError:
    return SettingError(f"{environment_name(field)}={value!r} cannot be used: {rule}. See `./flowforge settings`.")
