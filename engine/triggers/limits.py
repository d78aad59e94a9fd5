"""How many calls a trigger takes."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.triggers.flow import FlowConfig


class RateLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `per_minute` calls a minute on average, and as many at once after a quiet minute."""

    per_minute: Annotated[int, Meta(ge=1, le=1_000_000)]


class LimitedConfig(FlowConfig, frozen=True, kw_only=True):
    """The part of a trigger's configuration that is about limits of its calls, and about holding events back."""

    rate_limit: RateLimit | UnsetType = UNSET
