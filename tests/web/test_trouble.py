"""What goes wrong on the way: each has words, a way on, and loses nothing that was typed."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.web.person import Person


def _answers(status: int, code: str, headers: dict[str, str] | None = None, **more: str) -> Callable[[Route], None]:
    """Return a handler that answers as the service would."""
    error = {"message": "made up", "type": "api_error", "code": code, "param": None, "request_id": "req-0815", **more}
    body = json.dumps({"error": error})

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers={"Content-Type": "application/json", **(headers or {})}, body=body)

    return answer


def _fill_in(person: Person) -> None:
    person.title("details.title")
    person.page.get_by_label(person.say("details.name"), exact=True).fill("Typed with care")
    person.field("details.account").fill(person.customer.account)


TROUBLES: dict[str, tuple[Callable[[Route], None], str, bool]] = {
    "the network is gone": (lambda route: route.abort("connectionfailed"), "problem.network", False),
    "the service fails": (_answers(500, "internal_error"), "problem.server", True),
    "its storage is away": (_answers(503, "storage_unavailable"), "problem.server", True),
    "too many requests": (_answers(429, "too_many_verifications", {"Retry-After": "1"}), "problem.limited", True),
    "a wall refuses in its place": (
        lambda route: route.fulfill(status=403, content_type="text/html", body="<h1>Forbidden</h1>"),
        "problem.server",
        False,
    ),
    "a gateway answers in its place": (
        lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>"),
        "problem.server",
        False,
    ),
}
"""What goes wrong, what is said of it, and whether there is a reference to give to the operator."""


def test_trouble_is_told_and_gone_on_from(visit: Callable[..., Person]) -> None:
    """The page says what it is and what to do; what was typed stands there, and one press goes on, once."""
    person = visit()
    person.sign_in("#/new")
    for times, (name, (trouble, said, referred)) in enumerate(TROUBLES.items(), 1):
        person.page.evaluate("location.hash = '#/new'")
        _fill_in(person)
        person.page.route("**/v1/connections", trouble, times=1)
        person.button("details.create").click()
        box = person.told(said)
        assert box.get_by_text(person.say(f"{said}.fix")).is_visible(), name
        assert box.get_by_text("req-0815").count() == referred, name
        assert person.page.get_by_label(person.say("details.name"), exact=True).input_value() == "Typed with care"
        person.snap(f"20-trouble-{times}")

        person.button("again").click()
        person.title("role.title")
        assert len(person.api.get("/v1/connections").json["data"]) == times, name


@pytest.mark.parametrize(
    ("status", "more", "title", "told"),
    [
        pytest.param(503, {"code": "storage_unavailable", "fix": "Wait."}, "problem.server", "Wait.", id="its own"),
        pytest.param(502, {"code": "upstream_error", "whose_fix": "aws"}, "made up", "whose.aws", id="AWS's"),
        pytest.param(
            429,
            {"code": "insufficient_quota", "type": "insufficient_quota", "fix": "Buy."},
            "made up",
            "Buy.",
            id="quota",
        ),
        pytest.param(
            429, {"code": "too_many_connections"}, "problem.limited", "Possible in 14 hours", id="a day's limit"
        ),
    ],
)
def test_what_the_service_says_of_trouble_is_shown(
    visit: Callable[..., Person], status: int, more: dict[str, str], title: str, told: str
) -> None:
    """Its words and advice stand there too, whose trouble it is, and how long it lasts in a unit that people use."""
    person = visit()
    person.sign_in("#/new")
    _fill_in(person)
    wait = {"Retry-After": "50000"} if more["code"] == "too_many_connections" else {}
    person.page.route("**/v1/connections", _answers(status, headers=wait, **more), times=1)
    person.button("details.create").click()
    box = person.page.locator(".banner.bad")
    box.wait_for()

    assert (person.words.get(title) or title) in box.locator(".banner-title").inner_text()
    assert (person.words.get(told) or told) in box.inner_text()
    assert "made up" in box.inner_text()


def test_an_answer_that_was_lost_creates_no_second_connection(visit: Callable[..., Person]) -> None:
    """The request arrives and its answer does not: sent again it is the same request, by its Idempotency-Key."""
    person = visit()
    person.sign_in("#/new")
    _fill_in(person)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    person.page.route("**/v1/connections", lose, times=1)
    person.button("details.create").click()
    person.told("problem.network")
    person.button("again").click()
    person.title("role.title")
    assert len(person.api.get("/v1/connections").json["data"]) == 1


def test_a_page_that_cant_be_loaded_has_a_way_on(visit: Callable[..., Person]) -> None:
    """Where a page's own content fails, the same: words, and a button that loads it."""
    person = visit()
    connection_id = person.active()
    person.sign_in()
    person.page.route("**/documents", lambda route: route.abort("connectionfailed"), times=1)
    person.page.evaluate("id => { location.hash = `#/c/${id}/role`; }", connection_id)
    person.told("problem.network")
    person.button("again").click()
    person.title("role.title")


