"""The edge between HTTP and the rooms: an event becomes a request, an error becomes the envelope, nothing else leaks.

Every answer passes through `Boundary`, Chalice's own 405 included. A view gets a `Request`, calls the domain and
returns a `Reply` or an `EventStream`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Response

from chalicelib import logs
from chalicelib.errors import ServiceError, UpstreamRefusal
from chalicelib.routes.auth import require_scope
from chalicelib.routes.codes import CODES, UNEXPECTED
from chalicelib.routes.exchange import EventStream, Reply, Request
from chalicelib.routes.manners import OPENAI, Manner

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalice.app import Chalice
    from chalice.app import Request as ChaliceRequest

    from chalicelib.routes.auth import Authenticator, Caller

log = logging.getLogger("rolecall")

EXPOSED_HEADERS: Final = (
    "X-Request-Id, Request-Id, Retry-After, X-Should-Retry, Rolecall-AWS-Request-Id, Rolecall-Provider-Request-Id,"
    " ETag, Rolecall-Ignored-Fields, Rolecall-Credential"
)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """A view as Chalice calls it, and what the OpenAPI document says of it; `scope` None: no token is needed."""

    method: str
    path: str
    scope: str | None
    view: Callable[..., Reply | EventStream]
    answer: Callable[[], Response]
    manner: Manner

    @property
    def __name__(self) -> str:
        """What Chalice calls the view, as it would a function."""
        return f"{self.method} {self.path}"

    def __call__(self, **_: str) -> Response:
        """Answer the request of now; Chalice gives the path's parameters, which the view takes from the request."""
        return self.answer()


