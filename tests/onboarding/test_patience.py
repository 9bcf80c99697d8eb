"""Waiting for IAM within one verification: both ways, bounded, and decided by one try alone."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.onboarding.patience import pauses
from chalicelib.routes import create_app
from chalicelib.services import Services
from sandbox.gateway import LocalGateway
from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import World

_numbers = itertools.count()


class Patient:
    """Rolecall with a budget of seven seconds, whose pauses a test spends by changing the role."""

    def __init__(self, world: World) -> None:
        self.pauses: list[float] = []
        self.meanwhile: list[Callable[[], None]] = []
        settings = replace(world.settings, verification_settle_seconds=7)
        session = world.accounts.service_session(world.aws.url, settings.region)
        self.gateway = LocalGateway(create_app(Services(settings, session=session, sleep=self._sleep)))
        keys = world.accounts.customer
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.api = Api(self.gateway.url, world.issuer.token(f"patience-{next(_numbers)}"))
        self.gateway.start()
        body = {"name": "Acme", "region": "us-east-1", "account_id": keys.account}
        self.connection = self.api.post("/v1/connections", body).json
        self.path = f"/v1/connections/{self.connection['id']}"
        self.files = self.api.get(f"{self.path}/documents").json["files"]
        self.role_arn: str = self.connection["expected_role_arn"]

    def make_role(self, trust_policy: object | None = None) -> None:
        files = self.files
        self.customer.create_role(
            self.role_arn.rpartition("/")[2],
            files["trust-policy.json"] if trust_policy is None else trust_policy,
            files["permissions-policy.json"],
        )

    def replace_policy(self, trust_policy: object | None = None) -> None:
        policy = self.files["trust-policy.json"] if trust_policy is None else trust_policy
        self.customer.replace_trust_policy(self.role_arn, policy)

    def verify(self) -> dict[str, Any]:
        report: dict[str, Any] = self.api.post(f"{self.path}/verification", {"role_arn": self.role_arn}).json
        return report

    def without(self, key: str) -> dict[str, Any]:
        policy: dict[str, Any] = json.loads(self.files["trust-policy.json"])
        del policy["Statement"][0]["Condition"]["StringEquals"][key]
        return policy

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def patient(world: World) -> Iterator[Patient]:
    """Give a connection whose role does not exist yet, at a service that waits."""
    running = Patient(world)
    yield running
    running.gateway.stop()


@pytest.mark.parametrize(
    ("budget", "expected"), [(0, []), (1, [1]), (3, [1, 2]), (7, [1, 2, 4]), (20, [1, 2, 4, 8, 5])]
)
def test_pauses_grow_and_keep_to_the_budget(budget: int, expected: list[int]) -> None:
    """Each pause is twice the one before, and together they are the budget."""
    assert list(pauses(budget)) == expected


def test_a_role_made_a_moment_ago_becomes_active_in_one_run(patient: Patient) -> None:
    """Denied twice, then let in: IAM had needed three seconds, and nobody had to press Verify again."""
    patient.meanwhile = [lambda: None, patient.make_role]

    report = patient.verify()

    assert (report["verdict"], report["status"], report["attempts"]) == ("verified", "active", 3)
    assert patient.pauses == [1, 2]


def test_a_role_closed_a_moment_ago_becomes_active_in_one_run(patient: Patient) -> None:
    """A stranger who is still let in is tried again before the role is called open."""
    patient.make_role(patient.without("sts:ExternalId"))
    patient.meanwhile = [patient.replace_policy]

    report = patient.verify()

    assert (report["verdict"], report["status"], report["attempts"]) == ("verified", "active", 2)
    assert report["findings"] == []


def test_outcomes_of_two_tries_are_never_put_together(patient: Patient) -> None:
    """A role that is not there refuses strangers; made open meanwhile, it lets us in. Neither try saw a safe one."""
    patient.meanwhile = [lambda: patient.make_role(patient.without("sts:ExternalId"))]

    report = patient.verify()

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    assert {check["outcome"] for check in report["checks"][:5]} == {"passed"}


def test_waiting_ends(patient: Patient) -> None:
    """A role that never comes is refused after the budget, with the seconds after which another run makes sense."""
    report = patient.verify()

    assert (report["verdict"], report["status"], report["attempts"]) == ("refused", "pending", 4)
    assert patient.pauses == [1, 2, 4]
    assert report["retry_after"] > 0


def test_an_open_role_is_waited_for_half_as_long(patient: Patient) -> None:
    """It is likelier meant so, and the customer hears of it sooner."""
    patient.make_role(patient.without("sts:ExternalId"))

    report = patient.verify()

    assert [finding["code"] for finding in report["findings"]] == ["external_id_not_enforced"]
    assert patient.pauses == [1, 2]


def test_the_verdict_rests_on_one_try(patient: Patient) -> None:
    """An open policy and then a shut one are not put together to a good one that never was."""
    patient.make_role(patient.without("sts:ExternalId"))
    other_id = json.loads(patient.files["trust-policy.json"])
    other_id["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "rolecall-of-someone-else"
    patient.meanwhile = [lambda: patient.replace_policy(other_id)]

    report = patient.verify()

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    assert report["checks"][0]["outcome"] == "refused"


def test_what_time_cannot_cure_is_not_waited_for(world: World, patient: Patient) -> None:
    """A throttled probe and a service without sts:AssumeRole are no change on its way."""
    world.aws.faults.add(
        {"service": "sts", "operation": "AssumeRole", "kind": "error", "code": "Throttling", "times": None}
    )
    try:
        assert (patient.verify()["verdict"], patient.pauses) == ("inconclusive", [])
    finally:
        world.aws.faults.clear()


def test_who_watches_is_told_of_each_pause(patient: Patient) -> None:
    """In the stream of events a pause is announced with its length and reason, and each check still comes once."""
    patient.meanwhile = [patient.make_role]
    answer = patient.api.call(
        "POST",
        f"{patient.path}/verification",
        {"role_arn": patient.role_arn},
        headers={"Accept": "text/event-stream"},
    )
    events = [block.split("\n", 1)[0].removeprefix("event: ") for block in answer.text.strip().split("\n\n")]

    assert events == ["waiting", *["check"] * 7, "report"]
    waiting = json.loads(answer.text.split("data: ", 1)[1].split("\n", 1)[0])
    assert (waiting["attempt"], waiting["seconds"]) == (1, 1)
    assert "IAM" in waiting["reason"]
