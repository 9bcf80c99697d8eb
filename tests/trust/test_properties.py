"""What must always hold of the evaluator, on policies that nobody thought of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.trust import Decision, MalformedPolicyError, PermissionsPolicy, Request, TrustPolicy, decide

OURS = "arn:aws:sts::222222222222:assumed-role/onboarder/run1"
ROLE = "arn:aws:iam::111111111111:role/BedrockAccess"

TEXTS = st.sampled_from(["a", "A", "ab", "a*", "*", "a?", "${aws:username}", "${aws:PrincipalAccount}", "222222222222"])
KEYS = st.sampled_from(["sts:ExternalId", "aws:SourceIp", "aws:username", "aws:TagKeys", "aws:PrincipalArn"])
BASES = st.sampled_from(
    [
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "ArnLike",
        "ArnNotEquals",
        "NumericNotEquals",
        "DateNotEquals",
        "Bool",
        "NumericLessThan",
        "DateLessThan",
        "IpAddress",
        "NotIpAddress",
        "BinaryEquals",
    ]
)
OPERATORS = st.one_of(
    st.just("Null"),
    st.builds(
        lambda quantifier, base, if_exists: f"{quantifier}{base}{if_exists}",
        st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
        BASES,
        st.sampled_from(["", "IfExists"]),
    ),
)
CONDITIONS = st.dictionaries(
    OPERATORS, st.dictionaries(KEYS, st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=2), max_size=2
)
PRINCIPALS = st.sampled_from(
    [
        "*",
        {"AWS": "*"},
        {"AWS": "arn:aws:iam::222222222222:root"},
        {"AWS": "arn:aws:iam::222222222222:role/onboarder"},
        {"AWS": OURS},
        {"AWS": "333333333333"},
        {"Service": "lambda.amazonaws.com"},
    ]
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": PRINCIPALS,
        "Action": st.sampled_from(["sts:AssumeRole", "sts:*", "sts:Assume*", "sts:TagSession"]),
        "Condition": CONDITIONS,
    }
)
POLICIES = st.lists(STATEMENTS, min_size=1, max_size=4)
CONTEXTS = st.dictionaries(KEYS, st.one_of(TEXTS, st.lists(TEXTS, max_size=2)), max_size=4)


def _decide(statements: list[dict[str, Any]], context: dict[str, Any]) -> Decision:
    policy = TrustPolicy.parse({"Version": "2012-10-17", "Statement": statements})
    return decide([policy], Request("sts:AssumeRole", ROLE, OURS, context))


@settings(max_examples=200, deadline=None)
@given(POLICIES, CONTEXTS, STATEMENTS)
def test_adding_a_deny_never_lets_more_in(
    statements: list[dict[str, Any]], context: dict[str, Any], more: dict[str, Any]
) -> None:
    """Who was kept out stays out when a Deny is added."""
    before = _decide(statements, context)
    after = _decide([*statements, {**more, "Effect": "Deny"}], context)

    assert after is not Decision.ALLOWED or before is Decision.ALLOWED


@settings(max_examples=200, deadline=None)
@given(POLICIES, CONTEXTS, STATEMENTS)
def test_adding_an_allow_never_keeps_more_out(
    statements: list[dict[str, Any]], context: dict[str, Any], more: dict[str, Any]
) -> None:
    """Who was let in stays in when an Allow is added."""
    if _decide(statements, context) is Decision.ALLOWED:
        assert _decide([*statements, {**more, "Effect": "Allow"}], context) is Decision.ALLOWED


@settings(max_examples=200, deadline=None)
@given(POLICIES, CONTEXTS)
def test_an_explicit_deny_wins(statements: list[dict[str, Any]], context: dict[str, Any]) -> None:
    """Whatever else is allowed, a Deny for everyone without a condition is the end."""
    everyone = {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}

    assert _decide([*statements, everyone], context) is Decision.EXPLICIT_DENY


@settings(max_examples=200, deadline=None)
@given(POLICIES, CONTEXTS, st.randoms())
def test_the_order_of_statements_is_irrelevant(
    statements: list[dict[str, Any]], context: dict[str, Any], random: Any
) -> None:
    """A policy is a set."""
    shuffled = list(statements)
    random.shuffle(shuffled)

    assert _decide(shuffled, context) is _decide(statements, context)


@settings(max_examples=200, deadline=None)
@given(TEXTS, CONTEXTS)
def test_a_missing_key_never_satisfies_string_equals(text: str, context: dict[str, Any]) -> None:
    """No external ID is no match, whatever the policy compares it with."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "sts:*",
        "Condition": {"StringEquals": {"sts:ExternalId": text}},
    }
    context.pop("sts:ExternalId", None)

    assert _decide([statement], context) is Decision.IMPLICIT_DENY


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, CONTEXTS)
def test_fewer_conditions_let_no_fewer_in(condition: dict[str, Any], context: dict[str, Any]) -> None:
    """Conditions are joined by AND: an Allow without one of them allows at least as much."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}
    whole = _decide([{**allow, "Condition": condition}], context)
    for operator in condition:
        rest = {name: keys for name, keys in condition.items() if name != operator}
        if whole is Decision.ALLOWED:
            assert _decide([{**allow, "Condition": rest}], context) is Decision.ALLOWED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        JSON.map(json.dumps),
        st.text(max_size=60),
        st.fixed_dictionaries({"Version": JSON, "Statement": JSON}),
        st.builds(
            lambda base, name, value: {"Version": "2012-10-17", "Statement": [{**base, name: value}]},
            STATEMENTS,
            st.sampled_from(
                ["Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition", "Sid", "Resource"]
            ),
            JSON,
        ),
    )
)
def test_whatever_is_pasted_is_judged_or_refused(document: Any) -> None:
    """A document is refused as malformed, or gives a decision; nothing else comes of it."""
    for kind in (TrustPolicy, PermissionsPolicy):
        try:
            policy = kind.parse(document)
        except MalformedPolicyError:
            continue
        assert decide([policy], Request("sts:AssumeRole", ROLE, OURS)) in Decision


def test_a_policy_of_a_megabyte_of_brackets_is_refused() -> None:
    """Depth runs nobody out of stack."""
    for text in ("[" * 1_000_000, '{"a":' * 100_000):
        try:
            TrustPolicy.parse(text)
        except MalformedPolicyError:
            continue
        raise AssertionError("a broken text was taken for a policy")
