"""The checks of a verification: what each asks, which outcome it must have, and what they say together.

Pure: `verification.py` makes the calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.onboarding import findings
from chalicelib.onboarding.connection import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.findings import Finding


CheckId = Literal[
    "assume_with_external_id",
    "refused_without_external_id",
    "refused_with_similar_external_id",
    "refused_with_foreign_external_id",
    "refused_with_other_case",
    "list_models",
    "invoke_model",
]
Expected = Literal["passed", "refused"]
OutcomeWord = Literal["passed", "refused", "inconclusive", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """A probe and the outcome that it must have. A deciding check is one of the five that make a role safe."""

    id: CheckId
    title: str
    expected: Expected
    decides: bool


LET_IN: Final = Check("assume_with_external_id", "Lets us in with the external ID", "passed", decides=True)
CHECKS: Final = (
    LET_IN,
    Check("refused_without_external_id", "Refuses us without an external ID", "refused", decides=True),
    Check("refused_with_similar_external_id", "Refuses us with a similar external ID", "refused", decides=True),
    Check("refused_with_foreign_external_id", "Refuses us with a foreign external ID", "refused", decides=True),
    Check("refused_with_other_case", "Refuses us with the external ID in other case", "refused", decides=True),
    Check("list_models", "Lets us list the models", "passed", decides=False),
    Check("invoke_model", "Lets us invoke a model", "passed", decides=False),
)
BY_ID: Final = {check.id: check for check in CHECKS}


@dataclass(frozen=True, slots=True)
class Result:
    """What a check gave."""

    check: Check
    outcome: OutcomeWord
    findings: tuple[Finding, ...] = ()


def verdict(results: Sequence[Result]) -> Verdict:
    """Return what the deciding checks say. Whatever is missing counts as inconclusive."""
    outcomes = {result.check.id: result.outcome for result in results}
    deciding = [check for check in CHECKS if check.decides]
    if all(outcomes.get(check.id) == check.expected for check in deciding):
        return Verdict.VERIFIED
    # A refusal of the right ID and an entry of a stranger are plain answers, whatever else stayed unclear.
    if any(
        outcomes.get(check.id) in {"passed", "refused"} and outcomes[check.id] != check.expected for check in deciding
    ):
        return Verdict.REFUSED
    return Verdict.INCONCLUSIVE


def strangers_let_in(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the ids of the checks in which the role let a stranger in, in table order."""
    open_to = {
        result.check.id for result in results if result.check.expected == "refused" and result.outcome == "passed"
    }
    return tuple(check.id for check in CHECKS if check.id in open_to)


def is_usable(results: Sequence[Result]) -> bool:
    """Whether models can be used: verified, listing not refused, and the invocation passed unless it was left out."""
    outcomes = {result.check.id: result.outcome for result in results}
    return (
        verdict(results) is Verdict.VERIFIED
        and outcomes.get("list_models") == "passed"
        and outcomes.get("invoke_model") in {"passed", "skipped"}
    )


def all_findings(results: Sequence[Result], role_arn: RoleArn) -> tuple[Finding, ...]:
    """Return every finding once, in table order; the ways in which strangers got in become one finding."""
    let_in = strangers_let_in(results)
    edits = [edit for result in results if result.check.id in let_in[:1] for f in result.findings for edit in f.edits]
    first = (findings.external_id_not_enforced(role_arn, let_in, *edits),) if let_in else ()
    order = {check.id: at for at, check in enumerate(CHECKS)}
    rest = [
        finding
        for result in sorted(results, key=lambda result: order[result.check.id])
        if result.check.id not in let_in
        for finding in result.findings
    ]
    return (*first, *rest)
