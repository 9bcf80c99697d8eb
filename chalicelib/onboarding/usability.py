"""Whether a verified role can be used: listing models, and invoking one with at most one token of answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chalicelib.bedrock import converse
from chalicelib.bedrock.catalog import list_models
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.operations import CONVERSE
from chalicelib.bedrock.regions import has_no_bedrock
from chalicelib.onboarding import availability, edits, findings
from chalicelib.onboarding.checks import BY_ID, Result
from chalicelib.onboarding.probes import Refused, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.bedrock.catalog import Catalog
    from chalicelib.bedrock.signing import Credentials
    from chalicelib.bedrock.wire import Wire
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.findings import Finding

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


class Trial:
    """A session tried out: models listed, then one invoked."""

    def __init__(self, connection: Connection, credentials: Credentials, wire: Wire) -> None:
        self.connection = connection
        self.catalog: Catalog | None = None
        self._credentials = credentials
        self._wire = wire

    def list_models(self) -> Result:
        """List what can be called. The customer's own profiles are left out unless the model scope names one."""
        scope = self.connection.models or ()
        self.catalog = list_models(
            self._wire,
            self._credentials,
            self.connection.region,
            with_application_profiles=any(":application-inference-profile/" in model for model in scope),
        )
        failures = self.catalog.failures
        if not failures:
            return Result(LIST, "passed")
        outcomes = [outcome_of(failure) for failure in failures]
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        if refused:
            refusal = refused[0].refusal
            cure = edits.for_refusal(self.connection, refusal.code)
            finding = findings.bedrock_refused(refusal.code, refusal, *cure)
            return Result(LIST, "refused", (_named("list_models_denied", finding),))
        region = self.connection.region
        if has_no_bedrock(region) and any(isinstance(failure, Unreachable) for failure in failures):
            return Result(LIST, "inconclusive", (findings.no_bedrock_in(region),))
        return Result(LIST, "inconclusive", (findings.probe_inconclusive(LIST.title, outcomes[0].refusal),))

    def invoke(self, invoke: bool | str) -> Result:
        """Invoke one model; False leaves it out, a text names the model."""
        if invoke is False:
            return Result(INVOKE, "skipped")
        candidates = [invoke] if isinstance(invoke, str) else self._candidates()
        if not candidates:
            return Result(INVOKE, "skipped", (findings.nothing_to_invoke(),))
        first: Result | None = None
        for model in candidates:
            body = converse.probe()
            if self.connection.guardrail is not None:
                body["guardrailConfig"] = self.connection.guardrail.for_converse()
            try:
                self._wire.call(self._credentials, self.connection.region, CONVERSE, model=model, body=body)
            except (AwsError, Unreachable) as failure:
                first = first or self._not_invoked(failure, model)
                if not _another_may_answer(failure):
                    break
            else:
                return Result(INVOKE, "passed")
        return first or Result(INVOKE, "skipped")

    def _not_invoked(self, failure: AwsError | Unreachable, model: str) -> Result:
        outcome = outcome_of(failure)
        region = self.connection.region
        if isinstance(failure, Unreachable) and has_no_bedrock(region):
            return Result(INVOKE, outcome.word, (findings.no_bedrock_in(region),))
        finding = _named("invoke_model_denied", availability.refused(self.connection, model, failure))
        return Result(INVOKE, outcome.word, (finding,))

    def _candidates(self) -> list[str]:
        """Return the models to try, cheapest first. With listing denied, the model scope still names some."""
        catalog = self.catalog.narrowed(self.connection.models) if self.catalog is not None else None
        models = [model.id for model in catalog.models if model.lifecycle == "ACTIVE"] if catalog is not None else []
        if not models and (catalog is None or catalog.failures):
            models = list(self.connection.models or ())
        return sorted(models, key=_price)[:_TRIES]


def _named(code: str, finding: Finding) -> Finding:
    """Return the finding under the name of its check where nothing but the role's own policy is behind it."""
    return replace(finding, code=code) if finding.code == "role_permission_denied" else finding


def _another_may_answer(failure: AwsError | Unreachable) -> bool:
    # IAM's refusal may be for this model alone too: a customer may allow some of them.
    return isinstance(failure, AwsError) and not failure.passing


def _price(model: str) -> tuple[int, str]:
    cheap = [place for place, part in enumerate(_CHEAP) if part in model]
    return (cheap[0] if cheap else len(_CHEAP), model)
