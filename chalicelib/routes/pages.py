"""What the pages have in common: strict rules for the browser that shows them, and no second copy of what it has.

Sources: Content Security Policy Level 3, Trusted Types, RFC 9110 (entity tags).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from chalicelib.routes.exchange import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def security_headers(openers: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers of a page; `openers` are the origins that may frame or open it."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(openers) or "'none'",
        # No text can become markup or script, whatever a later change of the page does with it.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    if not openers:
        headers["X-Frame-Options"] = "DENY"
        # A page of another origin that opened this one holds no handle on it. An opener hands the token over by it.
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return headers


def entity_tag(text: str) -> str:
    """Return what a text is known by."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def kept(held: str, text: str, tag: str, headers: Mapping[str, str]) -> Reply[str]:
    """Return a text, or 304 where `held`, which is If-None-Match, says that the browser has it.

    It is asked for anew each time, so that a deployed change is seen at once; most answers are a 304.
    """
    sent = {**headers, "Cache-Control": "no-cache", "ETag": tag}
    return Reply("", status=304, headers=sent) if tag in held else Reply(text, headers=sent)
