"""Connections after their first check: the list, a new external ID, the record, the end and its proof; and keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.person import Person


def _open(person: Person, connection_id: str, name: str = "Acme production") -> None:
    person.sign_in(f"#/c/{connection_id}")
    person.page.get_by_role("heading", level=1, name=name, exact=True).wait_for()


def test_the_list_says_how_each_connection_stands(visit: Callable[..., Person]) -> None:
    """Name, status, last verification and where to go on; another page of it is fetched when it is asked for."""
    person = visit()
    active = person.active("In use")
    for number in range(26):
        person.api.post("/v1/connections", {"name": f"Waiting {number:02}", "region": "eu-central-1"})
    person.sign_in()
    rows = person.page.locator("tbody tr")
    rows.nth(24).wait_for()
    person.snap("11-connections")
    assert rows.count() == 25

    person.button("more").click()
    rows.nth(26).wait_for()
    assert rows.count() == 27
    row = person.page.get_by_role("row", name="In use")
    assert row.get_by_text(person.say("status.active"), exact=True).is_visible()
    row.get_by_role("link", name=person.say("next.models")).click()
    person.title("models.title")
    assert active in person.page.url


def test_an_external_id_is_replaced_and_the_change_called_off(visit: Callable[..., Person]) -> None:
    """A new ID waits beside the old one; it can be dropped, or put in place by documents, role and check."""
    person = visit()
    connection_id = person.active()
    path = f"/v1/connections/{connection_id}"
    old = person.api.get(path).json["external_id"]
    _open(person, connection_id)
    person.button("rotation.start").click()
    person.told("rotation.under")
    pending = person.api.get(path).json["pending_external_id"]
    assert person.page.locator(".facts").get_by_text(pending, exact=True).is_visible()
    person.snap("12-rotation")
    person.button("rotation.cancel").click()
    person.button("rotation.start").wait_for()
    assert "pending_external_id" not in person.api.get(path).json

    person.button("rotation.start").click()
    person.told("rotation.under").get_by_role("link", name=person.say("rotation.documents")).click()
    person.told("role.rotating")
    documents = person.api.get(f"{path}/documents").json
    arn = person.api.get(path).json["role_arn"]
    person.customer.replace_trust_policy(arn, documents["trust_policy"])
    person.link("role.onward").click()
    person.page.locator("form button.primary").click()
    person.page.locator(".finding", has_text=person.say("finding.old_external_id_still_accepted")).wait_for()
    assert person.api.get(path).json["external_id"] not in (old, None)


def test_the_record_tells_who_did_what(visit: Callable[..., Person]) -> None:
    """Every change stands there with its person, time and what it changed, newest first."""
    person = visit(subject="anna@example.com")
    connection_id = person.active()
    _open(person, connection_id)
    person.page.locator(".timeline li").nth(1).wait_for()

    events = person.page.locator(".timeline .event strong").all_text_contents()
    assert events == [person.say("event.verification_verified"), person.say("event.connection_created")]
    first = person.page.locator(".timeline > li").first
    assert first.get_by_text(person.say("record.by", actor="anna@example.com", **{"from": "127.0.0.1"})).is_visible()
    assert first.get_by_text(person.say("status.pending"), exact=True).is_visible()


def test_what_was_said_in_step_one_is_changed(visit: Callable[..., Person]) -> None:
    """Name, region and models are changed in the same form; what models there can't be is told at their field."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/details")
    person.title("details.title")
    person.page.get_by_label(person.say("details.name"), exact=True).fill("Renamed")
    person.page.get_by_label(person.say("details.models.some"), exact=True).check()
    person.field("details.models.ids").fill("arn:aws:s3:::bucket")
    person.button("details.save").click()
    person.page.locator(".error", has_text="s3").wait_for()
    person.field("details.models.ids").fill("amazon.nova-lite-v1:0\namazon.nova-micro-v1:0")
    # Somebody else changes it in between: the page gets what it is now, and sends again what was typed.
    version = person.api.get(f"/v1/connections/{connection_id}").json["version"]
    person.api.call(
        "PATCH", f"/v1/connections/{connection_id}", {"name": "Other"}, headers={"If-Match": f'"{version}"'}
    )
    person.button("details.save").click()
    person.button("again").click()
    # What was changed needs a new check before its models mean anything: the page leads there, and so does the list.
    person.title("verify.title")
    person.link("nav.connections").click()
    step = person.say("connections.next.what", step=person.say("next.verify"), name="Renamed")
    person.page.get_by_role("link", name=step, exact=True).wait_for()

    shown = person.api.get(f"/v1/connections/{connection_id}").json
    assert (shown["name"], shown["models"]) == ("Renamed", ["amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"])


