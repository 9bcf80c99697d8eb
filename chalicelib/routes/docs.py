"""The contract, openapi.json as `make openapi` wrote it, and the page that shows it. Neither needs a token.

Sources: OpenAPI 3.1; Content Security Policy Level 3, Trusted Types, RFC 9110 (entity tags).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.routes.exchange import Reply

if TYPE_CHECKING:
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request

_WEB: Final = Path(__file__).resolve().parent.parent / "web"
_DOCUMENT: Final = _WEB / "openapi.json"
_PAGE: Final = _WEB / "docs" / "page.html"
_FILES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_SECURITY: Final = {
    # Nothing from elsewhere, nothing inline, and no text can become markup, whatever a later change of the page does.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Frame-Options": "DENY",
}


def register(boundary: Boundary) -> None:
    """Add the routes."""
    boundary.public("GET", "/openapi.json", document)
    boundary.public("GET", "/docs", page)
    boundary.public("GET", "/docs/{file}", file)


def document(request: Request) -> Reply[str]:
    """Give this document."""
    return _kept(request, _DOCUMENT, {"Content-Type": "application/json"})


def page(request: Request) -> Reply[str]:
    """Give the page that shows it."""
    return _kept(request, _PAGE, {**_SECURITY, "Content-Type": "text/html; charset=utf-8"})


def file(request: Request) -> Reply[str]:
    """Give a file of that page."""
    name = request.path_parameter("file")
    if name not in _FILES:
        raise ServiceError("unknown_route", "There is no such file.")
    return _kept(request, _PAGE.with_name(name), {**_SECURITY, "Content-Type": _FILES[name]})


def _kept(request: Request, path: Path, headers: dict[str, str]) -> Reply[str]:
    """Return a file, or 304 for what the browser has. It asks each time, so that a change is seen at once."""
    text, tag = _read(path)
    headers = {**headers, "Cache-Control": "no-cache", "ETag": tag}
    if tag in ", ".join(request.headers("if-none-match")):
        return Reply("", status=304, headers=headers)
    return Reply(text, headers=headers)


@lru_cache
def _read(path: Path) -> tuple[str, str]:
    # Read at the first request that wants it: a cold start that serves a chat pays nothing.
    text = path.read_text(encoding="utf-8")
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
