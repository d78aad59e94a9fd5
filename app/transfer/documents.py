"""The body of an import, read into workflow files."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from app.bodies import check_media_type, decode_body
from app.errors import InvalidRequest, InvalidYaml, UnsupportedMediaType
from app.transfer.schemas import WorkflowFile
from app.transfer.yaml_reader import MAX_DOCUMENTS, YamlDocument, YamlFault, read_documents
from app.workflows.definitions import find_repetitions
from engine.core.problems import Problem

MAX_IMPORT_BYTES: Final = 4_194_304
_YAML_TYPE = re.compile(r"(?:application|text)/(?:x-)?yaml\s*(?:;.*)?", re.IGNORECASE)

Places = Mapping[str, tuple[int, int]]


class ReadFile(Struct, frozen=True, kw_only=True):
    """A workflow file, and where its parts stand in the YAML that it came from. `prefix` is its place among others."""

    file: WorkflowFile
    prefix: str
    places: Places


class FileReader:
    """Reads bodies, one YAML at a time: it takes a second for the largest, which others should not feel."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def read(self, raw: bytes, headers: Any, name: str | None) -> list[ReadFile]:
        """The files of a body; `name` is for a definition that stands alone.

        Raises UnsupportedMediaType, MalformedBody, InvalidYaml or InvalidRequest with every fault.
        """
        if not _is_yaml(headers):
            check_media_type(headers)
            bodies = _split_json(raw)
            if repeated := await find_repetitions(raw):
                raise InvalidRequest(errors=repeated)
            return _convert([(body, {}) for body in bodies], name, is_list=raw.lstrip()[:1] == b"[")
        async with self._turn:
            documents = await asyncio.to_thread(_read_yaml, raw)
        bodies_with_places = [(msgspec.json.encode(document.value), document.places) for document in documents]
        return _convert(bodies_with_places, name, is_list=len(documents) > 1)


def _is_yaml(headers: Any) -> bool:
    if not _YAML_TYPE.fullmatch(headers.get("content-type", "").strip()):
        return False
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise UnsupportedMediaType
    return True


def _read_yaml(raw: bytes) -> list[YamlDocument]:
    try:
        return read_documents(raw)
    except YamlFault as fault:
        raise InvalidYaml(
            f"Line {fault.line}, column {fault.column}: {fault.message}.",
            errors=[] if fault.problem is None else [fault.problem],
            members={"line": fault.line, "column": fault.column},
        ) from None


def _split_json(raw: bytes) -> list[bytes]:
    value = decode_body(raw, msgspec.Raw)
    if bytes(value).lstrip()[:1] != b"[":
        return [bytes(value)]
    return [bytes(item) for item in decode_body(raw, list[msgspec.Raw])]


def _convert(bodies: Sequence[tuple[bytes, Places]], name: str | None, *, is_list: bool) -> list[ReadFile]:
    if not bodies:
        raise InvalidRequest(errors=[Problem("", "required", "there is no workflow in this")])
    if len(bodies) > MAX_DOCUMENTS:
        raise InvalidRequest(errors=[Problem("", "length", f"at most {MAX_DOCUMENTS} workflows are taken at a time")])
    found, faults = [], []
    for number, (body, places) in enumerate(bodies):
        prefix = f"/{number}" if is_list else ""
        try:
            file = _read_file(body, name, may_be_bare=not is_list)
        except InvalidRequest as error:
            faults += locate(error.errors, prefix, places)
        else:
            found.append(ReadFile(file=file, prefix=prefix, places=places))
    if faults:
        raise InvalidRequest(errors=faults)
    return found


def _read_file(body: bytes, name: str | None, *, may_be_bare: bool) -> WorkflowFile:
    """The workflow file, or one made around a bare definition."""
    fields: dict[str, msgspec.Raw] = decode_body(body, dict[str, msgspec.Raw])
    if "flowforge" in fields or not may_be_bare or "steps" not in fields:
        file: WorkflowFile = decode_body(body, WorkflowFile)
        if "flowforge" not in fields:
            raise InvalidRequest(
                errors=[Problem("/flowforge", "required", "a workflow file begins with `flowforge: 1`")]
            )
        return file
    if name is None:
        message = "a definition alone has no name: give one in the query, or put it into a workflow file"
        raise InvalidRequest(errors=[Problem("/name", "required", message)])
    named = msgspec.json.encode({"flowforge": 1, "name": name, "definition": msgspec.Raw(body)})
    wrapped: WorkflowFile = decode_body(named, WorkflowFile)
    return wrapped


def locate(faults: Sequence[Problem], prefix: str, places: Places) -> list[Problem]:
    """The faults with pointers into the whole body, and with lines where it is YAML."""
    return [
        Problem(prefix + fault.pointer, fault.code, fault.message + _say_place(find_place(fault.pointer, places)))
        for fault in faults
    ]


def find_place(pointer: str, places: Places) -> tuple[int, int] | None:
    """Line and column of what a pointer names, or of the nearest that is around it and is there."""
    while pointer not in places and pointer:
        pointer = pointer.rpartition("/")[0]
    return places.get(pointer)


def _say_place(place: tuple[int, int] | None) -> str:
    return f" (line {place[0]}, column {place[1]})" if place else ""