def test_a_connection_ends_with_proof(visit: Callable[..., Person]) -> None:
    """Deleting asks first; then come the steps, the proof, which fails while the role is there, and then holds."""
    person = visit()
    connection_id = person.active()
    path = f"/v1/connections/{connection_id}"
    arn = person.api.get(path).json["role_arn"]
    _open(person, connection_id)
    person.button("removal.go").click()
    person.page.get_by_role("dialog").wait_for()
    person.snap("13-delete")
    person.button("cancel").click()
    assert person.api.get(path).json["status"] == "active"

    person.button("removal.go").click()
    person.button("removal.yes").click()
    person.page.get_by_role("heading", name=person.say("teardown.title")).wait_for()
    assert person.api.get(path).json["status"] == "revoked"
    assert arn.rpartition("/")[2] in (person.page.locator("ol.numbered").first.text_content() or "")
    person.button("removal.prove").click()
    person.told("removal.admits")
    iam = person.customer.client("iam")
    name = arn.rpartition("/")[2]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
    person.button("removal.prove").click()
    person.told("removal.proven")
    person.snap("14-proven")

    # Come back to, the steps can still be had.
    person.link("connection.all").click()
    person.page.get_by_role("link", name="Acme production", exact=True).click()
    person.button("teardown.show").click()
    person.page.locator("ol.numbered li").first.wait_for()


def test_models_are_filtered_and_explained(visit: Callable[..., Person]) -> None:
    """By text and by availability; a model that can't be called says why; calling each is asked for by a button."""
    person = visit()
    connection_id = person.active()
    rows = person.api.get(f"/v1/connections/{connection_id}/models").json["data"]
    closed = [row for row in rows if not row["available"]]
    person.sign_in(f"#/c/{connection_id}/models")
    person.page.locator("tbody tr").nth(5).wait_for()
    assert person.page.locator("tbody tr").count() == len(rows)

    person.field("models.which").select_option("no")
    assert person.page.locator("tbody tr").count() == len(closed)
    assert person.page.locator(".count").text_content() == person.say("models.count.other", number=len(closed))
    person.main.get_by_text(person.say("models.why"), exact=True).first.click()
    assert person.main.get_by_text(closed[0]["finding"]["fix"]).first.is_visible()
    person.field("models.filter").fill("no such thing")
    assert person.main.get_by_text(person.say("models.none")).is_visible()
    person.field("models.filter").fill("claude opus")
    person.field("models.which").select_option("all")
    person.button("models.probe").click()
    person.button("models.probe").wait_for()
    assert 0 < person.page.locator("tbody tr").count() < len(rows)


def test_an_answer_is_stopped(visit: Callable[..., Person]) -> None:
    """Stop ends the stream; what has come stays, said to be stopped, and the talk goes on."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.title("chat.title")
    fault = {
        "service": "bedrock-runtime",
        "operation": "ConverseStream",
        "kind": "slow",
        "seconds": 30,
        "after_events": 4,
    }
    _fault(person, fault)
    try:
        person.field("chat.question").fill("A long story, please.")
        person.field("chat.question").press("Enter")
        person.page.locator(".turn.assistant").wait_for()
        person.button("chat.stop").click()
        person.main.get_by_text(person.say("chat.stopped"), exact=True).wait_for()
    finally:
        _fault(person, None)

    person.field("chat.question").fill("And now?")
    person.button("chat.send").click()
    person.page.locator(".usage", has_text="tokens").wait_for()


def _fault(person: Person, fault: dict[str, object] | None) -> None:
    import urllib3

    address = f"{person.world.aws.url}/_sandbox/faults"
    answer = urllib3.request("DELETE", address) if fault is None else urllib3.request("POST", address, json=fault)
    assert answer.status < 300, answer.data


def test_a_stream_that_breaks_gives_the_question_back(visit: Callable[..., Person]) -> None:
    """The problem is told, and what was asked stands in its field again."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.title("chat.title")
    _fault(
        person,
        {
            "service": "bedrock-runtime",
            "operation": "ConverseStream",
            "kind": "early_end",
            "after_events": 3,
            "times": 1,
        },
    )
    try:
        person.field("chat.question").fill("Does it hold?")
        person.button("chat.send").click()
        person.button("again").wait_for()
        assert person.field("chat.question").input_value() == "Does it hold?"
    finally:
        _fault(person, None)
    person.button("again").click()
    person.page.locator(".usage").wait_for()


