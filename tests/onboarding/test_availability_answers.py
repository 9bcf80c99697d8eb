"""What AWS's answers about a model mean, from a far side that gives those which the local AWS does not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.wire import Wire
from chalicelib.identifiers import ConnectionId, ExternalId
from chalicelib.onboarding.availability import Availability, availability
from chalicelib.onboarding.connection import Connection, Guardrail, Status
from tests.bedrock.conftest import start
from tests.bedrock.far_side import FarSide, Step, error
from tests.routes.issuer import at

if TYPE_CHECKING:
    from tests.bedrock.conftest import Start

__all__ = ["start"]

NOVA = "amazon.nova-lite-v1:0"
LISTED = {
    "modelSummaries": [
        {
            "modelId": NOVA,
            "modelName": "Nova Lite",
            "providerName": "Amazon",
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
    ]
}
GOOD = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
CONNECTION = Connection(
    tenant="acme",
    id=ConnectionId("conn-" + "a" * 20),
    name="x",
    external_id=ExternalId("rolecall-" + "a" * 32),
    region="us-east-1",
    status=Status.ACTIVE,
    version=1,
    created_at=at(),
    updated_at=at(),
    expires_at=None,
    models=(NOVA,),
)


def _far(start: Start, answer: Step, listed: Step | None = None) -> FarSide:
    def choose(request: dict[str, Any]) -> Step:
        if "/foundation-models" in request["path"]:
            return listed or Step(body=json.dumps(LISTED).encode())
        if "/inference-profiles" in request["path"]:
            return Step(body=b'{"inferenceProfileSummaries": []}')
        return answer

    return start(choose=choose)


def _row(far: FarSide, connection: Connection = CONNECTION, *, probe: bool = False) -> Availability:
    [row] = availability(connection, Credentials("a", "b", "c"), Wire(endpoint=far.url), probe=probe)
    return row


def _answer(**more: object) -> Step:
    return Step(body=json.dumps(GOOD | more).encode())


@pytest.mark.parametrize(
    ("answer", "available", "reason"),
    [
        pytest.param(_answer(), True, None, id="nothing against it"),
        pytest.param(_answer(regionAvailability="NOT_AVAILABLE"), False, "model_not_in_region", id="not here"),
        pytest.param(_answer(authorizationStatus="NOT_AUTHORIZED"), False, "model_access_denied", id="no access"),
        pytest.param(
            _answer(agreementAvailability={"status": "PENDING"}), False, "agreement_pending", id="being subscribed to"
        ),
        pytest.param(
            _answer(agreementAvailability={"status": "ERROR", "errorMessage": "Card declined."}),
            False,
            "model_subscription_required",
            id="a subscription that failed",
        ),
        pytest.param(
            _answer(entitlementAvailability="NOT_AVAILABLE"), False, "model_use_case_required", id="no use case form"
        ),
        pytest.param(_answer(agreementAvailability=None), True, None, id="no word of agreements"),
        pytest.param(error(403, "AccessDeniedException", "no"), None, "model_access_denied", id="no answer"),
    ],
)
def test_each_answer_has_its_reason(start: Start, answer: Step, available: bool | None, reason: str | None) -> None:
    """What is in the way is told as such; where AWS does not say, nothing is claimed."""
    row = _row(_far(start, answer))

    assert (row.available, row.reason) == (available, reason)


def test_aws_words_about_a_subscription_are_passed_on(start: Start) -> None:
    """They say what an administrator can't guess."""
    row = _row(_far(start, _answer(agreementAvailability={"status": "ERROR", "errorMessage": "Card declined."})))

    assert row.finding is not None
    assert "Card declined." in row.finding.message


def test_a_model_of_the_scope_that_could_not_be_listed_is_not_denied(start: Start) -> None:
    """A list that was refused says nothing of the models: neither that they are there nor that they are not."""
    row = _row(_far(start, _answer(), listed=error(403, "AccessDeniedException", "no")))

    assert (row.available, row.reason) == (None, "model_access_denied")


def test_a_probe_passes_the_guardrail_that_every_call_passes(start: Start) -> None:
    """A role that demands it would refuse any other call, and the model would look out of reach."""
    far = _far(start, _answer())
    guarded = replace(CONNECTION, guardrail=Guardrail("gr1", "DRAFT"))
    assert _row(far, guarded, probe=True).available is True

    [asked] = [json.loads(request["body"]) for request in far.requests if "/converse" in request["path"]]
    assert asked["guardrailConfig"]["guardrailIdentifier"] == "gr1"
    assert asked["inferenceConfig"]["maxTokens"] == 1
