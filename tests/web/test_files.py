"""The wizard's files as they are served: their headers, what they may hold, and how much they weigh."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from chalice.test import Client

from chalicelib.routes import create_app
from chalicelib.routes.lean import TEXT, lean
from chalicelib.services import Services
from tests.far_customer import Answer, Api
from tests.web.person import WEB

if TYPE_CHECKING:
    from sandbox.world import World

SOURCES = sorted(WEB.glob("*.js"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors {openers}; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)


def _page(world: World) -> Answer:
    return Api(world.gateway.url, None).get("/")


def _asset(world: World, name: str, version: str | None = None) -> Answer:
    found = re.search(r'src="wizard/([0-9a-f]{16})/app\.js"', _page(world).text)
    assert found
    return Api(world.gateway.url, None).get(f"/wizard/{version or found[1]}/{name}")


def test_the_page_lets_nothing_run_but_its_own_modules(world: World) -> None:
    """The policy allows no inline script or style, no other host, frame or form, and makes no text markup."""
    headers = _page(world).headers

    assert headers["Content-Security-Policy"] == POLICY.format(openers="'none'")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_only_the_operators_origins_may_frame_it(world: World) -> None:
    """WIZARD_OPENERS is what frame-ancestors holds, and the page is told the same list."""
    openers = ("https://app.example.com", "https://admin.example.com:8443")
    settings = replace(world.settings, wizard_openers=openers, wizard_fragment_token=True)
    app = create_app(Services(settings, session=world.accounts.service_session(world.aws.url, settings.region)))
    with Client(app) as client:
        answer = client.http.get("/")

    assert answer.headers["Content-Security-Policy"] == POLICY.format(openers=" ".join(openers))
    assert "X-Frame-Options" not in answer.headers
    assert b'name="rolecall-openers" content="https://app.example.com https://admin.example.com:8443"' in answer.body
    assert b'name="rolecall-fragment-token" content="on"' in answer.body


def test_the_page_is_asked_for_anew_and_mostly_unchanged(world: World) -> None:
    """A deployed change is seen at once; while nothing changed, the answer has no body."""
    page = _page(world)
    again = Api(world.gateway.url, None).call("GET", "/", headers={"If-None-Match": f'W/"x", {page.headers["ETag"]}'})
    other = Api(world.gateway.url, None).call("GET", "/", headers={"If-None-Match": '"x"'})

    assert page.headers["Cache-Control"] == "no-cache"
    assert (again.status, again.text) == (304, "")
    assert (other.status, other.text) == (200, page.text)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_are_kept_under_the_version_that_they_are_of(world: World, name: str, kind: str) -> None:
    """The address has the version of all files, so what it gives never changes; another version's is not kept."""
    current = _asset(world, name)
    other = _asset(world, name, "0" * 16)

    assert (current.status, current.headers["Content-Type"]) == (200, kind)
    assert current.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Security-Policy" in current.headers
    assert (other.status, other.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["index.html", "..%2Fapp.py", "..%2Froutes%2Fauth.py", "app.js%00", "nothing.js"])
def test_nothing_else_is_served(world: World, name: str) -> None:
    """A name is looked up among the files' names; it is never made into a path."""
    answer = _asset(world, name)

    assert (answer.status, answer.error["code"]) == (404, "unknown_route")


@pytest.mark.parametrize(
    ("path", "way"),
    [("/", ""), ("/prod/", ""), ("/prod", "prod/"), ("/wizard/prod", "prod/"), ('/"><script>', ""), ("/a b", "")],
)
def test_addresses_are_right_under_a_stage(world: World, path: str, way: str) -> None:
    """With and without the last slash, the browser finds the files below the stage; nothing else of a path is used."""
    event = {
        "requestContext": {"resourcePath": "/", "httpMethod": "GET", "path": path},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "headers": {},
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    body = world.app(event, None)["body"]

    assert set(re.findall(r'(?:href|src)="([^"#]*?)wizard/', body)) == {way}


def test_every_address_is_relative() -> None:
    """Nothing points to the root of the host, where another stage lives, or to another host but AWS's consoles."""
    for path in [*SOURCES, WEB / "index.html", WEB / "base.css", WEB / "parts.css"]:
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"https?://([\w.-]+)", text))
        assert hosts <= {
            "console.aws.amazon.com",
            "console.amazonaws-us-gov.com",
            "console.amazonaws.cn",
            "console.amazonaws-eusc.eu",
        }, path.name
        assert not re.search(r'(?:href|src|import|from)[ =(]+"/', text), path.name
        assert "url(" not in text.replace("new URL(", ""), path.name


def test_no_text_can_become_markup_or_script() -> None:
    """The page is built of text nodes and attributes; what turns text into anything else is not used at all."""
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|createContextualFragment|setHTML"
        r"|\beval\b|new Function|javascript:|set(?:Timeout|Interval)\(\s*[\"'`]"
    )
    for path in SOURCES:
        assert not re.search(forbidden, path.read_text(encoding="utf-8")), path.name
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\son\w+=|style=|<script(?![^>]* src=)", page)


def test_nothing_is_stored() -> None:
    """No module writes to a storage or a cookie: the token has no place but memory."""
    for path in SOURCES:
        found = re.search(r"localStorage|sessionStorage|indexedDB|\.cookie|\bcaches\b", path.read_text("utf-8"))
        assert found is None, path.name


def _tokens(text: str) -> str:
    """Return a module without white space outside its texts, and without comments on lines of their own."""
    code = re.sub(r"^\s*(//|/\*\*|\* |\*/).*$", "", text, flags=re.MULTILINE)
    found, at = [], 0
    for literal in TEXT.finditer(code):
        found += [re.sub(r"\s", "", code[at : literal.start()]), literal[0]]
        at = literal.end()
    return "".join([*found, re.sub(r"\s", "", code[at:])])


def test_what_is_served_is_the_file_without_comments_and_spaces() -> None:
    """Token for token the served module is the repository's; no text spans lines, which that would change."""
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        for number, line in enumerate(source.splitlines(), 1):
            assert TEXT.sub("", line).count("`") % 2 == 0, f"{path.name}:{number}"
        assert _tokens(lean(path)) == _tokens(source), path.name
        assert not re.search(r"^\s*(//|/\*|\* )|^ |\n\n", lean(path), re.MULTILINE), path.name


def test_files_stay_small_enough_to_be_read() -> None:
    """No module grows beyond one sitting; the words are one a line."""
    sizes = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}

    assert {name: size for name, size in sizes.items() if size > 300 and len(name) != len("en.js")} == {}


def test_all_of_it_is_light() -> None:
    """A visitor's browser gets less than 120 kB for all of it in their language; packed, it is half that.

    The contract and its page are others' to open.
    """
    files = [path for path in WEB.iterdir() if path.is_file() and path.name != "openapi.json"]
    served = {path.name: len(lean(path).encode()) for path in files}
    languages = [served.pop(path.name) for path in WEB.glob("??.js")]

    assert sum(served.values()) + max(languages) < 120_000
    assert sum(len(gzip.compress(lean(path).encode())) for path in files) < 60_000
