"""Server-sent events, read from octets as they come (WHATWG HTML, "Parsing an event stream"), within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 4 * 1024 * 1024


class EventTooLongError(Exception):
    """An event is longer than any that means well."""


def events(pieces: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    """Yield (event, data) for each whole event. What stands after the last blank line is half an event, and is none.

    Comments, ids and unknown fields are passed over. Raises `EventTooLongError`.
    """
    rest = b""
    name, size = "", 0
    data: list[str] = []
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        size += len(piece)
        if len(rest) > _LONGEST or (data and size > _LONGEST):
            raise EventTooLongError
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if not text:
                if data:
                    yield name, "\n".join(data)
                name, data, size = "", [], 0
                continue
            field, _, value = text.partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif field == "event":
                name = value.removeprefix(" ")
