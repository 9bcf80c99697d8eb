"""Bounds of parameters, refused in the words of AWS's query services; botocore checks only the lower ones itself."""

from __future__ import annotations

import re

from sandbox.aws.errors import AwsError


def check_text(name: str, value: str, low: int, high: int, pattern: str | None = None) -> None:
    """Raise `AwsError` unless a text has the length and, where there is one, the pattern that AWS asks for."""
    if len(value) < low:
        raise violation(name, value, f"Member must have length greater than or equal to {low}")
    if len(value) > high:
        raise violation(name, value, f"Member must have length less than or equal to {high}")
    if pattern is not None and not re.fullmatch(pattern, value, re.ASCII):
        raise violation(name, value, f"Member must satisfy regular expression pattern: {pattern}")


def check_number(name: str, value: int, low: int, high: int) -> None:
    """Raise `AwsError` unless a number is within AWS's bounds."""
    if value < low:
        raise violation(name, value, f"Member must have value greater than or equal to {low}")
    if value > high:
        raise violation(name, value, f"Member must have value less than or equal to {high}")


def violation(name: str, value: object, rule: str) -> AwsError:
    """Return the error that says which rule a parameter breaks; AWS writes its name with a small first letter."""
    shown = name[:1].lower() + name[1:]
    text = f"1 validation error detected: Value '{value}' at '{shown}' failed to satisfy constraint: {rule}"
    return AwsError("ValidationError", text)
