"""Calls to Bedrock with the session of a connection's role: the one way of all routes that ask a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.errors import ServiceError
from chalicelib.routes.credential import CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.signing import Credentials
    from chalicelib.onboarding.served import Served, ServedConnections
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.exchange import Request

_T = TypeVar("_T")
_TO_SAY_SO: Final = 5.0
"""Seconds before Lambda's own deadline that are kept to end a stream with an error that clients see."""
_LONGEST_HEADER: Final = 1000
PING_SECONDS: Final = 15.0
"""Silence after which a stream says something, so that nothing on the way takes its connection for dead."""


def chosen(connections: ServedConnections, request: Request, caller: Caller, in_path: str | None = None) -> Served:
    """Return what a request is answered with, and note for the log which connection that is.

    It is that of the path, `in_path`, or that of the header; without either the tenant's only one. Raises
    `ServiceError`, whose `param` is where the caller has named it.
    """
    param, named = (CONNECTION, request.header(CONNECTION.lower())) if in_path is None else ("connection_id", in_path)
    try:
        served = connections.choose(caller.tenant, named)
    except ServiceError as error:
        if error.param in {CONNECTION, "connection_id"}:
            error.param = param
        raise
    request.notes["connection"] = str(served.connection.id)
    return served


def with_session(sessions: Sessions, served: Served, call: Callable[[Credentials], _T]) -> _T:
    """Call with the connection's session; one that AWS no longer takes is dropped, and another fetched, once.

    Raises `ServiceError` for what AWS refused, and where it did not answer.
    """
    for last in (False, True):
        credentials = sessions.credentials(served.grant)
        try:
            return call(credentials)
        except (AwsError, Unreachable) as failure:
            refusal = explain(failure)
            if isinstance(failure, Unreachable) or not failure.of_credentials:
                raise refusal from failure
            if last:
                # It is not the caller's key that AWS refuses, so 401 would send them looking for a fault of theirs.
                raise ServiceError(
                    "expired_credentials",
                    f"AWS does not take the session that it gave: {refusal.message}",
                    fix="Try again; if it lasts, verify the connection.",
                    retry_after=5,
                ) from failure
            sessions.forget(str(served.connection.id))
    raise AssertionError("unreachable")  # pragma: no cover  the last turn returns or raises


def stream_seconds(request: Request, most: float) -> float:
    """Return how long a stream may be: Lambda never learns that a client has gone, and kills what is too long."""
    left = request.seconds_left()
    return most if left is None else max(1.0, min(most, left - _TO_SAY_SO))


def ignored_header(names: Iterable[str]) -> dict[str, str]:
    """Return the header that names the fields which had no effect; bounded, and without what a header can't hold."""
    shown = ("".join(character for character in name if " " <= character <= "~")[:64] for name in names)
    text = ", ".join(shown)[:_LONGEST_HEADER]
    return {"Rolecall-Ignored-Fields": text} if text else {}


def aws_request_id(request_id: str) -> dict[str, str]:
    """Return the header that carries AWS's id of a call."""
    return {"Rolecall-AWS-Request-Id": request_id} if request_id else {}
