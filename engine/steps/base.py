"""What a step type is: the contract that every step implements, our own as well as a third party's."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID

from msgspec import Struct, field

from engine.infra.http_client import HttpClient
from engine.infra.open_connections import OpenConnection

Cause = Literal["timeout", "connection", "status"]
Fault = tuple[str, str, str]
"""What is wrong with a configuration: JSON pointer in it, stable code, plain sentence."""


class RetryDefaults(Struct, frozen=True, kw_only=True):
    """How a failed attempt is tried again where the definition says nothing; times in seconds."""

    max_attempts: int = 1
    initial: float = 1.0
    factor: float = 2.0
    max: float = 60.0
    jitter: bool = True


class Connections(Protocol):
    """The connections of one workspace, opened at the moment of an attempt."""

    async def open(self, name: str) -> OpenConnection:
        """The connection as it is now; raises ConnectionFault."""

    async def discard_token(self, connection: OpenConnection) -> bool:
        """The target has refused the access token; whether the next attempt gets another one than this was."""


class StepContext(Struct, frozen=True, kw_only=True):
    """What one attempt knows beside its configuration.

    `idempotency_key` is the same for all attempts of a step in a run; `timeout` is in seconds, for the whole attempt.
    """

    run_id: UUID
    step_id: str
    attempt: int
    idempotency_key: str
    timeout: float
    http: HttpClient
    connections: Connections | None = None
    traceparent: str | None = None
    started: float = field(default_factory=monotonic)

    @property
    def remaining_seconds(self) -> float:
        """What is left of the timeout, never below zero."""
        return max(self.started + self.timeout - monotonic(), 0.0)


class StepFailure(Exception):
    """An attempt has failed.

    `code` is stable, `message` a sentence for the person who built the workflow. `cause` and `status` are what
    `retry.on` selects by, `retryable` is what holds where it selects nothing; `retry_after` is the wait in seconds
    that the target asks for. `details` is any JSON value.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        cause: Cause | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cause = cause
        self.status = status
        self.retry_after = retry_after
        self.retryable = retryable
        self.details = details


class StepType(ABC):
    """A type of step: how it is named, shown and configured.

    `Config` describes `with`; its JSON Schema is the form in the web builder. `ports` are those beside `error`.
    `has_steps`: steps of its own stand beside `with`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str]
    Config: ClassVar[type[Struct]]
    ports: ClassVar[tuple[str, ...]] = ()
    has_steps: ClassVar[bool] = False

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:  # noqa: ARG002 - a hook with an empty default
        """Faults of a configuration that fits the JSON Schema but breaks another rule.

        It is as written in the definition: any value in it may still be a template.
        """
        return ()


class ControlStep(StepType):
    """A step that the engine decides by itself: nothing is performed."""


class ActionStep(StepType):
    """A step that an attempt performs.

    `keeps_timeout`: `run` ends within `context.timeout` by itself, and need not be watched.
    """

    keeps_timeout: ClassVar[bool] = False
    default_timeout: ClassVar[float] = 30.0
    default_retry: ClassVar[RetryDefaults] = RetryDefaults()

    def find_target(self, config: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - a hook with an empty default
        """The `host:port` that an attempt with this configuration calls: attempts for one target can be limited."""
        return None

    @abstractmethod
    async def run(self, config: Any, context: StepContext) -> Any:
        """Perform one attempt: `config` is a `Config`, the result any JSON value; raises StepFailure.

        It may be called again after it was interrupted at any point, with the same idempotency key.
        """
