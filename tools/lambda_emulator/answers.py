"""What a function answers, read as strictly as API Gateway reads it: anything else is a 502 to the caller.

Sources: API Gateway's guide, "Output format of a Lambda function for proxy integration" and "Lambda proxy integration
format for response streaming".
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SEPARATOR: Final = b"\0" * 8
PRELUDE_LIMIT: Final = 16 * 1024
"""Octets within which the prelude of a streamed answer must have ended."""
_PRELUDE: Final = {"statusCode": int, "headers": dict, "multiValueHeaders": dict, "cookies": list}
_ANSWER: Final = {"statusCode": int, "headers": dict, "multiValueHeaders": dict, "body": str, "isBase64Encoded": bool}
_RENAMED: Final = frozenset({"connection", "date", "keep-alive", "server", "www-authenticate", "x-amzn-requestid"})
"""Headers that API Gateway passes on under another name."""
_DROPPED: Final = frozenset({"content-length", "transfer-encoding"})


class Malformed(ValueError):  # noqa: N818  API Gateway's word
    """The answer does not have the form that the integration asks for."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers."""

    status: int
    headers: list[tuple[str, str]]


def buffered(octets: bytes) -> tuple[Head, bytes, bool]:
    """Read the answer of an integration that is not streamed; the last value says that the body was base64."""
    answer = _object(octets, _ANSWER)
    if "statusCode" not in answer:
        raise Malformed("no statusCode")
    body = answer.get("body") or ""
    encoded = bool(answer.get("isBase64Encoded"))
    try:
        return _head(answer), base64.b64decode(body, validate=True) if encoded else body.encode(), encoded
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Malformed(f"body: {error}") from error


def streamed(pieces: Iterator[bytes]) -> tuple[Head, Iterator[bytes]]:
    """Read the head of a streamed answer as soon as it is there, and return what follows it as it comes."""
    seen = b""
    for piece in pieces:
        seen += piece
        if SEPARATOR in seen[: PRELUDE_LIMIT + len(SEPARATOR)]:
            prelude, _, rest = seen.partition(SEPARATOR)
            return _head({"statusCode": 200, **_object(prelude, _PRELUDE)}), _after(rest, pieces)
        if len(seen) > PRELUDE_LIMIT:
            break
    raise Malformed(f"no prelude in {len(seen)} octets")


def _after(rest: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if rest:
        yield rest
    yield from pieces


def _object(octets: bytes, fields: dict[str, type]) -> dict[str, Any]:
    try:
        answer = json.loads(octets)
    except ValueError as error:
        raise Malformed(f"not JSON: {octets[:80]!r}") from error
    if not isinstance(answer, dict):
        raise Malformed("not an object")
    for name, value in answer.items():
        if name not in fields:
            raise Malformed(f"{name} is no field of an answer")
        # JSON's true is no number here, though Python would take it for one.
        if value is not None and (not isinstance(value, fields[name]) or type(value) is bool is not fields[name]):
            raise Malformed(f"{name} is {value!r}")
    return answer


def _head(answer: dict[str, Any]) -> Head:
    status = answer["statusCode"]
    if not 100 <= status <= 599:
        raise Malformed(f"statusCode is {status}")
    pairs = [(name, value) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        if not isinstance(values, list):
            raise Malformed(f"multiValueHeaders: {name} is no list")
        pairs += [(name, value) for value in values]
    pairs += [("Set-Cookie", value) for value in answer.get("cookies") or []]
    for name, value in pairs:
        if not isinstance(value, str) or not f"{name}{value}".isprintable():
            raise Malformed(f"headers: {name} is {value!r}")
    renamed = [(f"x-amzn-Remapped-{name}" if name.lower() in _RENAMED else name, value) for name, value in pairs]
    if not any(name.lower() == "content-type" for name, _ in renamed):
        renamed.append(("Content-Type", "application/json"))
    return Head(status, [(name, value) for name, value in renamed if name.lower() not in _DROPPED])
