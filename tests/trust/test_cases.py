"""Tables of trust policies, each with a sentence for a name and what AWS does with it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.trust.__main__ import judge, main

FOLDER = Path(__file__).parent.parent / "cases"
CASES = json.loads((FOLDER / "trust_policies.json").read_text())
CORNERS = json.loads((FOLDER / "trust_corners.json").read_text())

OURS = "arn:aws:sts::222222222222:assumed-role/onboarder/run1"
ROLE = "arn:aws:iam::111111111111:role/BedrockAccess"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_policy_does_what_aws_does_with_it(case: dict[str, Any]) -> None:
    """Each whole case: policy, caller, external ID, role, and maybe more keys and the caller's own policies."""
    assert judge(case, 1) == case["expected"]


@pytest.mark.parametrize("corner", CORNERS, ids=lambda corner: corner["name"])
def test_a_condition_does_what_aws_does_with_it(corner: dict[str, Any]) -> None:
    """Each corner is a condition of an Allow for our account, the keys of the request, and what follows."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "sts:AssumeRole",
        "Condition": corner["condition"],
    }
    policy = {"Version": corner.get("version", "2012-10-17"), "Statement": [statement]}
    who = {"principal_arn": OURS, "role_arn": ROLE, "external_id": None}
    case = {"trust_policy": policy, **who, "context": corner.get("context", {})}

    assert judge(case, 1) == corner["expected"]


def test_the_program_prints_a_line_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m chalicelib.trust` judges an array in order."""
    assert main([], io.StringIO(json.dumps(CASES))) == 0

    assert capsys.readouterr().out.split() == [case["expected"] for case in CASES]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "The input is not JSON", id="nothing"),
        pytest.param("{}", "The input is not a JSON array of cases.", id="an object"),
        pytest.param("[" * 100_000, "The input is not JSON", id="a hundred thousand brackets"),
        pytest.param("[5]", "Case 1 is not an object.", id="a number for a case"),
        pytest.param('[{"trust_policy": {}}]', "Case 1: principal_arn is missing or not a string.", id="no principal"),
        pytest.param('[{"principal_arn": "a", "role_arn": "b"}]', "Case 1 has no trust_policy.", id="no policy"),
        pytest.param(
            '[{"principal_arn": "a", "role_arn": "b", "trust_policy": {}}]', "Case 1 has no external_id", id="no ID"
        ),
        pytest.param(
            '[{"principal_arn": "a", "role_arn": "b", "trust_policy": {}, "external_id": null, "context": []}]',
            "Case 1: context is not an object.",
            id="a list for a context",
        ),
        pytest.param(
            '[{"principal_arn": "a", "role_arn": "b", "trust_policy": {}, "external_id": null}, 5]',
            "Case 2 is not an object.",
            id="the second case",
        ),
        pytest.param(
            '[{"principal_arn": "a", "role_arn": "b", "trust_policy": {}, "external_id": null,'
            ' "identity_policies": 5}]',
            "Case 1: identity_policies is not an array.",
            id="a number for policies",
        ),
        pytest.param(
            '[{"principal_arn": "a", "role_arn": "b", "trust_policy": {}, "external_id": 5}]',
            "Case 1: external_id is neither a string nor null.",
            id="a number for an external ID",
        ),
    ],
)
def test_the_program_says_what_it_cannot_read(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Input that is no array of cases ends with one line and status 2, not with a traceback."""
    assert main([], io.StringIO(text)) == 2

    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(message)
