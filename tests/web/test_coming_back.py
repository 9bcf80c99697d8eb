"""Pages that are left and come back to: with Back, in another language, or in a second window."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error

from tests.web.test_managing import _fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.web.person import Person


def _to(person: Person, address: str) -> None:
    """Go to an address as a link of the page would."""
    person.page.evaluate("address => { location.hash = address; }", address)


def _hold(person: Person, address: str) -> list[Route]:
    """Let the next request to an address hang; it is in the list that comes back."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    person.page.route(address, hold, times=1)
    return held


def _said_to_be(status: str, **facts: Any) -> Callable[[Route], None]:
    """Return a handler that gives a connection as the service has it, but for its status."""

    def answer(route: Route) -> None:
        given = route.fetch()
        route.fulfill(response=given, body=json.dumps({**given.json(), "status": status, **facts}))

    return answer


def test_an_answer_goes_on_where_its_page_is_come_back_to(visit: Callable[..., Person]) -> None:
    """An answer under way is drawn, and stopped, in the page as it is now, not in the one that was left."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.title("chat.title")
    slow = {"service": "bedrock-runtime", "operation": "ConverseStream", "kind": "slow", "seconds": 60}
    _fault(person, {**slow, "after_events": 4})
    try:
        person.field("chat.question").fill("A long story, please.")
        person.field("chat.question").press("Enter")
        person.page.locator(".turn.assistant .words", has_text="You said").wait_for()
        _to(person, f"#/c/{connection_id}/models")
        person.title("models.title")
        person.page.go_back()
        person.title("chat.title")
        assert person.button("chat.send").is_disabled()
        assert person.field("chat.question").input_value() == ""

        person.button("chat.stop").click()
        person.main.get_by_text(person.say("chat.stopped"), exact=True).first.wait_for()
        # Who listens is not told that it is complete.
        person.page.locator("#announcer", has_text=person.say("chat.stopped")).wait_for(state="attached")
        assert person.button("chat.send").is_enabled()
        assert person.button("chat.stop").is_disabled()
    finally:
        _fault(person, None)


def test_an_answer_that_fails_while_its_page_is_left_is_told_there(visit: Callable[..., Person]) -> None:
    """Whoever comes back finds what went wrong and the question, with what was typed meanwhile."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.title("chat.title")
    held = _hold(person, "**/chat/completions")
    person.field("chat.question").fill("Does it hold?")
    person.button("chat.send").click()
    person.field("chat.question").fill("And this?")
    _to(person, "#/keys")
    person.title("keys.title")
    held[0].abort("connectionfailed")
    _to(person, f"#/c/{connection_id}/chat")
    person.told("problem.network")

    assert person.field("chat.question").input_value() == "Does it hold?\nAnd this?"
    assert person.page.locator(".turn").count() == 0


def test_a_question_before_what_cannot_be_undone_goes_with_its_page(visit: Callable[..., Person]) -> None:
    """After Back nobody is asked any more: a “yes” then would do nothing, or what one no longer looks at."""
    person = visit()
    person.active()
    person.sign_in()
    person.page.get_by_role("link", name="Acme production", exact=True).click()
    person.button("removal.go").click()
    person.page.get_by_role("dialog").wait_for()
    person.page.go_back()
    person.title("connections.title")

    person.page.get_by_role("dialog").wait_for(state="detached")


def test_leaving_while_something_is_sent_is_no_failure(visit: Callable[..., Person]) -> None:
    """Nothing is said, and no script fails, when the page whose request it was is gone."""
    person = visit()
    person.sign_in("#/new")
    person.page.get_by_label(person.say("details.name"), exact=True).fill("Left")
    held = _hold(person, "**/v1/connections")
    person.button("details.create").click()
    with person.page.expect_event("requestfailed"):
        _to(person, "#/keys")
    person.title("keys.title")

    assert len(held) == 1


def test_a_session_that_ends_takes_what_it_asked_along(visit: Callable[..., Person]) -> None:
    """A refusal that comes after the end asks nobody for a new token: there is no one at work whose it could be."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    _to(person, f"#/c/{connection_id}/verify")
    person.page.locator("summary", has_text=person.say("lint.title")).click()
    person.field("lint.label").fill("{}")
    held = _hold(person, "**/trust-policy")
    person.button("lint.go").click()
    while not held:
        person.page.wait_for_timeout(20)
    person.button("session.end").click()
    person.title("welcome.title")
    with contextlib.suppress(Error):
        held[0].fulfill(status=401, json={"error": {"code": "token_expired", "message": "x"}})
    person.page.wait_for_timeout(300)

    assert person.page.get_by_role("dialog").count() == 0


def test_a_model_that_is_offered_no_more_is_not_chosen(visit: Callable[..., Person]) -> None:
    """The scope was narrowed since: the first that is left stands there instead of nothing."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.title("chat.title")
    offered = person.field("chat.model").evaluate("select => [...select.options].map((option) => option.value)")
    person.field("chat.model").select_option(offered[-1])
    version = person.api.get(f"/v1/connections/{connection_id}").json["version"]
    only = {"models": [offered[0].removeprefix("bedrock/")]}
    person.api.call("PATCH", f"/v1/connections/{connection_id}", only, headers={"If-Match": f'"{version}"'})
    _to(person, "#/keys")
    person.title("keys.title")
    _to(person, f"#/c/{connection_id}/chat")
    person.title("chat.title")

    assert person.field("chat.model").input_value() == offered[0]


