"""One sandbox for each test process: the local AWS, its accounts, and Rolecall on a real port."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.world import World
    from tests.far_customer import Onboarding
    from tools.package import Package


def pytest_collection_finish() -> None:
    """Leave out of the garbage collector's rounds what stays anyway."""
    _keep_for_good()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Give the running sandbox. Tests share it, so each makes its own tenant and its own roles."""
    from sandbox.world import World

    # The local IAM knows its changes at once; the tests of waiting ask for it.
    with World(settle_seconds=0) as running:
        _keep_for_good()
        yield running


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Give a folder that all workers of this session have in common."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def deployed(shared_folder: Path) -> Package:
    """Give the package and stack as they are deployed: for arm64 and Python 3.13."""
    from tests.builds import built, deployed_python

    return built(shared_folder, "arm64", deployed_python())


@pytest.fixture(scope="session")
def runnable(shared_folder: Path) -> Package:
    """Give the package for this machine and the Python that runs the tests."""
    from tests.builds import HERE, built, running_python

    return built(shared_folder, HERE, running_python())


@pytest.fixture(scope="module")
def tenant(world: World) -> Onboarding:
    """Give a tenant with an active connection, whose role is as the documents have it."""
    from tests.far_customer import Onboarding

    made = Onboarding(world)
    made.make_role()
    assert made.verify()["usable"]
    return made


@pytest.fixture
def elsewhere(world: World) -> Iterator[Callable[..., str]]:
    """Serve Rolecall with other settings on the same local AWS; returns its address."""
    from chalicelib.routes import create_app
    from chalicelib.services import Services
    from sandbox.gateway import LocalGateway

    gateways: list[LocalGateway] = []

    def serve(**changes: Any) -> str:
        settings = replace(world.settings, **changes)
        session = world.accounts.service_session(world.aws.url, settings.region)
        gateways.append(LocalGateway(create_app(Services(settings, session=session))))
        gateways[-1].start()
        return gateways[-1].url

    yield serve
    for gateway in gateways:
        gateway.stop()


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let nothing go wrong in a test because of the one before it."""
    world = request.getfixturevalue("world") if "world" in request.fixturenames else None
    yield
    if world is not None:
        world.aws.faults.clear()


def _keep_for_good() -> None:
    # A million objects of the tests and of the local AWS were gone through again and again: a second's pause each time,
    # in any test, and longer than some of the limits that tests give.
    gc.collect()
    gc.freeze()
