"""Reading other companies' JSON: what is not there, or not as documented, is empty, and nothing strange gets in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_ID: Final = 256


def rows(document: object, name: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list within an object."""
    found = document.get(name) if isinstance(document, dict) else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def text(row: Mapping[str, object], name: str) -> str:
    """Return a text, or an empty one."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def identifier(row: Mapping[str, object], name: str) -> str:
    """Return a text that can be shown and sent as an id, or an empty one."""
    value = text(row, name)
    return value if value.isascii() and value.isprintable() and len(value) <= _LONGEST_ID else ""


def number(row: Mapping[str, object], name: str) -> int | None:
    """Return a whole number, or None."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def known(**details: object | None) -> dict[str, object]:
    """Return what is known of these."""
    return {name: value for name, value in details.items() if value not in (None, "")}
