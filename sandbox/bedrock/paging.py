"""Pages of a list: tokens that say nothing to the client, and that no client can make up."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

from sandbox.aws.authentication import AwsError

_KEY: Final = secrets.token_bytes(16)


def page_token(scope: str, start: int) -> str:
    """Return the token of the page of a list (`scope` names it) that begins at a position."""
    mark = hmac.new(_KEY, f"{scope}:{start}".encode(), "sha256").hexdigest()[:24]
    return base64.urlsafe_b64encode(f"{start}.{mark}".encode()).decode("ascii")


def page_start(scope: str, token: str | None, count: int) -> int:
    """Return where a page begins. Raises AwsError for a token of another list, or of nobody."""
    if token is None:
        return 0
    for start in range(1, count):
        if hmac.compare_digest(token.encode(), page_token(scope, start).encode()):
            return start
    raise AwsError("ValidationException", "The provided nextToken is invalid.", 400)
