"""The contract, openapi.json as `make openapi` wrote it, and the page that shows it. Neither needs a token."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.routes.pages import entity_tag, kept, security_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Reply, Request

_WEB: Final = Path(__file__).resolve().parent.parent / "web"
_DOCUMENT: Final = _WEB / "openapi.json"
_PAGE: Final = _WEB / "docs" / "page.html"
_FILES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
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
    return _kept(request, _PAGE, {**security_headers(), "Content-Type": "text/html; charset=utf-8"})


def file(request: Request) -> Reply[str]:
    """Give a file of that page."""
    name = request.path_parameter("file")
    if name not in _FILES:
        raise ServiceError("unknown_route", "There is no such file.")
    return _kept(request, _PAGE.with_name(name), {**security_headers(), "Content-Type": _FILES[name]})


def _kept(request: Request, path: Path, headers: Mapping[str, str]) -> Reply[str]:
    text, tag = _read(path)
    return kept(", ".join(request.headers("if-none-match")), text, tag, headers)


@lru_cache
def _read(path: Path) -> tuple[str, str]:
    # Read at the first request that wants it: a cold start that serves a chat pays nothing.
    text = path.read_text(encoding="utf-8")
    return text, entity_tag(text)
