"""What Locust's own report shows."""

from typing import Any

from locust.env import Environment


def tell(
    environment: Environment, kind: str, name: str, milliseconds: float, *, size: int = 0, error: str = ""
) -> None:
    """Count something, and the time that it took, in Locust's statistics."""
    # Locust left it untyped.
    fire: Any = environment.events.request.fire
    fire(
        request_type=kind,
        name=name,
        response_time=milliseconds,
        response_length=size,
        exception=OSError(error) if error else None,
        context={},
    )
