"""Request bodies: decoded once, strictly, into the type that the handler names, with every fault listed.

Litestar's own way decodes to plain objects first and then converts leniently ("5" passes for 5), ignores the
content type, and answers 500 to deep nesting. This class is set as the application's DTO and takes its place.
"""

import re
from collections.abc import Sequence
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition
from msgspec import Struct, UnsetType

from app.errors import InvalidRequest, MalformedBody, UnsupportedMediaType
from engine.core.places import escape_token
from engine.core.problems import Problem

MAX_DEPTH = 64
MAX_KEYS = 10_000
# Of calls that anybody may make: looking through more of it would be work for strangers.
SMALL_BODY_BYTES = 65_536
# One that never ends goes to the end: else each quotation mark in it would be looked on from anew.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_HIGH_SURROGATE = 0xD800
_LOW_SURROGATES = (0xDC00, 0xDFFF)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AT = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_SEGMENT = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
# How msgspec words its faults, and the stable codes that stand for them.
_CODES = (
    ("missing required field", "required"),
    ("contains unknown field", "unknown_field"),
    ("length", "length"),
    ("matching regex", "format"),
    ("Invalid enum value", "choice"),
    ("Invalid value", "choice"),
    ("Invalid UUID", "format"),
    ("Invalid RFC3339", "format"),
    (">=", "range"),
    ("<=", "range"),
    (" > ", "range"),
    (" < ", "range"),
)


