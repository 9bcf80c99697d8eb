"""The report of a verification: what the API answers, and what is kept as the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.onboarding.checks import CHECKS, LET_IN, Result, all_findings, verdict
from chalicelib.onboarding.connection import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding import shapes
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.edits import Edit
    from chalicelib.onboarding.findings import Finding

IAM_SETTLES_SECONDS = 10
"""How long IAM usually takes to make a change known everywhere (IAM guide, "changes are not always visible")."""


def report(
    results: Sequence[Result],
    role_arn: RoleArn,
    after: Connection,
    *,
    checked_at: datetime,
    duration_ms: int,
    attempts: int = 1,
    more: Sequence[Finding] = (),
) -> shapes.VerificationReport:
    """Return the report as JSON values; checks stand in table order, whatever order they ended in.

    `more` holds findings that belong to no single check; `attempts` is how often the probes were run.
    """
    by_id = {result.check.id: result for result in results}
    return {
        "verdict": verdict(results),
        "status": after.status_at(checked_at),
        "usable": after.usable and after.role_arn == role_arn,
        "role_arn": str(role_arn),
        "checks": [check_row(by_id[check.id]) for check in CHECKS],
        "findings": [finding_row(finding) for finding in (*all_findings(results, role_arn), *more)],
        "checked_at": checked_at.isoformat(timespec="milliseconds"),
        "retry_after": _retry_after(results),
        "duration_ms": duration_ms,
        "attempts": attempts,
    }


def check_row(result: Result) -> shapes.CheckReport:
    """Return one check as JSON values; the same in the report and in an event of the stream."""
    return {
        "id": result.check.id,
        "title": result.check.title,
        "expected": result.check.expected,
        "outcome": result.outcome,
        "findings": [finding_row(finding) for finding in result.findings],
    }


def finding_row(finding: Finding) -> shapes.Finding:
    """Return a finding as JSON values."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "whose_fix": finding.whose_fix,
        "message": finding.message,
        "fix": finding.fix,
        "evidence": dict(finding.evidence),
        "edits": [edit_row(edit) for edit in finding.edits],
        "suspects": [
            {
                "code": suspect.code,
                "message": suspect.message,
                "fix": suspect.fix,
                "edits": [edit_row(edit) for edit in suspect.edits],
            }
            for suspect in finding.suspects
        ],
    }


def edit_row(edit: Edit) -> shapes.Edit:
    """Return an edit as JSON values."""
    return {"document": edit.document, "title": edit.title, "json": dict(edit.json)}


def _retry_after(results: Sequence[Result]) -> int | None:
    """Return after how many seconds another run may end otherwise without a change by the customer."""
    if verdict(results) is Verdict.INCONCLUSIVE:
        return IAM_SETTLES_SECONDS
    refused = any(result.check is LET_IN and result.outcome == "refused" for result in results)
    return IAM_SETTLES_SECONDS if refused else None
