"""Large values as readers see them: their beginning, their size, and where the rest is."""

from typing import Any

import msgspec

from engine.core.events import PayloadRef, RunSucceeded, StepSucceeded

INLINE_BYTES = 65_536
PREVIEW_CHARACTERS = 1_000
GIVEN_FIELDS = frozenset({"trigger", "input", "mocks", "preset", "vars"})
"""What a run was given when it was queued or started; as a payload each is named by event and field, as `1.input`."""

_encoder = msgspec.json.Encoder()


def present_output(event: StepSucceeded | RunSucceeded, seq: int) -> Any:
    """The output of an event, or `{preview, size, ref}` where it is large: `ref` names a payload, or else the event."""
    if event.output_ref is not None:
        return msgspec.to_builtins(event.output_ref)
    return present(event.output, str(seq))


def present(value: Any, ref: str | None) -> Any:
    """The value, or `{preview, size, ref}` where it has over 64 KiB as JSON."""
    data = _encoder.encode(value)
    if len(data) <= INLINE_BYTES:
        return value
    # Cut in bytes first: decoding all of it for its beginning would be waste.
    preview = data[: 4 * PREVIEW_CHARACTERS].decode(errors="ignore")[:PREVIEW_CHARACTERS]
    if ref is None:
        return {"preview": preview, "size": len(data), "ref": None}
    return msgspec.to_builtins(PayloadRef(ref=ref, size=len(data), preview=preview))
