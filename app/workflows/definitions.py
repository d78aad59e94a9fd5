"""Definitions as the API sees them: bytes to keep, and what is wrong with them."""

import asyncio
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from app.bodies import check_depth, explain_decoding
from app.errors import InvalidRequest, MalformedBody, PayloadTooLarge
from app.repeated_keys import find_repeated_keys
from engine.core.definition import MAX_BYTES
from engine.core.problems import Problem
from engine.steps.validation import validate_definition

# Validating takes milliseconds a hundred KiB: from here on it leaves the event loop to others.
_THREAD_FROM_BYTES: Final = 32_768


async def read_draft(raw: bytes) -> dict[str, Any]:
    """The JSON object of a draft; raises PayloadTooLarge, MalformedBody or InvalidRequest where it is none.

    One with a key that stands twice is none: what is shown of it would not be what is run.
    """
    if len(raw) > MAX_BYTES:
        raise PayloadTooLarge(f"A definition has at most {MAX_BYTES:,} bytes.")
    document = decode_document(raw)
    if not isinstance(document, dict):
        fault = Problem("/definition", "type", "a definition is a JSON object")
        raise InvalidRequest(errors=[fault])
    if faults := await find_repetitions(raw):
        raise InvalidRequest(errors=[replace(fault, pointer=f"/definition{fault.pointer}") for fault in faults])
    return document


async def find_repetitions(raw: bytes) -> list[Problem]:
    """The keys that stand twice in valid JSON, with pointers into it."""
    if len(raw) < _THREAD_FROM_BYTES:
        return find_repeated_keys(raw)
    return await asyncio.to_thread(find_repeated_keys, raw)


def decode_document(raw: bytes) -> Any:
    """The JSON value of `raw`; raises MalformedBody."""
    check_depth(raw)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"The definition is no valid JSON: {explain_decoding(raw, error)}.") from None


async def find_problems(document: object, size: int) -> list[Problem]:
    """Every fault of a definition of `size` bytes, with pointers into it."""
    if size < _THREAD_FROM_BYTES:
        return validate_definition(document)
    return await asyncio.to_thread(validate_definition, document)