def test_the_steps_of_a_deleted_connection_lead_to_what_is_left_of_it(visit: Callable[..., Person]) -> None:
    """Not to a green “in use” from before, nor to a form that can't be sent; and Back does not lead there again."""
    person = visit()
    connection_id = person.active()
    person.sign_in("#/keys")
    assert person.api.call("DELETE", f"/v1/connections/{connection_id}").status == 200
    for step in ("details", "role", "verify", "models", "chat"):
        _to(person, f"#/c/{connection_id}/{step}")
        person.button("removal.prove").wait_for()
        assert person.page.url.endswith(f"#/c/{connection_id}"), step
        person.page.go_back()
        person.title("keys.title")


@pytest.mark.parametrize("step", ["role", "verify", "models", "chat"])
def test_an_expired_connection_leads_to_a_new_one(visit: Callable[..., Person], step: str) -> None:
    """Its external ID is never accepted: no documents, no check; what is wrong, and where to begin anew."""
    person = visit()
    made = person.api.post("/v1/connections", {"name": "Late", "region": "us-east-1"}).json
    person.page.route(f"**/v1/connections/{made['id']}", _said_to_be("expired"))
    person.sign_in(f"#/c/{made['id']}/{step}")
    person.told("role.expired")
    assert made["external_id"] not in person.page.content()
    assert person.page.locator("main form").count() == 0

    person.link("connections.new").click()
    person.title("details.title")


@pytest.mark.parametrize("step", ["models", "chat"])
def test_a_step_that_comes_later_leads_to_the_check(visit: Callable[..., Person], step: str) -> None:
    """The address of a step can be opened before its time; it says what is missing, in a person's words."""
    person = visit()
    made = person.api.post("/v1/connections", {"name": "Early", "region": "us-east-1"}).json
    person.sign_in(f"#/c/{made['id']}/{step}")
    person.told("chat.notServed")
    assert "POST" not in person.page.locator("main").inner_text()

    person.page.locator(".banner").get_by_role("link").click()
    person.title("verify.title")


def test_the_check_shows_what_another_window_found(visit: Callable[..., Person]) -> None:
    """The report on show is the service's last one, not the last that this window asked for."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    arn = person.make_role(connection_id)
    person.link("role.onward").click()
    person.page.locator("form button.primary").click()
    person.told("verdict.verified")
    nobody = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    person.customer.replace_trust_policy(arn, {"Version": "2012-10-17", "Statement": [nobody]})
    person.api.post(f"/v1/connections/{connection_id}/verification", {"role_arn": arn})
    _to(person, "#/keys")
    person.title("keys.title")
    _to(person, f"#/c/{connection_id}/verify")

    person.told("verdict.refused")


def test_what_another_window_did_first_is_shown(visit: Callable[..., Person]) -> None:
    """The refusal is told, and the page is what the connection is now, instead of a button that is refused for ever."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}")
    person.button("rotation.start").wait_for()
    person.api.post(f"/v1/connections/{connection_id}/rotation", {})
    person.button("rotation.start").click()
    person.told("rotation.under")
    assert "rotating" in person.page.locator(".banner.bad").inner_text()
    assert person.button("again").count() == 0

    person.button("rotation.cancel").click()
    person.button("rotation.start").wait_for()
    assert person.page.locator(".banner.bad").count() == 0


def test_what_is_asked_for_twice_is_shown_once(visit: Callable[..., Person]) -> None:
    """A second press on “Show more” brings no row twice, and the focus goes on where the new ones begin."""
    person = visit()
    for number in range(30):
        person.api.post("/v1/connections", {"name": f"Waiting {number:02}", "region": "eu-central-1"})
    person.sign_in()
    rows = person.page.locator("tbody tr")
    rows.nth(24).wait_for()
    person.button("more").dblclick()
    rows.nth(29).wait_for()

    assert len(set(rows.locator("th").all_inner_texts())) == rows.count() == 30
    assert rows.nth(25).evaluate("row => row === document.activeElement")
