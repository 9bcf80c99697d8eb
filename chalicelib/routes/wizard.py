"""The wizard's files: a page, its modules and its style. Everything that they show comes from the API, with a token.

The page is one document with a few facts of this deployment in it; nothing of a tenant is. Source: RFC 8246.
"""

from __future__ import annotations

import hashlib
import html
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.errors import ServiceError
from chalicelib.routes.exchange import Reply
from chalicelib.routes.lean import lean
from chalicelib.routes.pages import entity_tag, kept, security_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request
    from chalicelib.settings import Settings

_WEB: Final = Path(__file__).resolve().parent.parent / "web"
_PAGE: Final = "index.html"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_STAGE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class _Assets(NamedTuple):
    """The files by name, and a version that changes with any of them."""

    texts: Mapping[str, str]
    version: str


@lru_cache(maxsize=1)
def _assets() -> _Assets:
    # Read at the first request that wants one: a cold start that serves a chat pays nothing.
    texts = {path.name: lean(path) for path in sorted(_WEB.iterdir()) if path.suffix in _KINDS}
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in texts.items()).encode())
    return _Assets(texts, digest.hexdigest()[:16])


def register(boundary: Boundary, settings: Settings) -> None:
    """Add the routes, which need no token."""
    headers = security_headers(settings.wizard_openers)

    def page(request: Request) -> Reply:
        text = _page(settings, _way_to_here(request))
        held = request.header("if-none-match") or ""
        return kept(held, text, entity_tag(text), {**headers, "Content-Type": _KINDS[".html"]})

    def asset(request: Request) -> Reply:
        texts, version = _assets()
        name = request.path_parameter("file")
        if name not in texts or name == _PAGE:
            raise ServiceError("unknown_route", "There is no such file.")
        # Another version is asked for while a change is being deployed. What is here answers, and nobody keeps it.
        current = request.path_parameter("version") == version
        caching = "public, max-age=31536000, immutable" if current else "no-store"
        kind = _KINDS[Path(name).suffix]
        return Reply(texts[name], headers={**headers, "Content-Type": kind, "Cache-Control": caching})

    boundary.public("GET", "/", page)
    boundary.public("GET", "/wizard/{version}/{file}", asset)


def _page(settings: Settings, way: str) -> str:
    texts, version = _assets()
    facts = {
        "assets": f"{way}wizard/{version}",
        "openers": " ".join(settings.wizard_openers),
        "fragment_token": "on" if settings.wizard_fragment_token else "off",
    }
    return re.sub(r"\$\{([a-z_]+)\}", lambda mark: html.escape(facts[mark[1]]), texts[_PAGE])


def _way_to_here(request: Request) -> str:
    """Return what relative addresses begin with.

    A browser at https://host/stage, without the last slash, takes `wizard/...` for https://host/wizard/...; there they
    begin with the stage. The page's base can't say so: base-uri is none.
    """
    path = str(request.event["requestContext"].get("path") or "/")
    last = path.rpartition("/")[2]
    return f"{last}/" if _STAGE.fullmatch(last) else ""