class Boundary:
    """Hands views to Chalice, and stands around every one of them."""

    def __init__(
        self,
        app: Chalice,
        authenticator: Authenticator,
        allowed_origin: str | None,
        admit: Callable[[Caller, str], None],
        on_rejected_key: Callable[[Caller], None],
    ) -> None:
        """`admit` is asked of each caller and the scope of the route, and raises `ServiceError` for who must wait.

        `on_rejected_key` is told the caller whose request brought a key that its provider does not take.
        """
        self._admit = admit
        self._on_rejected_key = on_rejected_key
        self._app = app
        self._authenticator = authenticator
        self._allowed_origin = allowed_origin
        self._manners: dict[str, Manner] = {}
        self._current: ContextVar[Request] = ContextVar("request")
        app.middleware("http")(self._around)

    def admit(self, caller: Caller, scope: str) -> None:
        """Raise `ServiceError` unless the token has the scope and its tenant may go on.

        Asked for each protected route; a view asks it for what a request needs besides.
        """
        require_scope(caller, scope)
        self._admit(caller, scope)

    def public(self, method: str, path: str, view: Callable[[Request], Reply]) -> None:
        """Add a route that needs no token."""
        self._add(method, path, None, view, view, OPENAI)

    def protected(
        self,
        method: str,
        path: str,
        scope: str,
        view: Callable[[Request, Caller], Reply | EventStream],
        manner: Manner = OPENAI,
    ) -> None:
        """Add a route for callers whose token has `scope`. A path has one manner, whatever its methods."""

        def authenticated(request: Request) -> Reply | EventStream:
            caller = self._authenticator.authenticate(manner.of(request).authorization(request))
            request.notes["tenant"] = caller.tenant
            self.admit(caller, scope)
            try:
                return view(request, caller)
            except ServiceError as error:
                if error.code == "provider_key_rejected":
                    self._on_rejected_key(caller)
                raise

        self._add(method, path, scope, view, authenticated, manner)

    def _add(
        self,
        method: str,
        path: str,
        scope: str | None,
        view: Callable[..., Reply | EventStream],
        asked: Callable[[Request], Reply | EventStream],
        manner: Manner,
    ) -> None:
        name = f"{method} {path}"
        if path not in self._manners:
            # A preflight of our own instead of Chalice's CORS: that one is fixed when the stack is packaged.
            self._manners[path] = manner
            self._app.route(path, methods=["OPTIONS"], name=f"OPTIONS {path}", content_types=[])(
                lambda **_: self._preflight()
            )
        route = Route(method, path, scope, view, lambda: self._answer(asked), manner)
        self._app.route(path, methods=[method], name=name, content_types=[])(route)

    def _answer(self, view: Callable[[Request], Reply | EventStream]) -> Response:
        request = self._current.get()
        try:
            reply = view(request)
        except Exception as error:  # noqa: BLE001  the edge: whatever it is, no stack trace may reach the caller
            return self._refusal(request, _told(request, error))
        if isinstance(reply, EventStream):
            return reply.ending_with(lambda error: self._last_words(request, error))
        return Response(
            body=reply.body if isinstance(reply.body, str) else _json(reply.body),
            status_code=reply.status,
            headers={"Content-Type": "application/json", **reply.headers},
        )

    def _refusal(self, request: Request, error: ServiceError) -> Response:
        request.notes["code"] = error.code
        headers: dict[str, str | list[str]] = {"Content-Type": "application/json"}
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        if isinstance(error, UpstreamRefusal):
            # OpenAI's clients obey this header before their own rules by status.
            headers["X-Should-Retry"] = "true" if error.should_retry else "false"
            if error.request_id:
                headers[error.REQUEST_ID_HEADER] = error.request_id
        body = json.dumps(self._manner(request).envelope(error, request.id), ensure_ascii=False)
        return Response(body=body, status_code=CODES[error.code].status, headers=headers)

    def _last_words(self, request: Request, error: Exception) -> str:
        """Return the event with which a stream ends that was broken by what nobody within it has foreseen."""
        told = _told(request, error)
        request.notes["code"] = told.code
        return f"event: error\ndata: {json.dumps(self._manner(request).envelope(told, request.id))}\n\n"

    def _manner(self, request: Request) -> Manner:
        return self._manners.get(request.route, OPENAI).of(request)

    def _around(self, chalice_request: ChaliceRequest, get_response: Callable[[ChaliceRequest], Response]) -> Response:
        started = time.monotonic()
        request = Request(chalice_request.to_original_event(), chalice_request.lambda_context)
        token = self._current.set(request)
        try:
            response = get_response(chalice_request)
        finally:
            self._current.reset(token)
        if isinstance(response.body, dict) and response.body.keys() == {"Code", "Message"}:
            # Chalice's own answer, to a method that a path does not have.
            allow = response.headers.get("Allow", "")
            response = self._refusal(
                request, ServiceError("method_not_allowed", "This route has no such method.", fix=f"It has {allow}.")
            )
            response.headers["Allow"] = allow
        # A view may have said otherwise: the wizard's files may be kept, and nothing else.
        response.headers = {**self._common_headers(request), **response.headers}
        log.info(
            "request",
            extra={
                "request_id": request.id,
                "method": request.method,
                "route": request.route,
                "status": response.status_code,
                "ms": round((time.monotonic() - started) * 1000, 1),
                **request.notes,
            },
        )
        return response

    def _common_headers(self, request: Request) -> dict[str, str]:
        headers = {"X-Request-Id": request.id, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        also = self._manner(request).request_id_header
        if also is not None:
            headers[also] = request.id
        if self._allowed_origin is not None:
            headers["Access-Control-Allow-Origin"] = self._allowed_origin
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            headers["Vary"] = "Origin"
        return headers

    def _preflight(self) -> Response:
        if self._allowed_origin is None:
            return Response(body="", status_code=204)
        asked = self._current.get().headers("access-control-request-headers")
        # Names are repeated only when they look like header names: OpenAI's client sends a dozen of its own.
        names = ", ".join(
            name.strip() for value in asked for name in value.split(",") if _HEADER_NAME.fullmatch(name.strip())
        )
        return Response(
            body="",
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": names or "Authorization, Content-Type",
                "Access-Control-Max-Age": "600",
            },
        )


def _told(request: Request, error: Exception) -> ServiceError:
    """Return what a caller is told of an error, and log what is not for callers."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, (BotoCoreError, ClientError)):
        # What reaches this place concerns the service's own account: its table or its role.
        extra = {"request_id": request.id, "reason": str(error)}
        log.error("own account: %s", type(error).__name__, extra=extra)
        return ServiceError(
            "storage_unavailable", "The service's storage can't be reached.", fix="Try again.", retry_after=1
        )
    logs.unexpected(log, error, request_id=request.id)
    return ServiceError(UNEXPECTED, "Something went wrong on our side.")


def _json(document: object) -> str:
    text = json.dumps(document, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which another company's JSON may hold as an escape, has no UTF-8: an escape it stays.
        return json.dumps(document)
    return text
