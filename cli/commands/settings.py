"""`settings`: every setting there is."""

import re
import typing

import click
import msgspec
from msgspec import Struct
from msgspec.inspect import FloatType, IntType, LiteralType, Metadata, StrType, StructType, type_info

from cli.connections import without_password
from engine.infra.settings import SettingError, Settings, environment_name, load_settings

_SECRET = re.compile(r"key|token|secret|password")


class Setting(Struct, frozen=True, kw_only=True):
    """One setting as it is shown; secrets are masked."""

    name: str
    environment: str
    type: str
    default: typing.Any
    value: typing.Any
    description: str


def describe(current: Settings) -> list[Setting]:
    """Every setting with its meaning and its value in `current`."""
    structure = type_info(Settings)
    if not isinstance(structure, StructType):
        raise TypeError("Settings is no Struct")
    found = []
    for field in structure.fields:
        kind = field.type
        description = ""
        if isinstance(kind, Metadata):
            description = str((kind.extra_json_schema or {}).get("description", ""))
            kind = kind.type
        found.append(
            Setting(
                name=field.name,
                environment=environment_name(field.name),
                type=_name_type(kind),
                default=field.default,
                value=_mask(field.name, getattr(current, field.name)),
                description=description,
            )
        )
    return found


def _name_type(kind: msgspec.inspect.Type) -> str:
    match kind:
        case LiteralType(values):
            return " | ".join(map(str, values))
        case IntType(ge=low, le=high) if low is not None and high is not None:
            return f"integer {low}..{high}"
        case IntType(ge=low) if low is not None:
            return f"integer >= {low}"
        case FloatType(ge=low, le=high) if low is not None and high is not None:
            return f"number {low:g}..{high:g}"
        case IntType():
            return "integer"
        case FloatType():
            return "number"
        case StrType():
            return "text"
        case _:
            return "yes or no"


def _mask(name: str, value: typing.Any) -> typing.Any:
    if not isinstance(value, str) or not value:
        return value
    return "***" if _SECRET.search(name) else without_password(value)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def command(as_json: bool) -> int:
    """List every setting: environment variable, type, default, current value, meaning."""
    error = None
    try:
        current = load_settings()
    except SettingError as problem:
        # The list is the cure: show it, then say what is wrong.
        current, error = Settings(), problem
    settings = describe(current)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(settings), indent=2).decode())
    else:
        for setting in settings:
            changed = "" if setting.value == setting.default else f"  now: {setting.value}"
            click.echo(f"{setting.environment}  ({setting.type}, default {setting.default!r}){changed}")
            click.echo(f"    {setting.description}")
    if error:
        raise error
    return 0
