"""How a token comes to the wizard, and what must happen before it is used."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from werkzeug.wrappers import Response

from sandbox.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World
    from tests.web.person import Person

ROOT = Path(__file__).parents[2]
WHERE_A_TOKEN_COULD_STAY = """async () => JSON.stringify([
  location.href, document.cookie, document.documentElement.outerHTML, history.state, Object.entries(localStorage),
  Object.entries(sessionStorage), await indexedDB.databases(),
  [...document.querySelectorAll("input")].map((input) => input.value),
])"""


def _calls(person: Person) -> list[str]:
    """Return what was asked of the API, without the host."""
    return [call.replace(person.url, "") for call in person.requests if "/v1/" in call]


def test_a_token_in_a_link_makes_no_victim_work_for_its_sender(visit: Callable[..., Person], world: World) -> None:
    """The attack: a link with the attacker's token, leading to the documents of the attacker's connection.

    The victim would create a role that answers to the attacker. Before any document is shown, or asked for, the page
    names the attacker's organization and person, says what a role would mean, and asks; whoever says no is rid of it.
    """
    attacker = visit(tenant="attackers-ltd", subject="mallory")
    connection = attacker.api.post("/v1/connections", {"name": "Invoices", "region": "us-east-1"}).json
    victim = visit(tenant="victim-inc", subject="alice")

    for link in (f"#token={attacker.token}", f"#/c/{connection['id']}/role"):
        victim.page.goto("about:blank")
        victim.go(link)
        victim.page.get_by_role("heading", level=1).wait_for()
    assert connection["external_id"] not in victim.page.content()

    victim.page.goto("about:blank")
    victim.go(f"#token={attacker.token}")
    victim.title("confirm.title")
    assert victim.page.locator("#tenant").text_content() == "attackers-ltd"
    assert victim.page.locator("#person").text_content() == "mallory"
    assert victim.main.get_by_text(victim.say("confirm.link")).is_visible()
    assert "attackers-ltd" in (victim.page.locator(".banner").text_content() or "")
    # Not even by an address that is typed, or a link that is followed, while the question stands.
    victim.page.evaluate("id => { location.hash = `#/c/${id}/role`; }", connection["id"])
    victim.title("confirm.title")
    assert victim.page.get_by_role("navigation").count() == 0
    assert {call for call in _calls(victim) if not call.endswith("/v1/setup")} == set()

    victim.button("confirm.no").click()
    victim.title("welcome.title")
    victim.field("token.label").fill(victim.token)
    victim.button("token.go").click()
    victim.confirm()
    victim.page.evaluate("id => { location.hash = `#/c/${id}/role`; }", connection["id"])
    victim.main.get_by_text("There is no such connection").wait_for()
    assert connection["external_id"] not in victim.page.content()


def test_a_link_during_work_takes_nobodys_place_unseen(visit: Callable[..., Person]) -> None:
    """A link that is followed in the same window asks too; after a no, work goes on as who one was."""
    mallory, alice = visit(subject="mallory"), visit(subject="alice")
    alice.sign_in()
    name = alice.create("Alice's own")
    alice.page.evaluate("token => { location.hash = `#token=${token}`; }", mallory.token)
    alice.title("confirm.title")
    assert alice.page.locator("#tenant").text_content() == mallory.tenant
    assert "token" not in alice.page.url

    alice.button("confirm.no").click()
    alice.title("connections.title")
    alice.page.get_by_role("link", name="Alice's own", exact=True).click()
    alice.page.get_by_role("heading", level=1, name="Alice's own").wait_for()
    assert name in alice.page.url


def test_a_question_is_not_exchanged_before_the_answer(visit: Callable[..., Person]) -> None:
    """Whoever holds this window can send it to another token's link at the moment of the click on “yes”.

    So the first question stands until it is answered, and what comes meanwhile is dropped.
    """
    mallory, alice = visit(subject="mallory"), visit(subject="alice")
    alice.go()
    alice.field("token.label").fill(alice.token)
    alice.button("token.go").click()
    alice.title("confirm.title")
    with alice.page.expect_response("**/v1/setup"):
        alice.page.evaluate("token => { location.hash = `#token=${token}`; }", mallory.token)
    alice.page.wait_for_timeout(300)

    assert alice.page.locator("#tenant").text_content() == alice.tenant
    assert "token" not in alice.page.url
    alice.confirm()


def test_a_token_in_a_link_leaves_the_address_and_stays_in_memory(visit: Callable[..., Person]) -> None:
    """On the loopback a link may carry a token. Nothing keeps it: no address, storage, field or history."""
    person = visit()
    person.go(f"#token={urllib.parse.quote(person.token)}")
    person.confirm()
    person.title("connections.title")

    assert person.token not in person.page.evaluate(WHERE_A_TOKEN_COULD_STAY)
    person.page.go_back()
    assert "token" not in person.page.url
    person.page.goto(f"{person.url}/")
    person.title("welcome.title")


def test_a_pasted_token_stays_in_memory(visit: Callable[..., Person]) -> None:
    """The same of a token that was pasted; spaces and the word Bearer around it are no mistake."""
    person = visit()
    person.go()
    person.field("token.label").fill(f"  Bearer {person.token}\n")
    person.button("token.go").click()
    person.confirm()

    assert person.token not in person.page.evaluate(WHERE_A_TOKEN_COULD_STAY)


def test_a_token_that_is_none_is_told_at_its_field(visit: Callable[..., Person]) -> None:
    """The field says what is wrong, and has the focus."""
    person = visit()
    person.go()
    for text, said in (
        ("hello", "token.malformed"),
        ("a.b.c", "token.refused"),
        (person.world.issuer.token("t", seconds=-60), "token.expired"),
    ):
        person.field("token.label").fill(text)
        person.button("token.go").click()

        person.page.locator(".error", has_text=person.say(said)).wait_for()
        assert person.field("token.label").evaluate("field => field === document.activeElement")


@pytest.mark.parametrize("switched_on", [False, True])
def test_elsewhere_a_link_brings_no_token_unless_the_operator_says_so(
    visit: Callable[..., Person], elsewhere: Callable[..., str], *, switched_on: bool
) -> None:
    """Off the loopback the token is dropped and the page says why; it leaves the address either way."""
    served = elsewhere(wizard_fragment_token=switched_on)
    person = visit(url=served.replace("127.0.0.1", "wizard.example.com"))
    person.go(f"#token={person.token}")

    if switched_on:
        person.confirm()
        # Without TLS there is neither clipboard nor randomUUID; the page does without.
        person.create()
        person.button("copy.what", name="customer-role.cfn.yaml").click()
        person.main.get_by_text(person.say("copy.markedShort"), exact=True).wait_for()
        assert "AWSTemplateFormatVersion" in person.page.evaluate("getSelection().toString()")
    else:
        person.told("arrival.noLinks")
        assert _calls(person) == []
    assert "token" not in person.page.url


class _Opener(LoopbackServer):
    """A page of another origin that opens or frames the wizard, and hands over a token."""

    def __init__(self) -> None:
        super().__init__(Response("<!doctype html><title>product</title>", content_type="text/html"), 0, QuietHandler)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


OPEN = """([address, token]) => new Promise((resolve) => {
  addEventListener("message", (event) => {
    if (event.data.type !== "rolecall-token-wanted") return;
    window.wizard.postMessage({ type: "rolecall-token", token }, new URL(address).origin);
    resolve(event.origin);
  });
  window.wizard = open(address);
})"""


def test_a_trusted_opener_hands_the_token_over(visit: Callable[..., Person], elsewhere: Callable[..., str]) -> None:
    """The wizard says that it wants a token; the operator's page sends one, and the person is asked as always."""
    with _Opener() as opener:
        person = visit(url=elsewhere(wizard_openers=(opener.url,)))
        person.page.goto(opener.url)
        with person.page.expect_popup() as popup:
            origin = person.page.evaluate(OPEN, [f"{person.url}/", person.token])
        person.page = popup.value

        person.title("confirm.title")
        person.confirm()
        assert origin == person.url
        assert person.token not in person.page.evaluate(WHERE_A_TOKEN_COULD_STAY)


