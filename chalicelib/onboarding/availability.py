"""Why a model can't be called, for each model of a connection: by listing and asking first, by invoking when wanted.

GetFoundationModelAvailability tells agreement, authorization, entitlement and region of a foundation model at no cost
(Bedrock API reference). A profile is as available as the model behind it; whether each region that it leads to is
allowed shows when it is invoked, with one token.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock import converse
from chalicelib.bedrock.catalog import Catalog, Model, list_models
from chalicelib.bedrock.failures import AwsError, Unreachable, cleaned, explain
from chalicelib.bedrock.operations import CONVERSE, MODEL_AVAILABILITY
from chalicelib.identifiers import ModelId
from chalicelib.onboarding import edits
from chalicelib.onboarding.findings import Finding, bedrock_refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.signing import Credentials
    from chalicelib.bedrock.wire import Wire
    from chalicelib.onboarding.connection import Connection

_SIDE_BY_SIDE: Final = 8
_MOST_PROBES: Final = 25
"""Models that one request may invoke: each is a token on the customer's bill."""
_REGION_OF_MODEL: Final = re.compile(r"arn:[a-z-]+:bedrock:(?P<region>[a-z0-9-]*)::foundation-model/")
_DENIED_BY_POLICY: Final = frozenset({"role_permission_denied", "explicitly_denied", "scp_denied"})


@dataclass(frozen=True, slots=True)
class Availability:
    """One model, and the reason why it can't be called. `available` is None where AWS would not say."""

    id: str
    name: str
    provider: str
    available: bool | None
    reason: str | None
    finding: Finding | None
    regions: tuple[str, ...]


def availability(connection: Connection, credentials: Credentials, wire: Wire, *, probe: bool) -> list[Availability]:
    """Return a row for each model of the scope, or of the region where there is no scope; in order of their ids."""
    catalog = list_models(wire, credentials, connection.region)
    known = {model.id: model for model in catalog.models}
    ids = sorted(connection.models if connection.models is not None else known)
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="availability") as pool:
        behind = sorted({known[one].foundation_model for one in ids if one in known})
        asked = {model: pool.submit(_ask, wire, credentials, connection.region, model) for model in behind}
        answers = {model: future.result() for model, future in asked.items()}
        rows = [
            _listed(connection, known[one], answers[known[one].foundation_model])
            if one in known
            else _absent(one, catalog, connection)
            for one in ids
        ]
        if not probe:
            return rows
        callable_rows = [row for row in rows if row.available is not False][:_MOST_PROBES]
        probed = dict(
            zip(
                (row.id for row in callable_rows),
                pool.map(lambda row: _probed(row, connection, credentials, wire), callable_rows),
                strict=True,
            )
        )
    return [probed.get(row.id, row) for row in rows]


def _ask(wire: Wire, credentials: Credentials, region: str, model: str) -> dict[str, Any] | AwsError | Unreachable:
    try:
        return wire.call(credentials, region, MODEL_AVAILABILITY, model=model).body
    except (AwsError, Unreachable) as failure:
        return failure


def _listed(connection: Connection, model: Model, answer: dict[str, Any] | AwsError | Unreachable) -> Availability:
    if isinstance(answer, (AwsError, Unreachable)):
        refusal = explain(answer)
        cure = edits.for_refusal(connection, refusal.code)
        return _row(model, None, bedrock_refused(refusal.code, refusal, *cure, model=model.id))
    if answer.get("regionAvailability") == "NOT_AVAILABLE":
        return _row(model, False, _not_in_region(model.id))
    if answer.get("authorizationStatus") == "NOT_AUTHORIZED":
        return _row(
            model,
            False,
            _finding(
                "model_access_denied",
                f"The account has no access to {model.id} in this region.",
                "Enable the model for the account in the Bedrock console.",
            ),
        )
    status, said = _agreement(answer)
    if status == "PENDING":
        text = "Wait up to 15 minutes, then look again."
        return _row(
            model, False, _finding("agreement_pending", f"AWS is still subscribing the account to {model.id}.", text)
        )
    if status in {"NOT_AVAILABLE", "ERROR"}:
        return _row(
            model,
            False,
            _finding(
                "model_subscription_required",
                f"The account has not accepted the terms of {model.id}. {said}".strip(),
                "An administrator of the account subscribes to it once; this policy allows it.",
            ),
        )
    if answer.get("entitlementAvailability") == "NOT_AVAILABLE":
        return _row(
            model,
            False,
            _finding(
                "model_use_case_required",
                f"The account may not use {model.id} before its maker's use case form is filled in.",
                "Fill in the form in the Bedrock console, once for the account; allow 15 minutes.",
            ),
        )
    if model.lifecycle == "LEGACY":
        text = f"{model.id} is legacy: its maker will end it, and AWS closes it to accounts that do not use it."
        return _row(model, True, Finding("model_legacy", "warning", "customer", text, "Move to a newer model."))
    return _row(model, True, None)


