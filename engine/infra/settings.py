"""Every setting of FlowForge: its type, default, meaning, and how it is read from the environment."""

import os
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Meta, Struct

PREFIX = "FLOWFORGE_"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names the setting and the cure."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one process. Each field is the environment variable `FLOWFORGE_<NAME>`."""

    database_url: Annotated[str, Meta(description="PostgreSQL to use; empty: the embedded server of `up`")] = ""
    redis_url: Annotated[str, Meta(description="Redis to use; empty: the embedded server of `up`")] = ""
    host: Annotated[str, Meta(description="address that the API listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="port that the API listens on")] = 8000
    public_url: Annotated[str, Meta(description="address under which others reach the API; empty: host and port")] = ""
    trusted_proxies: Annotated[
        str, Meta(description="addresses or CIDRs of proxies whose X-Forwarded-For is believed, comma separated")
    ] = ""
    data_dir: Annotated[str, Meta(description="folder of the embedded servers, the secret key and run.json")] = (
        ".flowforge"
    )
    workers: Annotated[int, Meta(ge=0, le=64, description="worker processes that `up` starts")] = 1
    secret_key: Annotated[
        str, Meta(description="32 random bytes as base64; empty: DATA_DIR/secret.key, made on first use")
    ] = ""
    older_secret_keys: Annotated[
        str, Meta(description="further secret keys, comma separated, that still open what they sealed; empty: none")
    ] = ""
    setup_token: Annotated[str, Meta(description="one-time token that the first set-up asks for; empty: none")] = ""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="lowest level logged")] = "info"
    log_format: Annotated[Literal["json", "console"], Meta(description="how log lines look")] = "json"
    http_allow_private: Annotated[
        str, Meta(description="private targets that steps may call: CIDR or host:port, comma separated, or *")
    ] = ""
    http_max_body: Annotated[int, Meta(ge=1024, description="bytes of a response body that an http step takes")] = (
        1_048_576
    )
    hook_max_body: Annotated[int, Meta(ge=1024, description="bytes of a webhook body that is accepted")] = 1_048_576
    hook_workspace_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000, description="webhook calls a minute that one workspace takes; 0: no limit")
    ] = 0
    hook_address_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000, description="webhook calls a minute from one address; 0: no limit")
    ] = 0
    held_events_per_trigger: Annotated[
        int, Meta(ge=0, le=100_000_000, description="events of one trigger that may wait for their run; 0: no limit")
    ] = 100_000
    http_max_in_flight: Annotated[int, Meta(ge=1, description="requests in flight in one worker")] = 12_500
    http_limit_per_host: Annotated[
        int, Meta(ge=0, description="connections of one worker to one host and port; 0: no limit")
    ] = 0
    max_active_runs: Annotated[int, Meta(ge=1, description="runs that one worker holds in memory")] = 5000
    database_pool: Annotated[int, Meta(ge=1, le=200, description="database connections of one API process")] = 5
    row_security: Annotated[
        Literal["auto", "off", "required"],
        Meta(description="whether the database keeps workspaces apart too; auto: where it has the role for it"),
    ] = "auto"
    access_token_seconds: Annotated[int, Meta(ge=60, le=3600, description="life of an access token")] = 900
    oidc_issuer: Annotated[
        str, Meta(description="OpenID provider that people may sign in with, its issuer; empty: none")
    ] = ""
    oidc_client_id: Annotated[str, Meta(description="what the provider calls this FlowForge")] = ""
    oidc_client_secret: Annotated[
        str, Meta(description="what FlowForge shows to the provider; empty: it is a public client")
    ] = ""
    oidc_name: Annotated[str, Meta(min_length=1, max_length=100, description="what the sign-in page calls it")] = (
        "single sign-on"
    )
    oidc_scopes: Annotated[str, Meta(description="what the provider is asked for")] = "openid email profile"
    oidc_domains: Annotated[
        str, Meta(description="domains of verified email addresses that are let in, comma separated; empty: all")
    ] = ""
    oidc_provision: Annotated[
        bool, Meta(description="whether somebody new gets an account by signing in through the provider")
    ] = False
    oidc_workspace: Annotated[
        str, Meta(description="id of the workspace that somebody new becomes a member of; empty: the oldest one")
    ] = ""
    oidc_role_claim: Annotated[
        str, Meta(description="claim that gives roles, like groups or realm_access.roles; empty: none")
    ] = ""
    oidc_roles: Annotated[
        str, Meta(description="values of that claim and their roles, like flow-admins=admin,devs=editor")
    ] = ""
    oidc_default_role: Annotated[
        Literal["none", "viewer", "operator", "editor", "admin"],
        Meta(description="role of whom the claim gives none; none: they are not let in"),
    ] = "none"
    otlp_endpoint: Annotated[str, Meta(description="OTLP/HTTP collector, like http://host:4318; empty: none")] = ""
    trace_sample_ratio: Annotated[float, Meta(ge=0, le=1, description="share of new traces that is recorded")] = 0.01
    worker_heartbeat_seconds: Annotated[float, Meta(gt=0, description="time between a worker's heartbeats")] = 0.5
    worker_ttl_seconds: Annotated[float, Meta(gt=0, description="silence after which a worker is declared dead")] = 5.0
    sweep_seconds: Annotated[float, Meta(gt=0, description="time between sweeps for work that nobody announced")] = 1.0
    suspend_after_seconds: Annotated[
        float, Meta(ge=0, description="longest wait that a run spends in a worker's memory")
    ] = 30.0
    retention_days: Annotated[
        int, Meta(ge=0, le=36_500, description="days that runs are kept after their end, and receipts; 0: for ever")
    ] = 30
    dedup_hours: Annotated[int, Meta(ge=24, description="hours for which the same inbound event is a repeat")] = 72
    retention_interval_seconds: Annotated[
        float, Meta(gt=0, description="time between looks for what is to be deleted for its age")
    ] = 300.0
    retention_batch_rows: Annotated[
        int, Meta(ge=1, le=10_000, description="rows that are deleted for their age in one transaction")
    ] = 200
    drain_seconds: Annotated[float, Meta(ge=0, description="time that steps in flight get when a worker stops")] = 20.0
    build_web: Annotated[
        bool,
        Meta(description="whether `up` builds the web app where it is missing or stale; `./flowforge up` says true"),
    ] = False
    test_database_faults: Annotated[
        str, Meta(description="for tests only, RATE:SEED: share of statements that fail; empty: none")
    ] = ""

    @property
    def base_url(self) -> str:
        """The address of the API as others see it, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    @property
    def is_reached_by_others(self) -> bool:
        """Whether others than this machine reach the API: by where it listens, or through a proxy in front of it."""
        return not (is_loopback(self.host) and is_loopback(urlsplit(self.base_url).hostname or ""))


class Faults(NamedTuple):
    """How often statements fail, and the seed of the plan."""

    rate: float
    seed: int


def read_faults(settings: Settings) -> Faults | None:
    """The faults that a test asks for, None without any. Raises SettingError where they could do harm."""
    if not settings.test_database_faults:
        return None
    name = environment_name("test_database_faults")
    rate, _, seed = settings.test_database_faults.partition(":")
    try:
        faults = Faults(float(rate), int(seed))
    except ValueError:
        faults = Faults(-1.0, 0)
    if not 0 < faults.rate <= 1:
        raise SettingError(f"{name}={settings.test_database_faults!r} cannot be used: it is RATE:SEED, like 0.01:7.")
    hosts = {settings.host, urlsplit(settings.public_url).hostname, *_database_hosts(settings.database_url)}
    if strangers := sorted(host for host in hosts if host and host not in _LOOPBACK and not host.startswith("/")):
        raise SettingError(
            f"{name} makes statements fail and is for tests alone: "
            f"it is refused together with {', '.join(strangers)}, as with all that is not this machine's loopback."
        )
    return faults


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an API that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _database_hosts(url: str) -> set[str]:
    """Every host that a PostgreSQL address names, also as a parameter, and also of several."""
    parts = urlsplit(url)
    named = parts.netloc.rpartition("@")[2].split(",") + ",".join(parse_qs(parts.query).get("host", [])).split(",")
    return {host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0] for host in named}


def environment_name(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (values not None) win.

    Raises SettingError with one line that names the variable.
    """
    source = os.environ if environment is None else environment
    hints = get_type_hints(Settings, include_extras=True)
    values: dict[str, Any] = {}
    for field, hint in hints.items():
        raw = overrides.get(field)
        if raw is None:
            raw = source.get(environment_name(field))
        if raw is None:
            continue
        try:
            values[field] = msgspec.convert(raw, hint, strict=False)
        except msgspec.ValidationError as error:
            message = f"{environment_name(field)}={raw!r} cannot be used: {error}. See `./flowforge settings`."
            raise SettingError(message) from None
    settings = Settings(**values)
    read_faults(settings)
    return settings


def load_secret_key(settings: Settings) -> str:
    """The newest secret key (base64), made and kept in the data folder on first use where none is set."""
    if settings.secret_key:
        return settings.secret_key
    path = secret_key_file(settings)
    if path.exists():
        return (path.read_text().split() or [""])[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    key = msgspec.json.encode(secrets.token_bytes(32)).decode().strip('"')
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return (path.read_text().split() or [""])[0]
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def secret_key_file(settings: Settings) -> Path:
    """Where secret keys are kept that no setting names: one a line, the newest first."""
    return Path(settings.data_dir) / "secret.key"


def load_secret_keys(settings: Settings) -> tuple[str, ...]:
    """All secret keys (base64), the newest first: the others open what they sealed and seal nothing more."""
    newest = load_secret_key(settings)
    older = [key.strip() for key in settings.older_secret_keys.split(",")]
    if not settings.secret_key:
        older += secret_key_file(settings).read_text().split()[1:]
    return tuple(dict.fromkeys([newest, *filter(None, older)]))
