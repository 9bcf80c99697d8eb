"""A Chromium for each test process, and a person at the wizard with a tenant of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.web.person import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from sandbox.world import World

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    # A host that is not the loopback, and leads there all the same; no other host leads anywhere.
    "--host-resolver-rules=MAP wizard.example.com 127.0.0.1, EXCLUDE 127.0.0.1, EXCLUDE localhost, MAP * ~NOTFOUND",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give the machine's Chromium."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (.ci/run installs chromium where it can)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Callable[..., Person]]:
    """Give a way to bring persons to the wizard; each has a browser profile and, unless named, a tenant of their own.

    Whatever a person does, no script fails and the page breaks none of its own rules.
    """
    persons: list[Person] = []

    def come(**more: object) -> Person:
        person = Person(browser, world, **more)  # type: ignore[arg-type]  # handed on
        persons.append(person)
        return person

    yield come
    for person in persons:
        person.leave()
    assert [trouble for person in persons for trouble in person.troubles] == []