def test_half_an_answer_is_not_taken_for_a_whole_one(visit: Callable[..., Person]) -> None:
    """A stream that ends without its end mark, as a proxy may leave it, gives the question back."""
    person = visit()
    person.sign_in(f"#/c/{person.active()}/chat")
    delta = {"choices": [{"index": 0, "delta": {"content": "Only hal"}, "finish_reason": None}], "usage": None}
    body = f"data: {json.dumps(delta)}\n\n"
    person.page.route(
        "**/chat/completions", lambda route: route.fulfill(content_type="text/event-stream", body=body), times=1
    )
    person.field("chat.question").fill("All of it?")
    person.button("chat.send").click()
    person.told("problem.network")

    assert person.field("chat.question").input_value() == "All of it?"
    assert person.main.get_by_text("Only hal").count() == 0


def test_the_next_person_finds_nothing_of_the_last(visit: Callable[..., Person]) -> None:
    """Ending the session leaves no talk, no typed text and no report to who signs in after it at the same window."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/chat")
    person.field("chat.question").fill("My secret question")
    person.button("chat.send").click()
    person.page.locator(".usage").wait_for()
    person.field("chat.question").fill("And one that was not sent")
    person.button("session.end").click()
    person.title("welcome.title")
    assert "secret" not in person.page.content()

    person.field("token.label").fill(person.world.issuer.token(person.tenant, subject="a colleague"))
    person.button("token.go").click()
    person.confirm()
    person.title("chat.title")
    assert person.page.locator(".turn").count() == 0
    assert person.field("chat.question").input_value() == ""


def test_a_key_is_tried_and_forgotten(visit: Callable[..., Person]) -> None:
    """Each provider's fields; what the key is good for; and that nothing of it is kept, here or there."""
    person = visit()
    providers = person.world.providers.description()
    person.sign_in("#/keys")
    person.title("keys.title")
    person.told("keys.notStored")
    for provider, parts, verdict in (
        ("openai", {"key": providers["openai"]["key"]}, "key.valid"),
        ("anthropic", {"key": f"{providers['anthropic']['key']}-no-credit"}, "key.no_credit"),
        ("google", {"key": "AIza" + "x" * 35}, "key.invalid"),
        ("azure", providers["azure"], "key.valid"),
        ("bedrock", {"key": person.world.accounts.bedrock_key}, "key.valid"),
        (
            "aws",
            {
                "access_key_id": person.customer.access_key_id,
                "secret_access_key": person.customer.secret_access_key,
            },
            "key.valid",
        ),
    ):
        person.field("keys.provider").select_option(provider)
        for name, value in parts.items():
            person.page.locator(f'[name="part-{name}"]').fill(value)
        person.button("keys.go").click()
        person.told(verdict)
        person.snap(f"15-key-{provider}")

    person.link("nav.connections").click()
    person.title("connections.title")
    person.link("nav.keys").click()
    person.title("keys.title")
    assert person.page.locator("input").evaluate_all("inputs => inputs.map((input) => input.value).join('')") == ""


def test_a_key_of_another_company_is_told_at_its_field(visit: Callable[..., Person]) -> None:
    """The service refuses it before anybody is asked; the field says so, and what was typed is still there."""
    person = visit()
    key = person.world.providers.anthropic.key
    person.sign_in("#/keys")
    person.title("keys.title")
    person.button("keys.go").click()
    person.main.get_by_text(person.say("keys.missing"), exact=True).wait_for()
    person.page.locator('[name="part-key"]').fill(key)
    person.button("keys.go").click()

    person.page.locator(".error, .banner.bad").filter(has_text="Anthropic").first.wait_for()
    assert person.page.locator('[name="part-key"]').input_value() == key
