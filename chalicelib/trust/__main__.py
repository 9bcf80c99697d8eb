"""`python -m chalicelib.trust < cases.json`: what trust policies say, for an auditor who wants to try one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, Request, TrustPolicy, may_assume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_DESCRIPTION: Final = """\
Reads a JSON array of cases from standard input and prints one line for each: allowed, denied, or invalid (AWS would
not store the policy). A case:

  {"trust_policy": {...},                       the policy, as an object or as text
   "principal_arn": "arn:aws:sts::222222222222:assumed-role/service/session",
   "external_id": "rolecall-...",               null: none is sent
   "role_arn": "arn:aws:iam::111111111111:role/Access",
   "context": {"aws:SourceIp": "203.0.113.9"},  optional: more condition keys
   "identity_policies": [{...}]}                optional: the caller's own policies
"""


class CaseError(Exception):
    """A case can't be read; the message says which and why."""


def main(arguments: Sequence[str] | None = None, source: TextIO = sys.stdin) -> int:
    """Judge the cases of standard input. Returns the exit status: 2 when the input can't be read."""
    parser = argparse.ArgumentParser(
        prog="python -m chalicelib.trust",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        cases = json.load(source)
        if not isinstance(cases, list):
            raise CaseError("The input is not a JSON array of cases.")
        lines = [judge(case, number) for number, case in enumerate(cases, 1)]
    except CaseError as error:
        print(error, file=sys.stderr)
        return 2
    except (ValueError, RecursionError) as error:
        print(f"The input is not JSON: {error}", file=sys.stderr)
        return 2
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def judge(case: object, number: int) -> str:
    """Return `allowed`, `denied` or `invalid`. Raises `CaseError` for what is no case."""
    if not isinstance(case, Mapping):
        raise CaseError(f"Case {number} is not an object.")
    principal, role = (_text(case, name, number) for name in ("principal_arn", "role_arn"))
    if "trust_policy" not in case:
        raise CaseError(f"Case {number} has no trust_policy.")
    if "external_id" not in case:
        raise CaseError(f"Case {number} has no external_id (null: none is sent).")
    external_id = case["external_id"]
    if external_id is not None and not isinstance(external_id, str):
        raise CaseError(f"Case {number}: external_id is neither a string nor null.")
    context = {} if case.get("context") is None else case["context"]
    if not isinstance(context, Mapping):
        raise CaseError(f"Case {number}: context is not an object.")
    own = case.get("identity_policies")
    if own is not None and not isinstance(own, list):
        raise CaseError(f"Case {number}: identity_policies is not an array.")
    keys: dict[str, Any] = {name: _value(value) for name, value in context.items() if value is not None}
    if external_id is not None:
        keys["sts:ExternalId"] = external_id
    try:
        policy = TrustPolicy.parse(case["trust_policy"])
        own_policies = None if own is None else [PermissionsPolicy.parse(document) for document in own]
    except MalformedPolicyError:
        return "invalid"
    request = Request("sts:AssumeRole", role, principal, keys)
    return "allowed" if may_assume(policy, request, own_policies) else "denied"


def _text(case: Mapping[str, object], name: str, number: int) -> str:
    value = case.get(name)
    if not isinstance(value, str):
        raise CaseError(f"Case {number}: {name} is missing or not a string.")
    return value


def _value(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [_scalar(entry) for entry in value]
    return _scalar(value)


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())
