"""Cursors of the lists: the place of the last row, and nothing that names a partition. That is the caller's own."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress

from chalicelib.errors import ServiceError
from chalicelib.identifiers import ConnectionId


def from_place(place: str) -> str:
    """Return the cursor of a place: a connection's id, or an event's sort key."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def to_connection_id(cursor: str) -> ConnectionId:
    """Return the id that a cursor of connections stands for. Raises `invalid_cursor`."""
    found = ConnectionId.parse(_place(cursor))
    if found is None:
        raise _invalid_cursor()
    return found


def to_event_key(cursor: str) -> str:
    """Return the sort key that a cursor of events stands for. Raises `invalid_cursor`."""
    place = _place(cursor)
    if not re.fullmatch(r"EVENT#[0-9T:.+-]{20,40}#[0-9]{10}", place, re.ASCII):
        raise _invalid_cursor()
    return place


def _place(cursor: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", cursor, re.ASCII):
        with suppress(binascii.Error):
            return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii", "replace")
    return ""


def _invalid_cursor() -> ServiceError:
    return ServiceError(
        "invalid_cursor",
        "The cursor is not one that this list gave.",
        param="cursor",
        fix="Leave it out to begin at the first page.",
    )
