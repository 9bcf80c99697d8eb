"""The linter: each mistake in a pasted trust policy is named, and the corrected policy is one that works."""

from __future__ import annotations

import itertools
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.trust import Request, TrustPolicy, may_assume
from tests.far_customer import Api

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World

_numbers = itertools.count()
SERVICE = "arn:aws:iam::111122223333:role/rolecall-local"
SESSION = "arn:aws:sts::111122223333:assumed-role/rolecall-local/x"
ROLE = "arn:aws:iam::444455556666:role/x"
Edit = "Callable[[dict[str, Any], dict[str, Any]], object]"


@pytest.fixture(scope="module")
def api(world: World) -> Api:
    """Give an API."""
    return Api(world.gateway.url, world.issuer.token("linter"))


@pytest.fixture(scope="module")
def connection(api: Api) -> dict[str, Any]:
    """Give a connection."""
    made: dict[str, Any] = api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json
    return made


def _policy(api: Api, connection: dict[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = api.get(f"/v1/connections/{connection['id']}/documents").json["trust_policy"]
    return policy


def _lint(api: Api, connection: dict[str, Any], policy: object) -> dict[str, Any]:
    answer = api.post(f"/v1/connections/{connection['id']}/trust-policy", {"trust_policy": policy})
    assert answer.status == 200, answer.text
    result: dict[str, Any] = answer.json
    return result


def _codes(result: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in result["findings"]]


def _condition(operator: str, value: object) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def edit(policy: dict[str, Any], connection: dict[str, Any]) -> None:
        condition = policy["Statement"][0]["Condition"]
        del condition["StringEquals"]["sts:ExternalId"]
        given = connection["external_id"] if value is None else value
        condition.setdefault(operator, {})["sts:ExternalId"] = given

    return edit


def _set(path: str, value: object) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def edit(policy: dict[str, Any], _: dict[str, Any]) -> None:
        policy["Statement"][0][path] = value

    return edit


def _add(statement: dict[str, Any]) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda policy, _: policy["Statement"].append(deepcopy(statement))


def _require(key: str, value: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda policy, _: policy["Statement"][0]["Condition"]["StringEquals"].update({key: value})


def _no_id(policy: dict[str, Any], _: dict[str, Any]) -> None:
    del policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]


def _no_principal_arn(policy: dict[str, Any], _: dict[str, Any]) -> None:
    del policy["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalArn"]


OPEN = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
MISTAKES = [
    pytest.param(lambda *_: None, [], id="none"),
    pytest.param(_no_id, ["external_id_not_enforced"], id="no condition on the ID"),
    pytest.param(_condition("StringEqualsIfExists", None), ["external_id_not_enforced"], id="IfExists"),
    pytest.param(_condition("ForAllValues:StringEquals", None), ["external_id_not_enforced"], id="ForAllValues"),
    pytest.param(_condition("StringLike", "*"), ["external_id_not_enforced"], id="StringLike *"),
    pytest.param(_condition("StringLike", "rolecall-*"), ["external_id_not_enforced"], id="a prefix"),
    pytest.param(_condition("StringEqualsIgnoreCase", None), ["external_id_not_enforced"], id="case ignored"),
    pytest.param(_condition("Null", "false"), ["external_id_not_enforced"], id="Null alone"),
    pytest.param(_condition("StringNotEquals", "x"), ["external_id_not_enforced"], id="a negation"),
    pytest.param(_condition("StringEquals", "rolecall-other"), ["trust_policy_has_another_id"], id="another ID"),
    pytest.param(_add(OPEN), ["external_id_not_enforced", "trusts_whole_account"], id="a second, open statement"),
    pytest.param(_add(DENY), ["trust_policy_denies_us"], id="a statement that denies everyone"),
    pytest.param(_no_principal_arn, ["trusts_whole_account"], id="the whole account"),
    pytest.param(_require("aws:SourceAccount", "1"), ["trust_policy_condition_not_met"], id="a key of AWS's services"),
    pytest.param(
        _require("aws:PrincipalOrgID", "o-1"), ["trust_policy_condition_not_met"], id="an organization that is not ours"
    ),
    pytest.param(_set("Principal", {"AWS": "333333333333"}), ["trust_policy_does_not_name_us"], id="another account"),
    pytest.param(
        _set("Principal", {"Service": "lambda.amazonaws.com"}), ["trust_policy_does_not_name_us"], id="a service"
    ),
    pytest.param(_set("Action", "sts:TagSession"), ["trust_policy_does_not_name_us"], id="another action"),
    pytest.param(_set("Action", "s3:GetObject"), ["trust_policy_malformed"], id="an action of another service"),
    pytest.param(_set("Resource", "*"), ["trust_policy_malformed"], id="a resource"),
    pytest.param(_set("Effect", "allow"), ["trust_policy_malformed"], id="a misspelt effect"),
]


@pytest.mark.parametrize(("mistake", "codes"), MISTAKES)
def test_each_mistake_is_named_and_mended(api: Api, connection: dict[str, Any], mistake: Any, codes: list[str]) -> None:
    """The finding says what is wrong; the corrected policy has nothing wrong, and lets us in with the ID alone."""
    policy = _policy(api, connection)
    mistake(policy, connection)
    result = _lint(api, connection, policy)

    assert _codes(result) == codes
    assert all(finding["fix"] and finding["whose_fix"] == "customer" for finding in result["findings"])
    corrected = result["corrected_trust_policy"]
    assert _codes(_lint(api, connection, corrected)) == []
    parsed = TrustPolicy.parse(corrected)
    allowed = Request("sts:AssumeRole", ROLE, SESSION, {"sts:ExternalId": connection["external_id"]}, SERVICE)
    assert may_assume(parsed, allowed)
    assert not may_assume(parsed, Request("sts:AssumeRole", ROLE, SESSION, {}, SERVICE))


def test_everyone_with_our_condition_is_told(api: Api, connection: dict[str, Any]) -> None:
    """No probe can see it from outside; here it is seen."""
    policy = _policy(api, connection)
    policy["Statement"][0]["Principal"] = {"AWS": "*"}
    del policy["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalArn"]

    assert _codes(_lint(api, connection, policy)) == ["trusts_everyone"]


def test_statements_of_others_stay(api: Api, connection: dict[str, Any]) -> None:
    """A correction does not take away what the role is used for besides."""
    policy = _policy(api, connection)
    other = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy["Statement"] = [OPEN, other]
    corrected = _lint(api, connection, policy)["corrected_trust_policy"]

    assert corrected["Statement"][1:] == [other]


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"x"', "[" * 5000, '{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', "\x00"]
)
def test_pasted_rubbish_is_a_finding(api: Api, connection: dict[str, Any], text: str) -> None:
    """Whatever is pasted, the answer is 200 with what is wrong and the policy to use instead."""
    result = _lint(api, connection, text)

    assert _codes(result) == ["trust_policy_malformed"]
    assert result["corrected_trust_policy"] == _policy(api, connection)


def test_a_policy_may_be_pasted_as_text(api: Api, connection: dict[str, Any]) -> None:
    """As text or as an object, it is one policy."""
    policy = _policy(api, connection)

    assert _lint(api, connection, json.dumps(policy, indent=4)) == _lint(api, connection, policy)


def test_a_policy_over_the_quota_is_told(api: Api, connection: dict[str, Any]) -> None:
    """IAM counts what is no white space."""
    policy = _policy(api, connection)
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::444455556666:role/some-role-with-a-name-{n}" for n in range(40)]},
            "Action": "sts:AssumeRole",
        }
    )

    assert _codes(_lint(api, connection, policy)) == ["trust_policy_too_long"]


def test_a_policy_that_no_account_stores_is_not_judged(api: Api, connection: dict[str, Any]) -> None:
    """IAM stores 4,096 characters; a thousand statements, each held against all, took half a minute of processor."""
    policy = _policy(api, connection)
    policy["Statement"] += [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}] * 1000
    result = _lint(api, connection, policy)

    assert [(finding["code"], finding["severity"]) for finding in result["findings"]] == [
        ("trust_policy_too_long", "error")
    ]
    assert result["corrected_trust_policy"] == _policy(api, connection)


def test_a_number_no_program_holds_is_corrected_too(api: Api, connection: dict[str, Any]) -> None:
    """A policy of others with a number of five thousand digits is JSON, and no reason to fail."""
    policy = _policy(api, connection)
    policy["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sts:AssumeRole",
            "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "AGE"}},
        }
    )
    del policy["Statement"][0]["Condition"]
    result = _lint(api, connection, json.dumps(policy).replace('"AGE"', "9" * 1000 + "0" * 4000))
    assert "trust_policy_too_long" in _codes(result)