FRAME = """([address, token]) => new Promise((resolve) => {
  const frame = Object.assign(document.createElement("iframe"), { src: address, width: 900, height: 700 });
  addEventListener("message", (event) => {
    frame.contentWindow.postMessage({ type: "rolecall-token", token }, event.origin);
    resolve(event.data.type);
  });
  document.body.append(frame);
})"""


def test_a_trusted_page_frames_the_wizard(visit: Callable[..., Person], elsewhere: Callable[..., str]) -> None:
    """Within a page of WIZARD_OPENERS it is shown, takes that page's token, and asks as always."""
    with _Opener() as opener:
        person = visit(url=elsewhere(wizard_openers=(opener.url,)))
        person.page.goto(opener.url)
        assert person.page.evaluate(FRAME, [f"{person.url}/", person.token]) == "rolecall-token-wanted"
        frame = person.page.frame_locator("iframe")

        frame.get_by_role("heading", name=person.say("confirm.title")).wait_for()
        frame.get_by_role("button", name=person.say("confirm.yes", tenant=person.tenant)).click()
        frame.get_by_role("heading", name=person.say("connections.title"), exact=True).wait_for()


def test_the_address_that_the_sandbox_prints_opens_the_wizard(visit: Callable[..., Person]) -> None:
    """`python -m sandbox` ends at an address to click: it leads to the question whose token it is."""
    command = [sys.executable, "-u", "-m", "sandbox", "--port", "0", "--aws-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            address = next(line.split()[1] for line in sandbox.stdout if line.startswith("Wizard"))
            person = visit()
            person.page.goto(address)
            person.title("confirm.title")
            assert person.page.locator("#tenant").text_content() == "acme"
        finally:
            sandbox.terminate()


def test_a_trusted_opener_cannot_change_who_is_at_work(
    visit: Callable[..., Person], elsewhere: Callable[..., str]
) -> None:
    """Once somebody has confirmed, another person's token that is sent changes nothing."""
    mallory = visit(subject="mallory")
    with _Opener() as opener:
        alice = visit(url=elsewhere(wizard_openers=(opener.url,)), subject="alice")
        alice.page.goto(opener.url)
        product = alice.page
        with product.expect_popup() as popup:
            product.evaluate(OPEN, [f"{alice.url}/", alice.token])
        alice.page = popup.value
        alice.confirm()
        product.evaluate("token => wizard.postMessage({ type: 'rolecall-token', token }, '*')", mallory.token)
        alice.create("Whose is it?")

        mine = alice.api.get("/v1/connections").json["data"]
        assert [connection["name"] for connection in mine] == ["Whose is it?"]
        assert mallory.api.get("/v1/connections").json["data"] == []


def test_a_stranger_who_opens_the_wizard_hands_nothing_over(
    visit: Callable[..., Person], elsewhere: Callable[..., str]
) -> None:
    """An origin that WIZARD_OPENERS does not name is not told that a token is wanted, and is not listened to."""
    with _Opener() as trusted, _Opener() as stranger:
        person = visit(url=elsewhere(wizard_openers=(trusted.url,)))
        product = person.page
        product.goto(stranger.url)
        with product.expect_popup() as popup:
            product.evaluate("address => { window.wizard = open(address); }", f"{person.url}/")
        person.page = popup.value
        person.title("welcome.title")
        product.evaluate("token => wizard.postMessage({ type: 'rolecall-token', token }, '*')", person.token)
        person.page.wait_for_timeout(300)

        person.title("welcome.title")
        assert _calls(person) == []


def test_nobody_frames_the_wizard_unless_the_operator_says_so(visit: Callable[..., Person]) -> None:
    """A page that is laid over another's could have a click on “yes” stolen."""
    with _Opener() as stranger:
        person = visit()
        person.page.goto(stranger.url)
        with person.page.expect_console_message(lambda message: "frame-ancestors 'none'" in message.text):
            person.page.evaluate(
                "src => { document.body.append(Object.assign(document.createElement('iframe'), { src })); }",
                f"{person.url}/",
            )

        assert [frame.url for frame in person.page.frames[1:] if re.match("http://127", frame.url)] == []
        person.troubles.clear()
