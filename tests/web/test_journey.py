"""The whole journey as a person goes it, with the customer's administrator at work in IAM between the steps."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.web.person import Person


def _states(person: Person) -> list[str]:
    """Return how each check is shown."""
    classes = person.page.locator(".check").evaluate_all("rows => rows.map((row) => row.className)")
    return [name.removeprefix("check ") for name in classes]


def _verify(person: Person) -> None:
    person.page.locator("form button.primary").click()


def _download(person: Person, name: str, folder: Path) -> str:
    with person.page.expect_download() as started:
        person.button("download.what", name=name).click()
    path = folder / name
    started.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_a_person_connects_bedrock_and_tries_it(visit: Callable[..., Person]) -> None:
    """Token, details, role, checks, models, an answer: nothing else is needed, and every step is in the address."""
    person = visit()
    person.go()
    person.snap("01-welcome")
    person.field("token.label").fill(person.token)
    person.button("token.go").click()
    person.title("confirm.title")
    person.snap("02-confirm")
    person.confirm()
    person.title("connections.title")
    person.main.get_by_text(person.say("connections.none"), exact=True).wait_for()
    person.snap("03-no-connections")
    person.link("connections.first").click()
    person.title("details.title")
    person.snap("04-details")
    connection_id = person.create()
    connection = person.api.get(f"/v1/connections/{connection_id}").json
    assert person.main.get_by_text(connection["external_id"], exact=True).first.is_visible()
    person.snap("05-role")

    person.link("role.onward").click()
    person.title("verify.title")
    assert person.field("verify.arn").input_value() == connection["expected_role_arn"]
    person.snap("06-verify")
    person.make_role(connection_id)
    _verify(person)
    person.told("verdict.verified")
    assert _states(person) == ["good"] * 7
    assert person.page.locator(".which .chip").text_content() == person.say("status.active")
    person.snap("07-verified")

    person.link("verify.onward").click()
    person.title("models.title")
    person.page.get_by_role("row").nth(5).wait_for()
    person.snap("08-models")
    person.link("models.onward").click()
    person.title("chat.title")
    person.field("chat.question").fill("Say something about orchards.")
    person.button("chat.send").click()
    person.page.locator(".usage").wait_for()
    assert "orchards" in (person.page.locator(".turn.assistant .words").text_content() or "")
    assert person.field("chat.question").input_value() == ""
    person.snap("09-chat")

    person.link("chat.onward").click()
    person.page.get_by_role("heading", level=1, name="Acme production").wait_for()
    person.page.locator(".timeline li").first.wait_for()
    person.snap("10-connection")


def test_a_step_is_come_back_to_from_its_address(visit: Callable[..., Person]) -> None:
    """A new window with the address of a step asks for a token, and is where one was."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    for step, title in (("role", "role.title"), ("verify", "verify.title"), ("details", "details.title")):
        person.page.goto("about:blank")
        person.sign_in(f"#/c/{connection_id}/{step}")
        person.title(title)

    assert person.field("details.name").input_value() == "Acme production"


def test_an_address_that_leads_nowhere_has_a_way_on(visit: Callable[..., Person]) -> None:
    """A connection that is not there is said to be so, and anything else is the list."""
    person = visit()
    person.sign_in("#/c/conn-aaaaaaaaaaaaaaaaaaaa/role")
    person.main.get_by_text("There is no such connection").wait_for()
    person.link("nav.connections").click()
    person.title("connections.title")
    for address in ("#/c/..%2F..%2Fv1/role", "#/c/x/chat", "#/no/such/page", "#/new/x", "#"):
        person.link("nav.keys").click()
        person.title("keys.title")
        person.page.evaluate("address => { location.hash = address; }", address)
        person.title("connections.title")


WAYS = {
    "cloudformation": "customer-role.cfn.yaml",
    "terraform": "customer-role.tf",
    "cli": "create-role.sh",
    "hand": "trust-policy.json",
    "existing": "permissions-policy.json",
}


