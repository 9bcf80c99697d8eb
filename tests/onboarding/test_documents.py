"""The documents: every form makes the same role, and nothing that a customer wrote leaves its place in any."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn
from chalicelib.onboarding.connection import Guardrail
from chalicelib.onboarding.documents import Documents, documents, expected_role_arn, templates
from tests.onboarding import document_forms as forms
from tests.onboarding.document_forms import CUSTOMER, EXTERNAL_ID, SERVICE_ROLE, connection

SECOND_ID = ExternalId("rolecall-" + "c3" * 16)
SCOPE = (
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-lite-v1:0",
    f"arn:aws:bedrock:us-east-1:{CUSTOMER}:application-inference-profile/abc123def456",
)
GOV_ROLE = RoleArn.parse("arn:aws-us-gov:iam::111122223333:role/platform/rolecall-gov")

CONNECTIONS: dict[str, tuple[dict[str, Any], RoleArn, list[ExternalId]]] = {
    "all models, account unknown": ({}, SERVICE_ROLE, [EXTERNAL_ID]),
    "all models, account known": ({"account_id": CUSTOMER}, SERVICE_ROLE, [EXTERNAL_ID]),
    "a model scope, account unknown": ({"models": SCOPE}, SERVICE_ROLE, [EXTERNAL_ID]),
    "a model scope and a guardrail": (
        {"models": SCOPE, "account_id": CUSTOMER, "guardrail": Guardrail("gr1abc", "1")},
        SERVICE_ROLE,
        [EXTERNAL_ID],
    ),
    "two external IDs": ({"guardrail": Guardrail("gr1abc", "DRAFT")}, SERVICE_ROLE, [EXTERNAL_ID, SECOND_ID]),
    "GovCloud": (
        {"region": "us-gov-west-1", "models": ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",)},
        GOV_ROLE,
        [EXTERNAL_ID],
    ),
}


def made(case: str) -> Documents:
    """Return the documents of a case."""
    fields, role, external_ids = CONNECTIONS[case]
    return documents(connection(**fields), role, external_ids)


def _with_account(policy: Any, case: str) -> Any:
    """Return the policy as a template that knows its account writes it: `*` stands in account places alone."""
    if "account_id" in CONNECTIONS[case][0]:
        return policy
    return json.loads(json.dumps(policy).replace(":*:inference-profile", f":{CUSTOMER}:inference-profile")
        .replace(":*:application-inference-profile", f":{CUSTOMER}:application-inference-profile")
        .replace(":*:guardrail", f":{CUSTOMER}:guardrail"))  # fmt: skip


@pytest.mark.parametrize("case", CONNECTIONS)
def test_every_form_makes_the_same_role(case: str, tmp_path: Path) -> None:
    """Whichever document a customer uses, name, trust policy and permissions policy come out equal."""
    documents_made = made(case)
    files, partition = documents_made.files, CONNECTIONS[case][1].partition
    by_hand = forms.Role(
        "RolecallAccess-abcdefghij234567abcd",
        json.loads(files["trust-policy.json"]),
        json.loads(files["permissions-policy.json"]),
    )
    deployed = forms.Role(by_hand.name, by_hand.trust_policy, _with_account(by_hand.permissions_policy, case))

    assert (documents_made.trust_policy, documents_made.permissions_policy) == (
        by_hand.trust_policy,
        by_hand.permissions_policy,
    )
    assert forms.from_cloudformation(files["customer-role.cfn.yaml"], partition=partition) == deployed
    assert forms.from_terraform(files["customer-role.tf"]) == deployed
    assert forms.run_script(files["create-role.sh"], tmp_path).role() == by_hand


@pytest.mark.parametrize("case", CONNECTIONS)
def test_the_documents_are_these_five_files(case: str) -> None:
    """The files have these names, end with a line break, and the same connection gives the same bytes."""
    files = made(case).files

    assert list(files) == [
        "trust-policy.json",
        "permissions-policy.json",
        "customer-role.cfn.yaml",
        "customer-role.tf",
        "create-role.sh",
    ]
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in files.values())
    assert made(case) == made(case)
    assert made(case).external_id == str(EXTERNAL_ID)


@pytest.mark.parametrize("case", CONNECTIONS)
def test_every_mark_is_filled(case: str) -> None:
    """No document leaves a mark of ours for the customer to stumble over."""
    for name, text in made(case).files.items():
        rest = text.replace("${AWS::", "").replace("${Trusted", "").replace("${data.aws_caller_identity", "")
        assert "${" not in rest, name
        assert "<account_id>" not in text, name


@pytest.mark.parametrize("case", ["a model scope and a guardrail", "two external IDs", "GovCloud"])
def test_the_template_passes_cfn_lint(case: str, tmp_path: Path) -> None:
    """CloudFormation's own linter has nothing to say about the template."""
    template = tmp_path / "customer-role.cfn.yaml"
    template.write_text(made(case).files["customer-role.cfn.yaml"])
    region = CONNECTIONS[case][0].get("region", "us-east-1")
    done = subprocess.run(
        [CFN_LINT, "--regions", region, "--", str(template)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_script_creates_the_role_and_prints_its_arn(tmp_path: Path) -> None:
    """On a first run the role is made, and the last line is what the customer gives Rolecall."""
    run = forms.run_script(made("all models, account known").files["create-role.sh"], tmp_path)

    assert (run.code, run.err) == (0, "")
    assert [call[:2] for call in run.calls] == [
        ["sts", "get-caller-identity"],
        ["iam", "get-role"],
        ["iam", "create-role"],
        ["iam", "put-role-policy"],
        ["iam", "get-role"],
    ]
    assert run.out.splitlines()[-1] == f"arn:aws:iam::{CUSTOMER}:role/RolecallAccess-abcdefghij234567abcd"


def test_the_script_can_be_run_again(tmp_path: Path) -> None:
    """A second run sets the same two policies on the role that is there, and creates nothing."""
    script = made("all models, account known").files["create-role.sh"]
    first, second = forms.run_script(script, tmp_path), forms.run_script(script, tmp_path)

    assert second.role() == first.role()
    assert [call[1] for call in second.calls] == [
        "get-caller-identity",
        "get-role",
        "update-assume-role-policy",
        "put-role-policy",
        "get-role",
    ]


def test_the_script_changes_nothing_in_another_account(tmp_path: Path) -> None:
    """With credentials of an account other than the connection's, no call but the question who it is goes out."""
    script = made("all models, account known").files["create-role.sh"]
    run = forms.run_script(script, tmp_path, account="777788889999")

    assert run.code == 1
    assert [call[:2] for call in run.calls] == [["sts", "get-caller-identity"]]
    assert "777788889999" in run.err


CFN_LINT = Path(sys.executable).with_name("cfn-lint")
UNSCOPED_SIDS = ["InvokeModels", "CountTokens", "ListModels", "ReadInferenceProfiles", "ApplyGuardrail"]
HOSTILE = {
    "quotes and a statement": '","Effect":"Allow","Action":"*","x":"',
    "an end of quotes for a shell": "'; touch pwned; '",
    "a shell's substitution": "$(touch pwned)`touch pwned`",
    "the end of a here-document": "\nEND_OF_PERMISSIONS_POLICY\ntouch pwned\n",
    "a function of HCL": '${file("x")}',
    "a directive of HCL": "%{ if true }x%{ endif }",
    "a pseudo parameter": "${AWS::StackId}",
    "a mark of ours": "${external_ids}",
    "a quoted mark of ours": '"${trust_policy}"',
    "a tag of YAML": "\n  - !Ref AWS::StackId",
    "a comment": "# x",
    "a backslash at the end": "x\\",
    "characters beyond ASCII": "\u2028\u202e\u00e9",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_guardrail_that_is_no_guardrail_stays_in_its_string(text: str, tmp_path: Path) -> None:
    """Text of any kind in a guardrail's identifier comes out of every form as that one string, and runs nothing.

    No such guardrail is taken at the edge, and no model id or ARN of a role can hold such characters at all
    (chalicelib/identifiers.py): this is the second lock.
    """
    files = documents(connection(guardrail=Guardrail(f"x{text}", "1")), SERVICE_ROLE, [EXTERNAL_ID]).files
    run = forms.run_script(files["create-role.sh"], tmp_path)

    with_any_account = [json.loads(files["permissions-policy.json"]), run.role().permissions_policy]
    with_its_account = [
        forms.from_cloudformation(files["customer-role.cfn.yaml"]).permissions_policy,
        forms.from_terraform(files["customer-role.tf"]).permissions_policy,
    ]
    for account, policies in (("*", with_any_account), (CUSTOMER, with_its_account)):
        for policy in policies:
            assert [row["Sid"] for row in policy["Statement"]] == UNSCOPED_SIDS
            assert policy["Statement"][-1]["Resource"] == [
                f"arn:aws:bedrock:us-east-1:{account}:guardrail/x{text}",
                f"arn:aws:bedrock:*:{account}:guardrail-profile/*",
            ]
    assert (run.code, (tmp_path / "pwned").exists()) == (0, False)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_word_of_the_shell_is_one_word(text: str) -> None:
    """A value in the script is one argument with the same characters, whatever it holds."""
    program = f"printf '%s|' {templates.shell(text)}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, timeout=30, check=True)

    assert done.stdout.decode() == f"{text}|"


@pytest.mark.parametrize("name", ["&param_ExternalId=evil", '"><script>', "${AWS::AccountId}", "!Ref", "$(id)", "Zoë"])
def test_the_customers_name_is_in_no_document(name: str) -> None:
    """What the customer calls the connection changes nothing: it is not in the documents at all."""
    assert documents(connection(name=name), SERVICE_ROLE, [EXTERNAL_ID]) == made("all models, account unknown")


def test_the_role_arn_can_be_foretold() -> None:
    """The account number alone tells the ARN that the documents will give the role."""
    known, unknown = connection(account_id=CUSTOMER), connection()

    assert str(expected_role_arn(known, "aws-us-gov")) == (
        f"arn:aws-us-gov:iam::{CUSTOMER}:role/RolecallAccess-abcdefghij234567abcd"
    )
    assert expected_role_arn(unknown, "aws") is None


def test_another_connection_has_another_role() -> None:
    """Two connections never share a role's name, so one's documents can't overwrite the other's role."""
    other = connection(id=ConnectionId("conn-zzzzzzzzzzzzzzzzzzzz"))
    name = forms.from_terraform(documents(other, SERVICE_ROLE, [EXTERNAL_ID]).files["customer-role.tf"]).name

    assert name == "RolecallAccess-zzzzzzzzzzzzzzzzzzzz"
