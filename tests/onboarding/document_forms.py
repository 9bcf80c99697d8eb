"""Reads the role that a document makes, as CloudFormation, Terraform and bash would, and judges what it allows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import hcl2
import yaml

from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn
from chalicelib.onboarding.connection import Connection, Status
from chalicelib.onboarding.documents import permissions_policy, session_policy
from chalicelib.trust import Decision, PermissionsPolicy, Request, decide

if TYPE_CHECKING:
    from pathlib import Path

SERVICE_ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/rolecall-prod")
CUSTOMER = "444455556666"
EXTERNAL_ID = ExternalId("rolecall-" + "b7" * 16)
_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_CALLER = "${data.aws_caller_identity.current.account_id}"


def connection(**fields: Any) -> Connection:
    """Return a pending connection in us-east-1, with `fields` as given."""
    pending: dict[str, Any] = {
        "tenant": "tenant-1",
        "id": ConnectionId("conn-abcdefghij234567abcd"),
        "name": "Production",
        "external_id": EXTERNAL_ID,
        "region": "us-east-1",
        "status": Status.PENDING,
        "version": 1,
        "created_at": _NOW,
        "updated_at": _NOW,
        "expires_at": None,
    }
    return Connection(**(pending | fields))


def allowed_by(subject: Connection, action: str, resource: str, through: str | None = None) -> set[str]:
    """Return which policies allow an action: `permissions`, `session`, or both. `through` is an inference profile."""
    context = {} if through is None else {"bedrock:InferenceProfileArn": through}
    request = Request(action, resource, f"arn:aws:sts::{CUSTOMER}:assumed-role/R/s", context)
    policies = {"permissions": json.dumps(permissions_policy(subject)), "session": session_policy(subject)}
    return {
        name for name, text in policies.items() if decide([PermissionsPolicy.parse(text)], request) is Decision.ALLOWED
    }


@dataclass(frozen=True)
class Role:
    """What a document makes of a role."""

    name: str
    trust_policy: dict[str, Any]
    permissions_policy: dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags, `!Ref X` read as `{"Ref": "X"}`."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, object]:
    assert isinstance(node, yaml.ScalarNode)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _tag)


def from_cloudformation(text: str, account: str = CUSTOMER, partition: str = "aws") -> Role:
    """Return the role of a stack made with the template's own parameters."""
    template = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    names: dict[str, Any] = {"AWS::AccountId": account, "AWS::Partition": partition}
    for name, parameter in template["Parameters"].items():
        value = parameter["Default"]
        values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
        assert all(re.fullmatch(parameter["AllowedPattern"], one) for one in values)
        names[name] = values if len(values) > 1 else values[0]
    (resource,) = template["Resources"].values()
    assert resource["Type"] == "AWS::IAM::Role"
    properties = _resolved(resource["Properties"], names)
    (inline,) = properties["Policies"]
    return Role(properties["RoleName"], properties["AssumeRolePolicyDocument"], inline["PolicyDocument"])


def _resolved(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(entry, names) for entry in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return names[value["Ref"]]
    if set(value) == {"Fn::Sub"}:
        return re.sub(
            r"\$\{(!?)([^}]*)\}",
            lambda mark: f"${{{mark[2]}}}" if mark[1] else names[mark[2]],
            value["Fn::Sub"],
        )
    return {key: _resolved(entry, names) for key, entry in value.items()}


def from_terraform(text: str, account: str = CUSTOMER) -> Role:
    """Return the role of a plan; any expression in a policy other than the caller's account number is an error."""
    parsed = hcl2.loads(text)
    local = parsed["locals"][0]
    resources = {key: value for block in parsed["resource"] for key, value in block.items()}
    role, inline = resources['"aws_iam_role"']['"rolecall"'], resources['"aws_iam_role_policy"']['"rolecall"']
    assert role["assume_role_policy"] == "${jsonencode(local.rolecall_trust_policy)}"
    assert inline["policy"] == "${jsonencode(local.rolecall_permissions_policy)}"
    assert inline["role"] == "${aws_iam_role.rolecall.id}"
    return Role(
        _evaluated(role["name"], account),
        _evaluated(local["rolecall_trust_policy"], account),
        _evaluated(local["rolecall_permissions_policy"], account),
    )


def _evaluated(value: Any, account: str) -> Any:
    if isinstance(value, list):
        return [_evaluated(entry, account) for entry in value]
    if isinstance(value, dict):
        return {_evaluated(key, account): _evaluated(entry, account) for key, entry in value.items()}
    text = value.replace(_CALLER, account)
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", text)
    return json.loads(text.replace("$${", "${").replace("%%{", "%{"))


_FAKE_AWS = """#!{python}
import json, pathlib, sys
state, arguments = pathlib.Path(__file__).parent, sys.argv[1:]
with (state / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
exists = state / "exists"
if arguments[:2] == ["sts", "get-caller-identity"]:
    print("{account}")
elif arguments[:2] == ["iam", "get-role"] and not exists.exists():
    sys.exit("An error occurred (NoSuchEntity) when calling the GetRole operation")
elif arguments[:2] == ["iam", "get-role"] and "--query" in arguments:
    print("arn:aws:iam::{account}:role/" + arguments[arguments.index("--role-name") + 1])
elif arguments[:2] == ["iam", "create-role"]:
    exists.touch()
    print(json.dumps({{"Role": "as JSON"}}))
"""


@dataclass(frozen=True)
class Run:
    """One run of the script: its exit code, what it printed, and each call of the AWS CLI."""

    code: int
    out: str
    err: str
    calls: list[list[str]]

    def role(self) -> Role:
        """Return the role that the calls make."""
        (trusting,) = [call for call in self.calls if call[1] in {"create-role", "update-assume-role-policy"}]
        (permitting,) = [call for call in self.calls if call[1] == "put-role-policy"]
        trust_option = "--assume-role-policy-document" if trusting[1] == "create-role" else "--policy-document"
        assert _option(trusting, "--role-name") == _option(permitting, "--role-name")
        return Role(
            _option(trusting, "--role-name"),
            json.loads(_option(trusting, trust_option)),
            json.loads(_option(permitting, "--policy-document")),
        )


def run_script(text: str, folder: Path, account: str = CUSTOMER) -> Run:
    """Run the script with bash in `folder`, which also holds the AWS CLI that it finds; its state stays there."""
    fake = folder / "aws"
    fake.write_text(_FAKE_AWS.format(python=sys.executable, account=account))
    fake.chmod(0o700)
    script, calls = folder / "create-role.sh", folder / "calls"
    script.write_text(text)
    calls.write_text("")
    done = subprocess.run(
        ["bash", str(script)],
        cwd=folder,
        env={"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    lines = calls.read_text().splitlines()
    return Run(done.returncode, done.stdout, done.stderr, [json.loads(line) for line in lines])


def _option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]
