"""The folder `policies/` itself: the operator's policy, what no policy may hold, and that its README tells all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.onboarding.documents import REASONS, requested_permissions, templates
from chalicelib.trust import Decision, PermissionsPolicy, Request, decide
from tests.onboarding.document_forms import CUSTOMER

POLICIES = Path(__file__).parents[2] / "policies"
OURS = "arn:aws:sts::111122223333:assumed-role/rolecall-prod/conn.invoke"
SERVICE_VALUES = {
    "partition": "aws",
    "region": "us-east-1",
    "account_id": "111122223333",
    "table_name": "rolecall-prod",
    "role_name_pattern": "RolecallAccess-*",
    "stage": "prod",
}
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/rolecall-prod"
LOGS = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda"
THEIRS, OUR_OWN = {"aws:ResourceAccount": CUSTOMER}, {"aws:ResourceAccount": "111122223333"}
SERVICE = {
    "writing its table": ("dynamodb:PutItem", TABLE, {}, True),
    "a check apart from any write": ("dynamodb:ConditionCheckItem", TABLE, {}, False),
    "querying its index": ("dynamodb:Query", f"{TABLE}/index/due", {}, True),
    "another index": ("dynamodb:Query", f"{TABLE}/index/other", {}, False),
    "scanning its table": ("dynamodb:Scan", TABLE, {}, False),
    "deleting its table": ("dynamodb:DeleteTable", TABLE, {}, False),
    "another table": ("dynamodb:GetItem", f"{TABLE}2", {}, False),
    "a customer's role": ("sts:AssumeRole", f"arn:aws:iam::{CUSTOMER}:role/RolecallAccess-x", THEIRS, True),
    "a customer's other role": ("sts:AssumeRole", f"arn:aws:iam::{CUSTOMER}:role/Admin", THEIRS, False),
    "a role of its own account": ("sts:AssumeRole", "arn:aws:iam::111122223333:role/RolecallAccess-x", OUR_OWN, False),
    "its own log": ("logs:PutLogEvents", f"{LOGS}/rolecall-prod:log-stream:x", {}, True),
    "another stage's log": ("logs:PutLogEvents", f"{LOGS}/rolecall-dev:log-stream:x", {}, False),
    "Bedrock in its own account": (
        "bedrock:InvokeModel",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        {},
        False,
    ),
}


@pytest.mark.parametrize(("action", "resource", "context", "allowed"), SERVICE.values(), ids=SERVICE)
def test_the_service_role_has_the_least_that_it_needs(
    action: str, resource: str, context: dict[str, str], allowed: bool
) -> None:
    """The operator's role reaches its table, customers' roles and its log, and nothing else of either account."""
    policy = PermissionsPolicy.parse(json.dumps(templates.policy("service-role.json", SERVICE_VALUES)))

    assert (decide([policy], Request(action, resource, OURS, context)) is Decision.ALLOWED) is allowed


def _statements(name: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads((POLICIES / name).read_text())["Statement"]
    return statements


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.json")), ids=lambda path: path.name)
def test_no_policy_is_broader_than_it_looks(path: Path) -> None:
    """No wildcard among actions or principals, nothing negated, and only what is meant to be unnarrowed is."""
    text = path.read_text()
    for statement in _statements(path.name):
        assert set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert "*" not in json.dumps([statement["Action"], statement.get("Principal")])
        assert statement["Effect"] == "Allow"
    assert not any(word in text for word in ("NotAction", "NotPrincipal", "NotResource", "IfExists", "ForAllValues"))
    assert path.name == "marketplace-policy.json" or "aws-marketplace" not in text


def test_every_statement_is_asked_for_with_its_reason() -> None:
    """What `GET /v1/setup` says is asked for is what the policy holds, statement by statement."""
    asked = [(permission.sid, list(permission.actions)) for permission in requested_permissions()]

    assert asked == [(statement["Sid"], statement["Action"]) for statement in _statements("permissions-policy.json")]
    assert {permission.sid: permission.reason for permission in requested_permissions()} == REASONS


@pytest.mark.parametrize("name", ["permissions-policy.json", "service-role.json"])
def test_the_readme_explains_every_statement(name: str) -> None:
    """An auditor finds each statement of both policies in the table of reasons."""
    readme = (POLICIES / "README.md").read_text()

    assert [row["Sid"] for row in _statements(name) if f"| `{row['Sid']}` |" not in readme] == []


def test_the_readme_names_every_file() -> None:
    """No file lies in the folder that the README does not tell of."""
    readme = (POLICIES / "README.md").read_text()

    assert [path.name for path in POLICIES.iterdir() if path.name != "README.md" and path.name not in readme] == []


def test_session_and_role_ask_for_the_same_actions() -> None:
    """The session policy takes away nothing that the documents grant, and grants nothing besides."""
    role = {action for row in _statements("permissions-policy.json") for action in row["Action"]}
    session = {
        action
        for row in _statements("session-policy.json")
        for action in ([row["Action"]] if isinstance(row["Action"], str) else row["Action"])
    }

    assert session == role


def test_a_mark_without_a_value_is_an_error() -> None:
    """A policy is never given out half filled."""
    with pytest.raises(KeyError):
        templates.policy("service-role.json", {"partition": "aws"})


def test_importing_the_documents_reads_no_policy() -> None:
    """The folder is read when a document is first asked for, so that a cold start does not pay for it."""
    program = """
import sys
def no_policy(event, arguments):
    if event == "open" and "policies" in str(arguments[0]):
        raise SystemExit(f"importing opened {arguments[0]}")
sys.addaudithook(no_policy)
import chalicelib.onboarding.documents
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=POLICIES.parent, capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
