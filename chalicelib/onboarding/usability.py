"""Whether a verified role can be used: listing models, and invoking one with at most one token of answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.bedrock import converse
from chalicelib.bedrock.catalog import list_models
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.regions import has_no_bedrock
from chalicelib.bedrock.wire import CONVERSE
from chalicelib.onboarding import findings
from chalicelib.onboarding.checks import BY_ID, Result
from chalicelib.onboarding.probes import Refused, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalicelib.bedrock.catalog import Catalog
    from chalicelib.bedrock.wire import Credentials, Wire
    from chalicelib.onboarding.connection import Connection

LIST: Final = BY_ID["list_models"]
INVOKE: Final = BY_ID["invoke_model"]

_TRIES: Final = 3
"""A model may lack its agreement or be past its end; another one then still shows that the role may invoke."""
_CHEAP: Final = ("nova-micro", "nova-lite", "haiku", "lite", "micro", "mini", "small", "8b", "3b", "1b")
"""Parts of the names of models whose one token costs least, cheapest first (Bedrock price list, 2026-11)."""


def skipped() -> Iterator[Result]:
    """Yield both checks as not run."""
    yield Result(LIST, "skipped")
    yield Result(INVOKE, "skipped")


def list_and_invoke(
    connection: Connection, credentials: Credentials, wire: Wire, invoke: bool | str
) -> Iterator[Result]:
    """Yield both checks' results. `invoke` False leaves the second out; a text names the model to invoke."""
    catalog = list_models(wire, credentials, connection.region)
    yield _listed(catalog.failures, connection.region)
    if invoke is False:
        yield Result(INVOKE, "skipped")
        return
    candidates = [invoke] if isinstance(invoke, str) else _candidates(connection, catalog.narrowed(connection.models))
    yield _invoked(connection, credentials, wire, candidates)


def _listed(failures: Sequence[AwsError | Unreachable], region: str) -> Result:
    if not failures:
        return Result(LIST, "passed")
    outcomes = [outcome_of(failure) for failure in failures]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if refused:
        return Result(LIST, "refused", (findings.bedrock_refused("list_models_denied", refused[0].refusal),))
    if has_no_bedrock(region) and any(isinstance(failure, Unreachable) for failure in failures):
        return Result(LIST, "inconclusive", (findings.no_bedrock_in(region),))
    return Result(LIST, "inconclusive", (findings.probe_inconclusive(LIST.title, outcomes[0].refusal),))


def _invoked(connection: Connection, credentials: Credentials, wire: Wire, candidates: Sequence[str]) -> Result:
    if not candidates:
        return Result(INVOKE, "skipped", (findings.nothing_to_invoke(),))
    first: Result | None = None
    for model in candidates:
        body = converse.probe()
        if connection.guardrail is not None:
            body["guardrailConfig"] = connection.guardrail.for_converse()
        try:
            wire.call(credentials, connection.region, CONVERSE, model=model, body=body)
        except (AwsError, Unreachable) as failure:
            first = first or _not_invoked(failure, model, connection.region)
            if not _another_may_answer(failure):
                break
        else:
            return Result(INVOKE, "passed")
    return first or Result(INVOKE, "skipped")


def _not_invoked(failure: AwsError | Unreachable, model: str, region: str) -> Result:
    outcome = outcome_of(failure)
    if isinstance(failure, Unreachable) and has_no_bedrock(region):
        return Result(INVOKE, outcome.word, (findings.no_bedrock_in(region),))
    code = "invoke_model_denied" if outcome.refusal.code == "role_permission_denied" else outcome.refusal.code
    return Result(INVOKE, outcome.word, (findings.bedrock_refused(code, outcome.refusal, model=model),))


def _another_may_answer(failure: AwsError | Unreachable) -> bool:
    # IAM's refusal may be for this model alone too: a customer may allow some of them.
    return isinstance(failure, AwsError) and not failure.passing


def _candidates(connection: Connection, catalog: Catalog) -> list[str]:
    """Return the models to try, cheapest first. With listing denied, the model scope still names some."""
    models = [model.id for model in catalog.models if model.lifecycle == "ACTIVE"]
    if not models and catalog.failures:
        models = list(connection.models or ())
    return sorted(models, key=_price)[:_TRIES]


def _price(model: str) -> tuple[int, str]:
    cheap = [place for place, part in enumerate(_CHEAP) if part in model]
    return (cheap[0] if cheap else len(_CHEAP), model)