def _agreement(answer: Mapping[str, Any]) -> tuple[str, str]:
    """Return the status of the agreement to a model's terms, and what AWS says of it."""
    match answer.get("agreementAvailability"):
        case {"status": str(status), "errorMessage": str(said)}:
            return status, cleaned(said)
        case {"status": str(status)}:
            return status, ""
    return "", ""


def _absent(model_id: str, catalog: Catalog, connection: Connection) -> Availability:
    """Say why a model of the scope is not in the catalog."""
    parsed = ModelId.parse(model_id, region=connection.region)
    bare = parsed.short_id
    profiles = [model.id for model in catalog.models if model.is_profile and model.foundation_model == bare]
    if catalog.failures:
        refusal = explain(catalog.failures[0])
        finding = bedrock_refused(refusal.code, refusal, model=model_id)
        return Availability(model_id, model_id, "", None, finding.code, finding, ())
    if profiles:
        finding = _finding(
            "needs_inference_profile",
            f"{model_id} can only be called through an inference profile.",
            f"Put one of these in the model scope: {', '.join(profiles)}.",
            profiles=", ".join(profiles),
        )
    else:
        finding = _not_in_region(model_id)
    return Availability(model_id, model_id, "", False, finding.code, finding, ())


def _probed(row: Availability, connection: Connection, credentials: Credentials, wire: Wire) -> Availability:
    body = converse.probe()
    if connection.guardrail is not None:
        body["guardrailConfig"] = connection.guardrail.for_converse()
    try:
        wire.call(credentials, connection.region, CONVERSE, model=row.id, body=body)
    except (AwsError, Unreachable) as failure:
        finding = refused(connection, row.id, failure)
        return Availability(row.id, row.name, row.provider, False, finding.code, finding, row.regions)
    return Availability(row.id, row.name, row.provider, True, row.reason, row.finding, row.regions)


def refused(connection: Connection, model_id: str, failure: AwsError | Unreachable) -> Finding:
    """Return why AWS refused to invoke a model; a region that its profile leads to is named where AWS names it."""
    refusal = explain(failure)
    cure = edits.for_refusal(connection, refusal.code)
    named = _REGION_OF_MODEL.search(failure.message) if isinstance(failure, AwsError) else None
    if refusal.code in _DENIED_BY_POLICY and named is not None and named["region"] != connection.region:
        region = named["region"] or "the unspecified region of a global profile"
        found = _finding(
            "destination_region_denied",
            f"{model_id} leads to {region}, where calling its model is denied.",
            "Allow the model there, in the role's policy and the organization's, or take a profile of other regions.",
            region=region,
        )
        return replace(found, edits=cure)
    return bedrock_refused(refusal.code, refusal, *cure, model=model_id)


def _not_in_region(model_id: str) -> Finding:
    return _finding(
        "model_not_in_region",
        f"{model_id} is not offered in this region.",
        "Take a model that GET /v1/models lists, or a connection for another region.",
    )


def _row(model: Model, available: bool | None, finding: Finding | None) -> Availability:
    reason = finding.code if finding is not None and not available else None
    return Availability(model.id, model.name, model.provider, available, reason, finding, model.regions)


def _finding(code: str, message: str, fix: str, **evidence: str) -> Finding:
    return Finding(code, "error", "customer", message, fix, evidence)
