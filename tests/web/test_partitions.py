"""AWS's other clouds, and connections with a guardrail: the page says what is so there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.web.person import Person


def test_another_cloud_is_spoken_of_by_its_own_names(visit: Callable[..., Person]) -> None:
    """In GovCloud a role's ARN begins otherwise, its console is elsewhere, and no region is of the usual ones."""
    person = visit()

    def in_govcloud(route: Route) -> None:
        given = route.fetch()
        setup = {**given.json(), "partition": "aws-us-gov", "regions": ["us-gov-east-1", "us-gov-west-1"]}
        route.fulfill(response=given, body=json.dumps(setup))

    made = person.api.post("/v1/connections", {"name": "Agency", "region": "us-east-1"}).json
    person.page.route("**/v1/setup", in_govcloud)
    person.sign_in("#/new")
    groups = person.field("details.region").locator("optgroup")
    assert groups.evaluate_all("all => all.map((one) => one.label)") == [person.say("details.region.all")]

    person.page.evaluate("id => { location.hash = `#/c/${id}/role`; }", made["id"])
    person.page.get_by_role("tab", name=person.say("way.hand"), exact=True).click()
    console = person.page.get_by_role("link", name=person.say("way.hand.console"))
    assert str(console.get_attribute("href")).startswith("https://console.amazonaws-us-gov.com/iam/")
    person.link("role.onward").click()
    arn = person.field("verify.arn")
    assert arn.get_attribute("placeholder") == "arn:aws-us-gov:iam::…:role/…"
    assert person.main.get_by_text(person.say("verify.arn.help", partition="aws-us-gov")).is_visible()
    arn.fill("hello")
    person.page.locator(".error", has_text=person.say("arn.beginning", partition="aws-us-gov")).wait_for()


def test_a_guardrails_permission_is_in_the_picture(visit: Callable[..., Person]) -> None:
    """“This, and nothing else” holds of a connection with a guardrail too: its documents ask for one thing more."""
    person = visit()
    body = {"name": "Guarded", "region": "us-east-1", "guardrail": {"identifier": "gr1example", "version": "1"}}
    guarded = person.api.post("/v1/connections", body).json
    person.sign_in("#/new")
    person.title("details.title")
    text = person.say("permission.ApplyGuardrail")
    assert person.main.get_by_text(text).count() == 0

    person.page.evaluate("id => { location.hash = `#/c/${id}/details`; }", guarded["id"])
    person.page.locator(".permissions", has_text=text).wait_for()