class NoFields(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a call that has nothing to be told: none, or an object without fields."""


NOTHING_SAID = NoFields()


def check_media_type(headers: Any) -> None:
    """Raise UnsupportedMediaType unless the body is plain JSON: forms and text/plain pass browsers' CSRF checks."""
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise UnsupportedMediaType
    if not _JSON_TYPE.fullmatch(headers.get("content-type", "").strip()):
        raise UnsupportedMediaType


def decode_body(raw: bytes, target: Any) -> Any:
    """Decode JSON into `target`; raises MalformedBody, or InvalidRequest with every fault that can be told apart."""
    check_depth(raw)
    try:
        check_keys(raw)
        # Parts that stay undecoded must be UTF-8 as well.
        raw.decode()
        try:
            return msgspec.json.decode(raw, type=target)
        except msgspec.ValidationError as error:
            raise InvalidRequest(errors=_all_problems(raw, target, error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"The body is no valid JSON: {explain_decoding(raw, error)}.") from None
    except RecursionError:
        raise _too_deep() from None


def explain_decoding(raw: bytes, error: Exception) -> str:
    """Why `raw` could not be decoded, which `error` tells; half of a character is told by its name and place."""
    half: re.Match[bytes] | None = None
    for escape in _ESCAPE.finditer(raw):
        unit = int(escape[1], 16) if escape[1] else 0
        follows = half is not None and half.end() == escape.start()
        if _LOW_SURROGATES[0] <= unit <= _LOW_SURROGATES[1] and follows:
            half = None
            continue
        if half is not None:
            break
        if _HIGH_SURROGATE <= unit <= _LOW_SURROGATES[1]:
            half = escape
            if unit >= _LOW_SURROGATES[0]:
                break
    if half is None:
        return str(error)
    return (
        f"{half[0].decode()} at byte {half.start()} is half of a character (a lone surrogate), which no text can hold; "
        "send both halves, or leave it out"
    )


def check_depth(raw: bytes) -> None:
    """Raise MalformedBody where arrays and objects are nested over 64 levels deep, without recursion."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRING.sub(b"", raw).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        # Each pass takes the innermost level of every branch away.
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    if brackets.count(b"[") > MAX_DEPTH or b"[]" in brackets:
        raise _too_deep()


def check_keys(raw: bytes) -> None:
    """Raise MalformedBody where an object has over 10,000 keys, msgspec's errors where that is no JSON at all."""
    if raw.count(b":") <= MAX_KEYS:
        return
    level: list[Any] = [[msgspec.json.decode(raw)]]
    while level:
        if any(type(value) is dict and len(value) > MAX_KEYS for value in level):
            raise MalformedBody(f"An object of the body has more than {MAX_KEYS:,} keys.")
        level = [
            member
            for value in level
            for member in (value.values() if type(value) is dict else value)
            if type(member) is dict or type(member) is list
        ]


def _too_deep() -> MalformedBody:
    return MalformedBody(f"The body is nested more than {MAX_DEPTH} levels deep.")


def _all_problems(raw: bytes, target: Any, first: msgspec.ValidationError) -> list[Problem]:
    """One fault a field: msgspec stops at the first fault of all, so each field is decoded by itself."""
    if not (isinstance(target, type) and issubclass(target, Struct)):
        return [_problem("", first)]
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return [_problem("", first)]
    hints = get_type_hints(target, include_extras=True)
    names = dict(zip(target.__struct_encode_fields__, target.__struct_fields__, strict=True))
    required = {field.encode_name for field in msgspec.structs.fields(target) if field.required}
    problems = [Problem(_point(name), "required", "this field is missing") for name in sorted(required - set(fields))]
    for name, value in fields.items():
        if name not in names:
            problems.append(Problem(_point(name), "unknown_field", "there is no such field"))
            continue
        try:
            msgspec.json.decode(value, type=_without_unset(hints[names[name]]))
        except msgspec.ValidationError as error:
            problems.append(_problem(_point(name), error, hints[names[name]]))
        except msgspec.DecodeError:
            problems.append(Problem(_point(name), "invalid", "this is no valid JSON"))
    return problems or [_problem("", first)]


def _without_unset(hint: Any) -> Any:
    arguments = getattr(hint, "__args__", ())
    if UnsetType not in arguments:
        return hint
    kept = [argument for argument in arguments if argument is not UnsetType]
    union = kept[0]
    for argument in kept[1:]:
        union |= argument
    return union


def _problem(prefix: str, error: msgspec.ValidationError, hint: Any = None) -> Problem:
    """The fault of what stands at `prefix` and is to be of the type `hint`."""
    text = str(error)
    where = _AT.search(text)
    path = [key or index for key, index in _SEGMENT.findall(where[1] if where else "")]
    pointer = prefix + "".join(_point(part) for part in path if part != "...")
    code = next((code for words, code in _CODES if words in text), "type")
    message = _AT.sub("", text)
    choices = _list_choices(hint, path) if message.startswith("Invalid enum value") else []
    return Problem(pointer, code, f"{message}; there are {', '.join(choices)}" if choices else message)


def _list_choices(hint: Any, path: Sequence[str]) -> list[str]:
    """The values that may stand at this path below a type, where there are but a few."""
    kinds = _flatten(hint)
    for name in path:
        kinds = [inner for kind in kinds for member in _list_members(kind, name) for inner in _flatten(member)]
    choices: list[str] = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            choices += map(str, get_args(kind))
        elif isinstance(kind, type) and issubclass(kind, Enum):
            choices += [str(member.value) for member in kind]
    return choices


def _flatten(hint: Any) -> list[Any]:
    """The types that a type stands for, without unions and annotations."""
    if hasattr(hint, "__metadata__"):
        return _flatten(hint.__origin__)
    if get_origin(hint) in (Union, UnionType):
        return [kind for argument in get_args(hint) for kind in _flatten(argument)]
    return [hint]


def _list_members(kind: Any, name: str) -> Sequence[Any]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
        return [get_type_hints(kind, include_extras=True)[names[name]]] if name in names else []
    return get_args(kind)[-1:] if get_origin(kind) in (list, dict) else []


def _point(name: str) -> str:
    return "/" + escape_token(name)


class StrictBody(AbstractDTO[Any]):
    """Stands between the request's bytes and the handler's `data`."""

    def decode_bytes(self, value: bytes) -> Any:
        """The body as the handler's type."""
        connection: ASGIConnection[Any, Any, Any, Any] = self.asgi_connection
        check_media_type(connection.headers)
        field = getattr(connection.route_handler, "parsed_data_field", None)
        return decode_body(value, field.annotation if field else Any)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing has to be prepared."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        """The schema of the handler's own type."""
        del handler_id
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Any:
        """No transfer model: fields are not renamed or left out."""
        del model_type
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """No transfer model: nested types are decoded as they are."""
        del field_definition
        return False
