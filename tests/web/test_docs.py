"""/docs as people and screen readers meet it: in a real browser, under the page's own rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from chalicelib.routes.codes import CODES
from tests.contract import contract
from tests.far_customer import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from sandbox.world import World

CREATE = "#/operation/create_connection"


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    """Give a page that must have no trouble: no script that fails, nothing that its own policy blocks."""
    troubles: list[str] = []
    context = browser.new_context(base_url=world.gateway.url)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert troubles == []


def _open(page: Page, place: str = "") -> None:
    page.goto(f"/docs{place}")
    page.wait_for_selector("#nav a", state="attached")


def test_every_operation_can_be_read(page: Page) -> None:
    """Each stands in the menu under its tag and has a page with its route, scope, answers and errors."""
    _open(page)
    for method, path, about in contract().operations():
        link = page.locator(f'#nav a[href="#/operation/{about["operationId"]}"]')
        link.click()
        page.locator(f'#nav a[href="#/operation/{about["operationId"]}"][aria-current="page"]').wait_for()
        page.locator("h1", has_text=about["summary"]).wait_for()
        assert page.locator("main .address").inner_text().split() == [method.upper(), path]
        assert link.get_attribute("aria-current") == "page"
        codes = {code for answer in about["responses"].values() for code in _codes(answer)}
        shown = page.locator("main .answers td:first-child code").all_text_contents()
        assert set(shown) == codes
        for parameter in about.get("parameters", []):
            assert page.locator("main td code", has_text=parameter["name"]).count() >= 1


def _codes(answer: dict[str, Any]) -> list[str]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"] if "allOf" in schema else []


def test_fields_are_shown_with_those_within_them(page: Page) -> None:
    """A report has checks, a check has findings: each opens as a table of its own."""
    _open(page, "#/operation/get_report")
    checks = page.locator("main td details", has=page.locator("summary", has_text="CheckReport")).first
    checks.locator("summary").first.click()

    assert checks.locator("code", has_text="outcome").first.is_visible()


def test_an_example_is_copied_as_it_is(page: Page) -> None:
    """What is pasted is what is shown, and a screen reader hears that it was copied."""
    _open(page, CREATE)
    page.get_by_role("button", name="Copy body: For the whole of Bedrock").click()

    page.locator("#announcer", has_text="Copied.").wait_for(state="attached")
    body = contract().document["paths"]["/v1/connections"]["post"]["requestBody"]
    example = body["content"]["application/json"]["examples"]["for_the_whole_of_bedrock"]["value"]
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == example


def test_each_operation_has_a_title_of_its_own() -> None:
    """Two entries of the menu that read alike can't be told apart."""
    titles = [about["summary"] for _, _, about in contract().operations()]

    assert sorted(titles) == sorted(set(titles))


def test_a_request_can_be_sent_as_it_is_shown(page: Page) -> None:
    """Each parameter of a path has an example, and curl's line holds it: braces mean something to curl."""
    _open(page)
    for _, path, about in contract().operations():
        page.evaluate("id => { location.hash = `#/operation/${id}`; }", about["operationId"])
        line = page.get_by_role("group", name="request: With curl")
        page.locator("h1", has_text=about["summary"]).wait_for()
        address = line.inner_text().split("'")[1]
        assert "{" not in address, path


@pytest.mark.parametrize("place", ["#/errors/%", "#%E0%A4%A", "#/operation/constructor", "#/errors/__proto__"])
def test_an_address_that_means_nothing_shows_a_page(page: Page, place: str) -> None:
    """Whatever stands behind #, something is shown that leads on."""
    _open(page, place)
    page.locator("main h1").wait_for()

    shown = page.locator("main").inner_text()
    assert shown.count("\n") > 10
    assert "undefined" not in shown


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("rotation", {"start_rotation", "cancel_rotation"}),
        ("/v1/keys", {"verify_key"}),
        ("If-Match", {"change_connection"}),
        ("corrected_trust_policy", {"lint_trust_policy"}),
        ("too_many_verifications", {"verify_connection"}),
        ("nothing of the sort", set()),
    ],
)
def test_the_filter_finds_by_route_name_field_and_code(page: Page, text: str, left: set[str]) -> None:
    """What does not fit goes from the menu, and a screen reader hears how many are left."""
    _open(page)
    page.get_by_label("Filter").fill(text)

    found = [link.get_attribute("href") or "" for link in page.locator("#nav a").all() if link.is_visible()]
    operations = {link.removeprefix("#/operation/") for link in found if link.startswith("#/operation/")}
    assert operations >= left
    assert len(operations) <= len(left) + 3
    assert page.locator("#announcer").inner_text() == f"{len(found)} found."


def test_all_codes_are_told_with_what_to_do(page: Page) -> None:
    """One page holds every code; one of them is shown with an example and the routes that answer it."""
    _open(page, "#/errors/connection_changed")

    assert page.locator("main table.errors td:first-child a code").all_text_contents() == list(CODES)
    assert page.get_by_text("Routes that answer it").is_visible()
    assert '"code": "connection_changed"' in page.locator("main pre").inner_text()


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    """The first stop leads past the menu; who follows a link is at the heading of what it leads to."""
    _open(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(f'#nav a[href="{CREATE}"]').focus()
    page.keyboard.press("Enter")
    # A function that is waited for is evaluated in the page, whose policy forbids that: a selector is not.
    page.locator("h1:focus").wait_for()
    assert page.title() == "Make a connection with a fresh external ID · Rolecall API"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("place", ["#/", CREATE, "#/operation/verify_connection", "#/errors/invalid_json"])
def test_axe_finds_nothing(page: Page, place: str, width: int, scheme: Any) -> None:
    """No violation of WCAG 2.2 AA that a machine can see, and nothing to be scrolled sideways, on any width."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    _open(page, place)
    page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")

    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_has_strict_rules(world: World) -> None:
    """Nothing from elsewhere, nothing inline, no frame around it; and nothing but its own files below /docs."""
    api = Api(world.gateway.url, None)
    answer = api.get("/docs")
    policy = answer.headers["Content-Security-Policy"].split("; ")

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    for name in ("page.css", "page.js", "icon.svg"):
        assert api.get(f"/docs/{name}").status == 200
    for name in ("page.html", "..%2fopenapi.json", "%2e%2e%2f%2e%2e%2fsettings.py", "x"):
        assert api.get(f"/docs/{name}").status == 404


def test_no_text_becomes_markup(page: Page) -> None:
    """A document that tries to run script is shown as the text that it is."""
    evil = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>`<b>`"

    def poisoned(route: Any) -> None:
        document = json.loads(json.dumps(contract().document).replace("What the customer calls it.", evil))
        document["info"]["description"] = evil
        route.fulfill(json=document)

    page.route("**/openapi.json", poisoned)
    _open(page)
    assert "onerror" in page.locator("main").inner_text()
    page.goto(f"/docs{CREATE}")
    page.get_by_text("onerror").first.wait_for()
    assert page.locator("main img, main script, main b").count() == 0
    assert page.title() != "taken"


def test_a_document_that_cannot_be_had_is_said(page: Page) -> None:
    """No empty page: what is wrong, and what to do."""
    page.route("**/openapi.json", lambda route: route.fulfill(status=204))
    page.goto("/docs")

    assert "Load the page again" in page.get_by_role("alert").inner_text()