def test_each_way_gives_the_document_to_copy_and_to_download(visit: Callable[..., Person], tmp_path: Path) -> None:
    """What is shown, copied and downloaded is the API's document to the letter."""
    person = visit(permissions=["clipboard-read", "clipboard-write"])
    person.sign_in()
    files = person.api.get(f"/v1/connections/{person.create()}/documents").json["files"]
    for way, name in WAYS.items():
        person.page.get_by_role("tab", name=person.say(f"way.{way}"), exact=True).click()
        person.snap(f"05-role-{way}")

        shown = person.page.get_by_role("region", name=person.say("document.of", name=name)).text_content()
        assert shown == files[name]
        person.button("copy.what", name=name).click()
        person.main.get_by_text(person.say("copy.short"), exact=True).wait_for()
        assert person.page.evaluate("navigator.clipboard.readText()") == files[name]
        assert _download(person, name, tmp_path) == files[name]


def test_launch_stack_is_offered_where_the_operator_published_the_template(
    visit: Callable[..., Person], elsewhere: Callable[..., str]
) -> None:
    """With the operator's bucket the first way is Launch Stack, by the API's very link; without, it is not there."""
    person = visit()
    person.sign_in()
    person.create()
    assert person.page.get_by_role("tab", name=person.say("way.launch")).count() == 0

    person = visit(url=elsewhere(customer_templates="https://templates.s3.us-east-1.amazonaws.com/rolecall"))
    person.sign_in()
    person.create()
    link = person.page.get_by_role("link", name=person.say("way.launch.go"))
    with person.page.expect_response("**/documents") as answer:
        person.link("back").click()
        person.page.go_back()
    assert link.get_attribute("href") == answer.value.json()["quick_create_url"]
    assert link.get_attribute("rel") == "noopener noreferrer"
    person.snap("05-role-launch")


def test_launch_stack_leads_to_aws_alone(visit: Callable[..., Person]) -> None:
    """Any other address is shown as text: the API's word is not enough to open it."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    documents = person.api.get(f"/v1/connections/{connection_id}/documents").json
    person.page.route("**/documents", lambda route: route.fulfill(json=documents))
    for offered in ("javascript:alert(1)", "https://evil.example.com/", "https://evil-aws.amazon.com.example.com/"):
        documents["quick_create_url"] = offered
        person.link("back").click()
        person.title("details.title")
        person.page.go_back()
        person.page.get_by_role("tab", name=person.say("way.launch"), exact=True).click()
        person.main.get_by_text(person.say("way.launch.go")).wait_for()
        assert person.page.get_by_role("link", name=person.say("way.launch.go")).count() == 0


def _without_condition(policy: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(policy)
    del changed["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    return changed


def test_a_role_that_was_made_wrongly_is_mended_with_what_the_page_says(visit: Callable[..., Person]) -> None:
    """An open role fails check by check; the finding names whose fix it is and holds the policy that cures it."""
    person = visit(permissions=["clipboard-read", "clipboard-write"])
    person.sign_in()
    connection_id = person.create()
    documents = person.api.get(f"/v1/connections/{connection_id}/documents").json
    arn = person.make_role(connection_id, trust_policy=_without_condition(documents["trust_policy"]))
    person.link("role.onward").click()
    _verify(person)

    person.told("verdict.refused")
    assert _states(person) == ["good", "bad", "bad", "bad", "bad", "skipped", "skipped"]
    finding = person.page.locator(".finding").first
    assert finding.get_by_text(person.say("finding.external_id_not_enforced")).is_visible()
    assert finding.get_by_text(person.say("whose.customer")).is_visible()
    person.snap("06-verify-open")
    finding.get_by_role("button", name=person.say("copy.what", name="trust-policy.json")).click()
    finding.get_by_text(person.say("copy.short"), exact=True).wait_for()
    person.customer.replace_trust_policy(arn, person.page.evaluate("navigator.clipboard.readText()"))
    _verify(person)
    person.told("verdict.verified")


def test_a_role_that_is_not_there_is_waited_for_and_explained(visit: Callable[..., Person]) -> None:
    """AWS gives one answer for every cause: all are listed, and a countdown says when to try again."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    person.link("role.onward").click()
    _verify(person)

    person.told("verdict.refused")
    assert _states(person) == ["bad", "good", "good", "good", "good", "skipped", "skipped"]
    person.main.get_by_text(person.say("finding.suspects")).click()
    assert person.main.get_by_text(person.say("suspect.role_missing"), exact=True).is_visible()
    some_time = re.escape(person.say("verdict.retry.in", time="N seconds")).replace("N", r"\d+")
    assert re.fullmatch(some_time, person.page.locator(".wait").text_content() or "")
    person.snap("06-verify-refused")

    # Left and come back to, and in another window, the report is there.
    person.link("back").click()
    person.title("role.title")
    person.link("role.onward").click()
    person.told("verdict.refused")
    person.page.goto("about:blank")
    person.sign_in(f"#/c/{connection_id}/verify")
    person.told("verdict.refused")


