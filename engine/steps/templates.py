"""How templates in a configuration are told from plain values, before they are rendered."""

from typing import Any, TypeGuard


def is_template(value: Any) -> TypeGuard[str]:
    """Whether the value is a text with an expression in it."""
    return isinstance(value, str) and "{{" in value


def is_expression(value: Any) -> bool:
    """Whether the value is one expression alone, which keeps the type of its result."""
    if not is_template(value):
        return False
    text = value.strip()
    return text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1
