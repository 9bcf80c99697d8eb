"""For everyone: axe-core on each page, keyboard alone, narrow screens, two languages, and a layout that stays put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.web.person import Person

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def _violations(person: Person, page: str) -> list[str]:
    """Return what axe-core finds on the page as it is, light and dark, and whatever is wider than a phone of 320 px."""
    found: list[str] = []
    schemes: tuple[tuple[Literal["light", "dark"], dict[str, Any]], ...] = (("dark", COLORS), ("light", RULES))
    for scheme, rules in schemes:
        person.page.emulate_media(color_scheme=scheme)
        results = Axe().run(person.page, options=rules).response
        found += [
            f"{page} {scheme}: {violation['id']} {[node['target'] for node in violation['nodes']][:3]}"
            for violation in results["violations"]
        ]
        assert results["passes"], "axe-core looked at nothing"
    person.page.set_viewport_size({"width": 320, "height": 700})
    width = person.page.evaluate("document.documentElement.scrollWidth")
    person.page.set_viewport_size({"width": 1280, "height": 900})
    return found if width <= 320 else [*found, f"{page}: {width} px wide on a phone of 320"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_page_has_a_barrier(visit: Callable[..., Person], language: str) -> None:
    """axe-core reports nothing on any page, in either language, light or dark; nothing needs scrolling sideways."""
    person = visit(language=language)
    found: list[str] = []
    person.go()
    person.title("welcome.title")
    assert person.page.locator("html").get_attribute("lang") == language
    found += _violations(person, "welcome")
    person.field("token.label").fill(person.token)
    person.button("token.go").click()
    person.title("confirm.title")
    found += _violations(person, "confirm")
    person.confirm()
    person.page.locator(".empty").wait_for()
    found += _violations(person, "no connections")
    waiting = person.api.post("/v1/connections", {"name": "Waiting", "region": "us-east-1"}).json["id"]
    active = person.active("In use")
    for address, ready in (
        ("#/new", ".picture li"),
        (f"#/c/{waiting}/role", "[role=tabpanel] pre"),
        (f"#/c/{waiting}/verify", ".checks"),
        (f"#/c/{active}/models", "tbody tr"),
        (f"#/c/{active}/chat", ".talk"),
        (f"#/c/{active}", ".timeline li"),
        ("#/", "tbody tr"),
        ("#/keys", "input[type=password]"),
        ("#/c/conn-aaaaaaaaaaaaaaaaaaaa", ".banner.bad"),
    ):
        person.page.evaluate("address => { location.hash = address; }", address)
        person.page.locator(ready).first.wait_for()
        found += _violations(person, address)
    assert found == []


def test_what_comes_later_on_a_page_has_no_barrier(visit: Callable[..., Person]) -> None:
    """The same of what appears in the course of things: findings, a linted policy, tabs, dialogs, an answer."""
    person = visit()
    found: list[str] = []
    person.sign_in()
    person.create()
    for way in ("hand", "existing"):
        person.page.get_by_role("tab", name=person.say(f"way.{way}"), exact=True).click()
        found += _violations(person, way)
    person.link("role.onward").click()
    person.page.locator("form button.primary").click()
    person.page.locator(".finding details").first.wait_for()
    for summary in person.page.locator("summary").all():
        summary.click()
    found += _violations(person, "findings")
    active = person.active()
    person.page.evaluate("id => { location.hash = `#/c/${id}/chat`; }", active)
    person.field("chat.question").fill("Hello")
    person.button("chat.send").click()
    person.page.locator(".usage").wait_for()
    found += _violations(person, "answer")
    person.link("chat.onward").click()
    person.button("removal.go").click()
    found += _violations(person, "dialog")
    assert found == []


def _tab_to(person: Person, name: str, role: str = "button") -> None:
    """Press Tab until the focus is on what a screen reader calls so. Fails after a round of the page."""
    wanted = person.page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]  # a role of ARIA
    wanted.wait_for()
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        person.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name}")


def test_the_journey_needs_no_mouse(visit: Callable[..., Person]) -> None:
    """From the token to an answer with Tab, Enter, Space and arrows; each page puts the focus on its title."""
    person = visit()
    keyboard = person.page.keyboard
    person.go()
    person.title("welcome.title")
    while not person.field("token.label").evaluate("field => field === document.activeElement"):
        keyboard.press("Tab")
    keyboard.insert_text(person.token)
    keyboard.press("Enter")
    person.title("confirm.title")
    _tab_to(person, person.say("confirm.yes", tenant=person.tenant))
    keyboard.press("Enter")
    person.title("connections.title")
    assert person.page.evaluate("document.activeElement.tagName") == "H1"
    _tab_to(person, person.say("connections.first"), "link")
    keyboard.press("Enter")
    person.title("details.title")
    _tab_to(person, person.say("details.name"), "textbox")
    keyboard.type("By keyboard")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.type(person.customer.account)
    keyboard.press("Enter")
    person.title("role.title")
    connection_id = person.page.url.split("/c/")[1].split("/")[0]
    _tab_to(person, person.say("way.cloudformation"), "tab")
    keyboard.press("ArrowRight")
    assert person.page.get_by_role("tab", selected=True).text_content() == person.say("way.terraform")
    keyboard.press("End")
    assert person.page.get_by_role("tab", selected=True).text_content() == person.say("way.existing")
    # The way past header and steps leads to the content, and to no other page.
    person.page.evaluate("document.activeElement.blur()")
    _tab_to(person, person.say("skip"), "link")
    keyboard.press("Enter")
    assert person.page.evaluate("document.activeElement.id") == "main"
    person.title("role.title")
    person.make_role(connection_id)
    _tab_to(person, person.say("role.onward"), "link")
    keyboard.press("Enter")
    person.title("verify.title")
    _tab_to(person, person.say("verify.go"))
    keyboard.press("Enter")
    person.told("verdict.verified")
    _tab_to(person, person.say("verify.onward"), "link")
    keyboard.press("Enter")
    person.title("models.title")
    _tab_to(person, person.say("models.onward"), "link")
    keyboard.press("Enter")
    person.title("chat.title")
    _tab_to(person, person.say("chat.question"), "textbox")
    keyboard.type("Hello")
    keyboard.press("Enter")
    person.page.locator(".usage").wait_for()
    person.page.locator("#announcer", has_text=person.say("chat.answered")).wait_for(state="attached")


def test_a_button_keeps_the_focus_while_its_work_is_under_way(visit: Callable[..., Person]) -> None:
    """Whoever works by keyboard or by ear is not thrown to the page's top; a second press does nothing meanwhile."""
    person = visit()
    person.sign_in(f"#/c/{person.active()}/models")
    person.page.locator("tbody tr").first.wait_for()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    asking = (("#/keys", "/v1/keys/verify", "keys.go"), ("#/new", "/v1/connections", "details.create"))
    for address, path, key in asking:
        person.page.route(f"**{path}", hold)
        person.page.evaluate("address => { location.hash = address; }", address)
        person.page.locator("main form input").first.fill("something")
        button = person.button(key)
        with person.page.expect_request(f"**{path}"):
            button.press("Enter")
        button.press("Enter")
        assert button.is_disabled()
        assert button.evaluate("element => element === document.activeElement")
        while not held:
            person.page.wait_for_timeout(20)
        held.pop().abort("connectionfailed")
        person.told("problem.network")
        assert button.is_enabled()
        assert button.evaluate("element => element === document.activeElement")
        assert sum(request.endswith(path) for request in person.requests) == 1