def test_the_network_comes_back_by_itself(visit: Callable[..., Person]) -> None:
    """When the browser says that the network is back, nobody has to press."""
    person = visit()
    person.sign_in("#/new")
    _fill_in(person)
    person.page.context.set_offline(True)
    person.button("details.create").click()
    person.told("problem.network")
    person.page.context.set_offline(False)
    person.title("role.title")


def test_an_expired_token_is_replaced_where_one_is(visit: Callable[..., Person]) -> None:
    """A new one of the same person goes on with the very request; another person's does not take their place."""
    person = visit()
    stranger = visit(subject="somebody")
    person.sign_in("#/new")
    _fill_in(person)
    person.page.route("**/v1/connections", _answers(401, "token_expired"), times=1)
    person.button("details.create").click()
    dialog = person.page.get_by_role("dialog", name=person.say("renewal.title"))
    dialog.wait_for()
    person.snap("21-expired")
    dialog.get_by_label(person.say("token.label")).fill(stranger.token)
    person.button("renewal.go").click()
    dialog.locator(".error", has_text=stranger.tenant).wait_for()
    assert stranger.api.get("/v1/connections").json["data"] == []

    newer = person.world.issuer.token(person.tenant, seconds=3600)
    dialog.get_by_label(person.say("token.label")).fill(newer)
    person.button("renewal.go").click()
    person.title("role.title")
    assert [one["name"] for one in person.api.get("/v1/connections").json["data"]] == ["Typed with care"]


def test_a_token_may_be_renewed_later(visit: Callable[..., Person]) -> None:
    """Who has none at hand closes the question; the page says what is wrong, and asks again when it is tried again."""
    person = visit()
    person.sign_in("#/new")
    _fill_in(person)
    person.page.route("**/v1/connections", _answers(401, "token_expired"), times=2)
    person.button("details.create").click()
    person.page.get_by_role("dialog").wait_for()
    person.page.keyboard.press("Escape")
    person.told("problem.token")
    assert person.page.get_by_label(person.say("details.name"), exact=True).input_value() == "Typed with care"
    person.button("again").click()
    person.page.get_by_role("dialog").get_by_label(person.say("token.label")).fill(person.token)
    person.button("renewal.go").click()
    person.title("role.title")