WRONG_ARNS = {
    "a user": ("arn:aws:iam::444455556666:user/Anna", "arn.user"),
    "no ARN": ("hello", "arn.beginning"),
    "a session": ("arn:aws:sts::444455556666:assumed-role/Admin/anna", "arn.session"),
    "another account": ("arn:aws:iam::999988887777:role/x", "arn.mismatch"),
    "the service's account": ("arn:aws:iam::111122223333:role/x", "arn.own"),
    "the account of examples": ("arn:aws:iam::123456789012:role/x", "arn.sample"),
    "another partition": ("arn:aws-cn:iam::444455556666:role/x", "arn.partition"),
    "an invisible character": ("arn:aws:iam::444455556666:role/a\u200bb", "arn.character.zero"),
    "a space within": ("arn:aws:iam::444455556666:role/a b", "arn.character.space"),
    "a placeholder": ("<your-role-arn>", "arn.placeholder"),
    "a bucket": ("arn:aws:s3:::bucket", "arn.other"),
    "a wildcard": ("arn:aws:iam::444455556666:role/x*", "arn.name"),
    "a service's role": ("arn:aws:iam::444455556666:role/aws-service-role/x.amazonaws.com/y", "arn.service"),
}


def test_what_is_wrong_with_an_arn_is_said_as_it_is_typed(visit: Callable[..., Person]) -> None:
    """The field says it before anything is sent, and the service would have refused each of them too."""
    person = visit()
    body = {"name": "x", "region": "us-east-1", "account_id": person.customer.account}
    connection = person.api.post("/v1/connections", body).json
    person.sign_in(f"#/c/{connection['id']}/verify")
    person.title("verify.title")
    for name, (typed, said) in WRONG_ARNS.items():
        person.field("verify.arn").fill(typed)
        error = person.page.locator(".error").first.text_content() or ""

        assert error.startswith(person.words[said].partition("{")[0].strip()), name
        assert person.field("verify.arn").get_attribute("aria-invalid") == "true", name
        answer = person.api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": typed})
        assert answer.status == 422, name


def test_an_arn_that_is_typed_is_not_called_wrong_before_its_end(visit: Callable[..., Person]) -> None:
    """Letter by letter nothing is said; white space around a pasted one is taken off."""
    person = visit()
    connection = person.api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json
    person.sign_in(f"#/c/{connection['id']}/verify")
    arn = person.field("verify.arn")
    for end in range(1, len("arn:aws:iam::444455556666:role/") + 1):
        arn.fill("arn:aws:iam::444455556666:role/"[:end])
        assert person.page.locator(".error").first.text_content() == ""

    arn.fill("  arn:aws:iam::444455556666:role/NotThere\n")
    _verify(person)
    person.page.locator(".finding").wait_for()
    assert arn.input_value() == "arn:aws:iam::444455556666:role/NotThere"


def test_a_pasted_trust_policy_is_read(visit: Callable[..., Person]) -> None:
    """The box says what is wrong with it and how it should be; the right one is called right."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    documents = person.api.get(f"/v1/connections/{connection_id}/documents").json
    person.link("role.onward").click()
    person.main.get_by_text(person.say("lint.title")).click()
    box = person.page.locator(".box")
    for text, said in (
        ("{not json", "finding.trust_policy_malformed"),
        (str(_without_condition(documents["trust_policy"])).replace("'", '"'), "finding.external_id_not_enforced"),
        (documents["files"]["trust-policy.json"], "lint.good"),
    ):
        box.get_by_label(person.say("lint.label")).fill(text)
        box.get_by_role("button", name=person.say("lint.go")).click()
        box.locator("h3, .banner-title", has_text=person.say(said)).first.wait_for()
        person.snap(f"06-lint-{said.rpartition('.')[2]}")
