"""What the operator says about a provider of sign-ins is read whole, or refused with the name of the setting."""

from typing import Any

import pytest

from app.auth.oidc.config import is_safe_address, read_config
from app.auth.permissions import Role
from engine.infra.settings import SettingError, Settings

GOOD: dict[str, Any] = {"oidc_issuer": "https://id.example.com", "oidc_client_id": "flowforge"}


def test_without_an_issuer_there_is_no_provider() -> None:
    assert read_config(Settings()) is None


def test_a_provider_is_described_by_its_settings() -> None:
    config = read_config(
        Settings(
            **GOOD,
            public_url="https://flows.example.com/",
            oidc_scopes="openid  groups",
            oidc_domains=" Example.COM,sub.example.org ",
            oidc_role_claim="groups",
            oidc_roles="flow admins=admin, cn=devs=editor",
            oidc_default_role="viewer",
        )
    )
    assert config is not None
    assert config.redirect_uri == "https://flows.example.com/v1/auth/oidc/callback"
    assert config.login_url == "https://flows.example.com/v1/auth/oidc/login"
    assert config.scope == "openid groups"
    assert config.domains == {"example.com", "sub.example.org"}
    assert config.roles == {"flow admins": Role.ADMIN, "cn=devs": Role.EDITOR}
    assert config.default_role is Role.VIEWER


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"oidc_issuer": "http://id.example.com"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example.com/?x=1"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example.com/#x"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://user@id.example.com"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example.com:port"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_issuer": "id.example.com"}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "FLOWFORGE_OIDC_CLIENT_ID"),
        ({"oidc_issuer": ""}, "FLOWFORGE_OIDC_ISSUER"),
        ({"oidc_scopes": "email"}, "FLOWFORGE_OIDC_SCOPES"),
        ({"oidc_domains": "example.com,@b"}, "FLOWFORGE_OIDC_DOMAINS"),
        ({"oidc_role_claim": "groups"}, "FLOWFORGE_OIDC_ROLES"),
        ({"oidc_roles": "devs=editor"}, "FLOWFORGE_OIDC_ROLE_CLAIM"),
        ({"oidc_role_claim": "groups", "oidc_roles": "devs=god"}, "FLOWFORGE_OIDC_ROLES"),
        ({"oidc_role_claim": "groups", "oidc_roles": "editor"}, "FLOWFORGE_OIDC_ROLES"),
        ({"oidc_workspace": "main"}, "FLOWFORGE_OIDC_WORKSPACE"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named) as refused:
        read_config(Settings(**{**GOOD, **given}))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["devs", "admins"]}, Role.ADMIN),
        ({"groups": "devs"}, Role.EDITOR),
        ({"groups": ["others", 7, None]}, None),
        ({"groups": {"devs": True}}, None),
        ({}, None),
    ],
)
def test_the_strongest_role_of_the_claim_counts(claims: dict[str, Any], role: Role | None) -> None:
    config = read_config(Settings(**GOOD, oidc_role_claim="groups", oidc_roles="devs=editor,admins=admin"))
    assert config is not None
    assert config.find_role(claims) == role


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("https://example.com/roles", {"https://example.com/roles": ["devs"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["devs"]}}),
        ("realm_access.roles", {"realm_access.roles": ["devs"], "realm_access": {"roles": []}}),
    ],
)
def test_a_claim_is_found_by_its_name_or_by_the_way_to_it(name: str, claims: dict[str, Any]) -> None:
    config = read_config(Settings(**GOOD, oidc_role_claim=name, oidc_roles="devs=editor"))
    assert config is not None
    assert config.find_role(claims) == Role.EDITOR


@pytest.mark.parametrize(
    ("url", "issuer", "is_safe"),
    [
        ("https://login.example.org/token?tenant=7", "https://id.example.com", True),
        ("http://127.0.0.1:8080/token", "http://127.0.0.1:8080", True),
        ("http://127.0.0.1:8080/token", "https://id.example.com", False),
        ("http://id.example.com/token", "http://127.0.0.1:8080", False),
        ("javascript:alert(1)", "https://id.example.com", False),
        ("https:///token", "https://id.example.com", False),
        ("https://[::1", "https://id.example.com", False),
    ],
)
def test_credentials_go_over_https_or_stay_on_this_machine(url: str, issuer: str, is_safe: bool) -> None:
    assert is_safe_address(url, issuer) == is_safe
