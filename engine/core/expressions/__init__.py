"""Expressions and templates: a subset of CEL, with a budget and without side effects (docs/guides/expressions.md)."""

from engine.core.expressions.errors import ErrorCode, ExpressionError
from engine.core.expressions.expression import Expression, compile_expression
from engine.core.expressions.fuel import DEFAULT_FUEL, Allowance, AllowanceSpent, Fuel
from engine.core.expressions.templates import Template, compile_template

__all__ = [
    "DEFAULT_FUEL",
    "Allowance",
    "AllowanceSpent",
    "ErrorCode",
    "Expression",
    "ExpressionError",
    "Fuel",
    "Template",
    "compile_expression",
    "compile_template",
]
