"""A provider's answer, whole or as it comes: any status but 200 is its error, and no stream may end by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.bedrock.failures import Unreachable
from chalicelib.providers.failures import ended_early, error_of, explain
from chalicelib.providers.outgoing import Received
from chalicelib.providers.sse import EventTooLongError, events

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from chalicelib.providers.outgoing import Call, Outgoing, Pieces


def whole(outgoing: Outgoing, call: Call, secret: str) -> Received:
    """Return an answer with status 200. Raises `ProviderError`, with `secret` left out of it, and `Unreachable`."""
    received = outgoing.fetch(call)
    if received.status != 200:
        raise error_of(call.service, received, secret)
    return received


def begun(outgoing: Outgoing, call: Call, secret: str) -> tuple[Mapping[str, str], Pieces]:
    """Return headers and octets of an answer that begins with status 200. Raises as `whole` does."""
    status, headers, pieces = outgoing.stream(call)
    if status != 200:
        raise error_of(call.service, Received(status, headers, b"".join(pieces)), secret)
    return headers, pieces


def events_of(provider: str, pieces: Pieces) -> Generator[tuple[str, str], None, None]:
    """Yield (event, data) until the reader has seen the last and closes this, which closes the connection.

    Raises `ServiceError` when the stream breaks off, and when it ends: only the reader knows an answer's last event.
    """
    try:
        yield from events(pieces)
    except Unreachable as failure:
        raise explain(failure) from failure
    except EventTooLongError:
        raise ended_early(provider) from None
    finally:
        pieces.close()
    raise ended_early(provider)
