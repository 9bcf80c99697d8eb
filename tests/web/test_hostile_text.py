"""Texts that try to be script: wherever they come from, they are shown as they are and run nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.web.person import Person

HOSTILE = {
    "an image that fails": '<img src=x onerror="window.ran=1">',
    "a script": "<script>window.ran=1</script>",
    "an attribute that ends": '"><svg onload=window.ran=1>',
    "an address that runs": "javascript:window.ran=1",
    "templates": "{{constructor.constructor('window.ran=1')()}} ${window.ran=1}",
    "a frame": "</pre></code><iframe srcdoc='<script>parent.ran=1</script>'>",
}


def _unharmed(person: Person, text: str) -> None:
    """Hold that nothing ran, and nothing of the text became an element."""
    # What a page shows from its last visit may give way to what is read anew.
    for _ in range(50):
        shown = person.page.locator("main").inner_text()
        if text.upper() in shown.upper():
            break
        person.page.wait_for_timeout(100)
    assert text.upper() in shown.upper()
    assert person.page.evaluate("window.ran") is None
    assert person.page.locator("main img, main script, main svg, main iframe").count() == 0


def test_a_name_is_shown_as_it_is(visit: Callable[..., Person]) -> None:
    """A connection's name comes from a person: it stands in lists, titles, records and questions."""
    person = visit()
    for text in HOSTILE.values():
        person.api.post("/v1/connections", {"name": text, "region": "us-east-1"})
    person.sign_in()
    for text in HOSTILE.values():
        person.link("nav.connections").click()
        person.page.locator("tbody th a", has_text=text).wait_for()
        _unharmed(person, text)
        person.page.locator("tbody th a", has_text=text).click()
        person.page.locator(".timeline li").first.wait_for()
        _unharmed(person, text)
        person.button("removal.go").click()
        assert text in (person.page.get_by_role("dialog").text_content() or "")
        person.page.keyboard.press("Escape")
        person.link("connection.to.role").click()
        person.title("role.title")
        _unharmed(person, text)


def _everything_hostile(text: str) -> dict[str, object]:
    """Return a report in which every text of the API, or of AWS behind it, is hostile."""
    edit = {"document": text, "title": text, "json": {text: text}}
    suspect = {"code": text, "message": text, "fix": text, "edits": [edit]}
    finding = {
        "code": text,
        "severity": text,
        "whose_fix": text,
        "message": text,
        "fix": text,
        "evidence": {text: text},
        "edits": [edit],
        "suspects": [suspect],
    }
    check = {"id": "list_models", "title": text, "expected": text, "outcome": text, "findings": [finding]}
    return {
        "verdict": "refused",
        "status": "pending",
        "usable": False,
        "role_arn": text,
        "checks": [check],
        "findings": [finding],
        "checked_at": "2026-01-01T00:00:00.000+00:00",
        "retry_after": None,
        "duration_ms": 1,
        "attempts": 1,
    }


def _answer_hostile(person: Person, text: str) -> None:
    """Have everything that the pages below ask of the API answered with this text."""
    finding: dict[str, object] = _everything_hostile(text)["findings"][0]  # type: ignore[index]  # a list, see there
    model = {"id": text, "name": text, "provider": text, "available": False, "reason": text, "regions": [text]}
    delta = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "usage": None}
    answer = f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n"
    error = {"message": text, "type": text, "code": text, "param": text, "request_id": text, "fix": text}

    def one(route: Route) -> None:
        if "/models" in route.request.url and "connections" in route.request.url:
            route.fulfill(json={"data": [{**model, "finding": finding}]})
        elif "/chat/" in route.request.url:
            route.fulfill(content_type="text/event-stream", body=answer)
        elif "/trust-policy" in route.request.url:
            route.fulfill(status=422, json={"error": error})
        elif "/verification" in route.request.url and route.request.method == "POST":
            route.fulfill(json=_everything_hostile(text))
        else:
            route.continue_()

    person.page.unroute_all()
    person.page.route("**/v1/**", one)


def test_what_the_api_and_aws_say_is_shown_as_it_is(visit: Callable[..., Person]) -> None:
    """Findings, evidence, policies, reasons, model names, answers and errors hold texts of others."""
    person = visit()
    connection_id = person.active()
    person.sign_in()
    for text in HOSTILE.values():
        _answer_hostile(person, text)
        person.page.evaluate("id => { location.hash = `#/c/${id}/verify`; }", connection_id)
        person.title("verify.title")
        person.page.locator("form button.primary").click()
        person.page.locator(".finding", has_text=text).first.wait_for()
        person.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        _unharmed(person, text)
        person.page.locator(".box textarea").fill(text)
        person.button("lint.go").click()
        person.page.locator(".box .banner.bad", has_text=text).wait_for()
        _unharmed(person, text)
        person.page.evaluate("id => { location.hash = `#/c/${id}/models`; }", connection_id)
        person.page.locator("tbody details summary").click()
        _unharmed(person, text)
        person.page.evaluate("id => { location.hash = `#/c/${id}/chat`; }", connection_id)
        person.title("chat.title")
        person.field("chat.question").fill(text)
        person.button("chat.send").click()
        person.page.locator(".turn.assistant .words", has_text=text).first.wait_for()
        _unharmed(person, text)


def test_a_token_that_names_hostile_people_is_shown_as_it_is(visit: Callable[..., Person]) -> None:
    """Tenant and person come from a token, which an attacker may have had issued."""
    tenant, subject = "<script>window.ran=1</script>", '<img src=x onerror="window.ran=1">'
    person = visit(tenant=tenant, subject=subject)
    person.go()
    person.field("token.label").fill(person.token)
    person.button("token.go").click()
    person.title("confirm.title")
    assert person.page.locator("#tenant").text_content() == tenant
    assert person.page.locator("#person").text_content() == subject
    person.confirm()
    assert person.page.evaluate("window.ran") is None


def test_the_policy_stops_script_that_gets_in_all_the_same(visit: Callable[..., Person]) -> None:
    """The last line: markup that is put into the page by force is refused, and inline script does not run."""
    person = visit()
    person.go()
    person.title("welcome.title")
    refused = person.page.evaluate(
        """() => { try { document.body.innerHTML += '<img src=x onerror="window.ran=1">'; return null; }
           catch (error) { return error.name; } }"""
    )
    person.page.evaluate(
        """() => { const script = document.createElement('script');
           try { script.textContent = 'window.ran = 1'; } catch { return; }
           document.body.append(script); }"""
    )

    assert refused == "TypeError"
    assert person.page.evaluate("window.ran") is None
    person.troubles.clear()
