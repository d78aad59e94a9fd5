"""Whether people can sign in through the provider that the settings name."""

from typing import Literal

from app.auth.oidc.config import read_config
from app.auth.oidc.errors import SignInFailed
from app.auth.oidc.provider import Provider
from engine.infra.http_client import HttpClient
from engine.infra.settings import SettingError, Settings


async def look_at_provider(settings: Settings) -> tuple[Literal["ok", "fail"], str] | None:
    """How it is with the provider, and the cure where something is wrong; None where none is set up."""
    try:
        config = read_config(settings)
        if config is None:
            return None
        async with HttpClient(settings) as http:
            await Provider(config, http).check()
    except SettingError as error:
        return "fail", str(error)
    except SignInFailed as failed:
        return "fail", f"FLOWFORGE_OIDC_ISSUER={settings.oidc_issuer}: {failed.reason}."
    return "ok", f"{config.issuer} answers; it leads browsers back to {config.redirect_uri}"
