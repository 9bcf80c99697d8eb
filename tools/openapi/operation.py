"""What is said of one route beyond what its view, its model and its shape say already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Parameter:
    """A parameter of path, query or headers."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any]
    required: bool = False
    example: str | int | None = None


@dataclass(frozen=True)
class StreamEvent:
    """An event of a stream: its name (None: a plain `data:` line), when it comes, and the shape of its data."""

    name: str | None
    when: str
    shape: Any


@dataclass(frozen=True)
class Operation:
    """A route.

    `route` is method and path as they are registered; `id` is the operationId, which generated clients make method
    names of: it never changes. `title` tells routes of one view apart. `more` follows the view's own docstring.
    `errors` are codes of routes/codes.py. `kept`: browsers keep the answer and ask whether it is still the one.
    """

    route: str
    id: str
    tag: str
    errors: frozenset[str]
    more: str = ""
    title: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    status: int = 200
    answer_headers: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ("application/json",)
    events: tuple[StreamEvent, ...] = ()
    kept: bool = False


@dataclass(frozen=True)
class LeftOut:
    """Routes that are no part of the contract, and why; `path` ends in `*` for all that begin like it."""

    path: str
    reason: str

    def covers(self, path: str) -> bool:
        """Whether a path is among them."""
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path
