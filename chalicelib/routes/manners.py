"""What a family of routes does in its own way: where its clients put the token, and how they are told of an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.routes.codes import CODES, envelope, said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chalicelib.routes.exchange import Request


@dataclass(frozen=True, slots=True)
class Manner:
    """`authorization` returns what the token is read from, in the form of Authorization headers.

    `envelope` returns the body of an error; `request_id_header` is a second header that carries a request's id.
    `anthropics` is the manner for Anthropic's clients, of a path that OpenAI's clients use as well.
    """

    authorization: Callable[[Request], Sequence[str]]
    envelope: Callable[[ServiceError, str], dict[str, object]]
    request_id_header: str | None = None
    anthropics: Manner | None = None

    def of(self, request: Request) -> Manner:
        """Return the manner in which a request is answered."""
        return self.anthropics if self.anthropics is not None and is_of_anthropics_client(request) else self


def is_of_anthropics_client(request: Request) -> bool:
    """Tell whether it carries the header that Anthropic's API requires, and no other API has."""
    return bool(request.headers("anthropic-version"))


def _authorization(request: Request) -> Sequence[str]:
    return request.headers("authorization")


def _authorization_or_api_key(request: Request) -> Sequence[str]:
    """Return the token of an Authorization header or of `x-api-key`, where most of Anthropic's clients put it.

    Two that differ are two tokens: which one counts would depend on who reads them, as with two Authorization headers.
    """
    sent, keys = request.headers("authorization"), request.headers("x-api-key")
    tokens = [f"Bearer {key.strip(' ')}" for key in keys if key.strip(" ")]
    if len(tokens) > 1 or len({*tokens, *(_canonical(value) for value in sent)}) > 1:
        raise ServiceError(
            "several_authorization_headers",
            "x-api-key was sent twice, or beside an Authorization header with another token.",
            param="x-api-key",
            fix="Send the token once.",
        )
    return sent or tokens[:1]


def _canonical(authorization: str) -> str:
    kind, _, token = authorization.strip(" ").partition(" ")
    return f"Bearer {token.strip(' ')}" if kind.lower() == "bearer" else authorization


_KINDS: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Anthropic's types of errors by status (its API reference, "Errors", and the types of its library 2.12)."""


def anthropic_envelope(error: ServiceError, request_id: str) -> dict[str, object]:
    """Return an error as Anthropic's API has it; the code stands where its clients look for one, `details`.

    `code`, `param`, `fix` and `whose_fix` are beside it, as on the other routes: its clients pass over what they do not
    know.
    """
    status = CODES[error.code].status
    told: dict[str, object] = {
        "type": _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error"),
        "message": said(error),
        "details": {"error_code": error.code},
        "code": error.code,
        "param": error.param,
    }
    if error.fix is not None:
        told["fix"] = error.fix
    if error.whose_fix is not None:
        told["whose_fix"] = error.whose_fix
    return {"type": "error", "error": told, "request_id": request_id}


OPENAI: Final = Manner(_authorization, envelope)
ANTHROPIC: Final = Manner(_authorization_or_api_key, anthropic_envelope, "Request-Id")
OPENAI_OR_ANTHROPIC: Final = Manner(_authorization, envelope, anthropics=ANTHROPIC)
