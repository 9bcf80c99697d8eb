"""The wizard out of the package, as Lambda and API Gateway serve it; and when some of it does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.test_emulated_service import deployed_at
from tools.lambda_emulator.package import unzip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.world import World
    from tests.web.person import Person
    from tools.package import Package


def test_a_person_connects_bedrock_through_the_deployed_package(
    visit: Callable[..., Person], world: World, runnable: Package, tmp_path: Path
) -> None:
    """From the token to an answer: every file and every call comes through API Gateway and the package's function."""
    root = unzip(runnable.zip, tmp_path / "task")
    # A browser opens six connections to a host, so the page's modules wake as many processes.
    with deployed_at(root, world, runnable.stack, runtime="loop", processes=6) as service:
        person = visit(url=service.gateway.url)
        person.sign_in()
        connection_id = person.create("On Lambda")
        person.make_role(connection_id)
        person.link("role.onward").click()
        person.page.locator("form button.primary").click()
        person.told("verdict.verified")
        person.link("verify.onward").click()
        person.title("models.title")
        person.link("models.onward").click()
        person.field("chat.question").fill("Hello")
        person.button("chat.send").click()
        person.page.locator(".usage").wait_for()

        assert service.gateway.faults == []


def test_a_page_whose_modules_do_not_come_says_what_to_do(visit: Callable[..., Person]) -> None:
    """One that a throttled function refuses takes all with it: no blank page, and loading it again mends it."""
    person = visit(language="fr")
    person.page.route("**/session.js", lambda route: route.fulfill(status=500, body="{}"), times=1)
    person.go()
    person.page.locator("#late p", has_text="rechargez-la").wait_for()

    person.page.reload()
    person.title("welcome.title")
    assert person.page.locator("#late").count() == 0