def test_a_verification_whose_stream_breaks_is_started_again(visit: Callable[..., Person]) -> None:
    """Checks without a report decide nothing: the page says that it broke, and the next run counts."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    person.make_role(connection_id)
    person.link("role.onward").click()
    check = {"id": "assume_with_external_id", "title": "x", "expected": "passed", "outcome": "passed", "findings": []}
    body = f"event: check\ndata: {json.dumps(check)}\n\nevent: che"
    person.page.route(
        "**/verification", lambda route: route.fulfill(content_type="text/event-stream", body=body), times=1
    )
    person.page.locator("form button.primary").click()
    person.told("problem.network")
    assert person.page.locator(".check.good").count() == 1
    person.button("again").click()
    person.told("verdict.verified")


def test_without_streams_the_report_comes_whole(visit: Callable[..., Person]) -> None:
    """Where something on the way answers with JSON instead of events, the same is shown."""
    person = visit()
    person.sign_in()
    connection_id = person.create()
    person.make_role(connection_id)
    person.link("role.onward").click()

    def whole(route: Route) -> None:
        route.continue_(headers={**route.request.headers, "accept": "application/json"})

    person.page.route("**/verification", whole, times=1)
    person.page.locator("form button.primary").click()
    person.told("verdict.verified")
    assert person.page.locator(".check.good").count() == 7


def test_a_scope_that_is_missing_is_named(visit: Callable[..., Person]) -> None:
    """A token that may read and not write is told so when it writes."""
    person = visit()
    person.token = person.world.issuer.token(person.tenant, scopes="connections:read")
    person.sign_in("#/new")
    _fill_in(person)
    person.button("details.create").click()
    person.page.locator(".banner.bad", has_text="connections:write").first.wait_for()


def test_a_language_that_cant_be_had_is_told(visit: Callable[..., Person]) -> None:
    """Without network the page stays in its language and says why; the other one comes when the network does."""
    person = visit()
    person.sign_in("#/new")
    _fill_in(person)
    person.page.context.set_offline(True)
    person.page.get_by_label(person.say("language")).select_option("fr")
    person.told("problem.network")
    assert person.page.get_by_label(person.say("language")).input_value() == "en"
    person.page.context.set_offline(False)
    person.page.get_by_role("heading", level=1, name="Que faut-il connecter").wait_for()

    assert person.page.get_by_label("Nom", exact=True).input_value() == "Typed with care"


def test_a_token_that_came_by_itself_is_asked_about_again(visit: Callable[..., Person]) -> None:
    """Whoever came by a link, or from their product, may have no token to paste: the one that came is not lost."""
    person = visit()
    person.page.route("**/v1/setup", _answers(503, "storage_unavailable"), times=1)
    person.go(f"#token={person.token}")
    person.told("problem.server")
    person.button("again").click()
    person.confirm()


def test_a_change_elsewhere_is_told_even_when_it_cant_be_read(visit: Callable[..., Person]) -> None:
    """Somebody else's change refuses this one; that the newer state can't be had at once takes no word away."""
    person = visit()
    connection_id = person.active()
    person.sign_in(f"#/c/{connection_id}/details")
    person.title("details.title")
    changed = _answers(409, "connection_changed")
    person.page.route(
        f"**/v1/connections/{connection_id}",
        lambda route: changed(route) if route.request.method == "PATCH" else route.abort("connectionfailed"),
        times=2,
    )
    person.button("details.save").click()
    person.page.locator(".banner.bad", has_text="made up").wait_for()
    person.button("again").click()
    person.title("models.title")


def test_an_answer_that_stops_half_way_is_waited_for_no_longer_than_one_that_never_begins(
    visit: Callable[..., Person],
) -> None:
    """A line that is dead but open sends no more of the body, and no error: the page does not load for ever."""
    person = visit()
    person.page.clock.install()
    person.sign_in("#/keys")
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        line = pool.submit(_half_an_answer, server)
        at = f"http://127.0.0.1:{server.getsockname()[1]}/"
        person.page.route("**/v1/connections?*", lambda route: route.continue_(url=at), times=1)
        with person.page.expect_event("response", lambda answer: answer.url == at):
            person.page.evaluate("location.hash = '#/'")
        person.page.clock.fast_forward(60_000)
        person.told("problem.network")
        line.result().close()


def _half_an_answer(server: socket.socket) -> socket.socket:
    line, _ = server.accept()
    line.recv(65536)
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
    return line