def test_a_dialog_gives_the_focus_back(visit: Callable[..., Person]) -> None:
    """Escape closes it, and the focus is where it was."""
    person = visit()
    person.sign_in(f"#/c/{person.active()}")
    person.button("removal.go").click()
    person.page.get_by_role("dialog").wait_for()
    person.page.keyboard.press("Escape")
    person.page.get_by_role("dialog").wait_for(state="detached")

    assert person.button("removal.go").evaluate("element => element === document.activeElement")


def test_the_language_is_the_browsers_and_can_be_switched(visit: Callable[..., Person]) -> None:
    """French for a French browser; switching keeps what was typed, goes into the address, and holds after a reload."""
    person = visit(language="fr")
    person.sign_in("#/new")
    person.title("details.title")
    person.page.get_by_label(person.say("details.name"), exact=True).fill("Déjà saisi")
    person.page.get_by_label(person.say("language")).select_option("en")
    person.page.get_by_role("heading", level=1, name="What is to be connected?").wait_for()

    assert person.page.get_by_label("Name", exact=True).input_value() == "Déjà saisi"
    assert "?lang=en#/new" in person.page.url
    assert person.page.locator("html").get_attribute("lang") == "en"
    person.page.reload()
    person.page.get_by_role("heading", level=1, name="Connect your Amazon Bedrock").wait_for()


def test_english_texts_of_the_api_are_marked_as_such(visit: Callable[..., Person]) -> None:
    """In French a screen reader is told which sentences are English."""
    person = visit(language="fr")
    person.sign_in()
    person.create()
    person.link("role.onward").click()
    person.page.locator("form button.primary").click()
    finding = person.page.locator(".finding").first
    finding.wait_for()

    assert finding.locator("h3").text_content() == person.say("finding.assume_role_denied")
    assert finding.locator('p[lang="en"]').first.is_visible()


def test_nothing_moves_while_a_page_comes_up(visit: Callable[..., Person]) -> None:
    """The layout shift of the first paint and of each step is far below 0.1, which the Web Vitals call good."""
    person = visit()
    active = person.active()
    person.page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " window.shift += entry.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    person.go()
    person.title("welcome.title")
    first = person.page.evaluate("window.shift")
    person.field("token.label").fill(person.token)
    person.button("token.go").click()
    person.confirm()
    for address, ready in ((f"#/c/{active}/role", "pre"), (f"#/c/{active}/models", "tbody tr"), ("#/", "tbody tr")):
        person.page.evaluate("address => { location.hash = address; }", address)
        person.page.locator(ready).first.wait_for()

    assert first < 0.02
    assert person.page.evaluate("window.shift") < 0.1


def test_a_page_below_a_stage_works(visit: Callable[..., Person]) -> None:
    """Behind API Gateway's stage every file and every call is found below it."""
    person = visit()
    person.page.route("**/prod/**", lambda route: route.continue_(url=route.request.url.replace("/prod/", "/")))
    person.url = f"{person.url}/prod"
    person.sign_in()
    person.create()

    calls = [call for call in person.requests if "/v1/" in call or "/wizard/" in call]
    assert len(calls) > 20
    assert all("/prod/" in call for call in calls)
