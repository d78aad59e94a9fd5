"""What signs people in through a provider, put together."""

from litestar.datastructures import State

from app.auth.oidc.accounts import AccountService
from app.auth.oidc.config import read_config
from app.auth.oidc.flows import PURPOSE, FlowCookies
from app.auth.oidc.provider import Provider
from app.auth.oidc.service import OidcService
from engine.infra.http_client import HttpClient
from engine.infra.secrets import SecretBox, SecretKeys
from engine.infra.settings import Settings


def open_oidc(state: State, http: HttpClient) -> OidcService | None:
    """The service of the provider that the settings name, None without one; nothing is asked of it yet."""
    settings: Settings = state.settings
    config = read_config(settings)
    if config is None:
        return None
    return OidcService(
        config=config,
        provider=Provider(config, http),
        cookies=FlowCookies(SecretBox(SecretKeys(settings), PURPOSE)),
        accounts=AccountService(config, state.database, state.members),
        links=state.identity_links,
        identity=state.identity,
        throttle=state.throttle,
        database=state.database,
    )
