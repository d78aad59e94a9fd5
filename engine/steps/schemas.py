"""The JSON Schema of a step type's `with`."""

from typing import Any

import msgspec
from msgspec import Struct


def describe_config(config: type[Struct]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a `Config`; raises TypeError for one that has none."""
    (reference,), definitions = msgspec.json.schema_components([config], ref_template="#/$defs/{name}")
    schema = dict(definitions.pop(reference["$ref"].removeprefix("#/$defs/")))
    if definitions:
        schema["$defs"] = definitions
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
