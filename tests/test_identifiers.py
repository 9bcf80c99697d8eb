"""Foreign names are parsed once: what a person may paste, and what each mistake is answered with."""

from __future__ import annotations

import hashlib
import string

import pytest

from chalicelib.errors import ServiceError
from chalicelib.identifiers import (
    ConnectionId,
    ExternalId,
    ModelId,
    RoleArn,
    parse_account_id,
    parse_model_scope,
    parse_region,
    partition_of,
)

ROLE = "arn:aws:iam::444455556666:role/RolecallAccess"


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        pytest.param(ROLE, RoleArn("aws", "444455556666", "/", "RolecallAccess"), id="a plain role"),
        pytest.param(
            f" \t{ROLE}\r\n", RoleArn("aws", "444455556666", "/", "RolecallAccess"), id="white space around it"
        ),
        pytest.param(
            "arn:aws:iam::444455556666:role/a/b/Name", RoleArn("aws", "444455556666", "/a/b/", "Name"), id="a path"
        ),
        pytest.param(
            "arn:aws-us-gov:iam::444455556666:role/Mixed.Case_+=,.@-",
            RoleArn("aws-us-gov", "444455556666", "/", "Mixed.Case_+=,.@-"),
            id="every character that names may have, case kept",
        ),
        pytest.param(
            f"arn:aws:iam::444455556666:role/{'x' * 64}",
            RoleArn("aws", "444455556666", "/", "x" * 64),
            id="the longest name",
        ),
    ],
)
def test_a_role_arn_is_taken_as_iam_writes_it(pasted: str, expected: RoleArn) -> None:
    """A role's ARN keeps path and case, and comes back as it was."""
    assert RoleArn.parse(pasted) == expected
    assert str(expected) == pasted.strip()


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        pytest.param("", "not_a_role_arn", id="nothing"),
        pytest.param("RolecallAccess", "not_a_role_arn", id="a name alone"),
        pytest.param("arn:aws:iam::444455556666:user/x", "not_a_role_arn", id="a user"),
        pytest.param("arn:aws:iam::444455556666:root", "not_a_role_arn", id="an account"),
        pytest.param("arn:aws:sts::444455556666:assumed-role/r/s", "not_a_role_arn", id="a session"),
        pytest.param("arn:aws:s3:::bucket", "not_a_role_arn", id="a bucket"),
        pytest.param("arn:aws:iam:us-east-1:444455556666:role/x", "not_a_role_arn", id="a region in it"),
        pytest.param("arn:aws:iam::44445555666:role/x", "not_a_role_arn", id="eleven digits"),
        pytest.param("arn:aws:iam::4444555566667:role/x", "not_a_role_arn", id="thirteen digits"),
        pytest.param("arn:aws:iam::4444-5555-6666:role/x", "not_a_role_arn", id="dashes in the account"),
        pytest.param("arn:aws:iam::444455556666:role/", "not_a_role_arn", id="no name"),
        pytest.param(f"arn:aws:iam::444455556666:role/{'x' * 65}", "not_a_role_arn", id="65 characters"),
        pytest.param(f"arn:aws:iam::444455556666:role/{'p' * 511}/x", "not_a_role_arn", id="path over 512"),
        pytest.param("arn:aws:iam::444455556666:role/*", "not_a_role_arn", id="a wildcard"),
        pytest.param("arn:aws:iam::444455556666:role//x", "not_a_role_arn", id="an empty path segment"),
        pytest.param(f"{ROLE}&DurationSeconds=43200", "not_a_role_arn", id="a smuggled parameter"),
        pytest.param("arn%3Aaws%3Aiam::444455556666:role/x", "not_a_role_arn", id="percent-encoded"),
        pytest.param("arn:aws-mars:iam::444455556666:role/x", "not_a_role_arn", id="no such partition"),
        pytest.param(ROLE + "x" * 3000, "not_a_role_arn", id="three thousand characters"),
        pytest.param("arn:aws:iam::444455556666:role/aws-service-role/x/y", "service_linked_role", id="service-linked"),
        pytest.param("YOUR_ROLE_ARN", "placeholder", id="YOUR_ROLE_ARN"),
        pytest.param("arn:aws:iam::<account-id>:role/x", "placeholder", id="angle brackets"),
        pytest.param("arn:aws:iam::123456789012:role/x", "placeholder", id="the account of examples"),
        pytest.param("arn:aws:iam::000000000000:role/x", "placeholder", id="twelve zeros"),
        pytest.param("arn:aws:iam::444455556666:role/YOUR-ROLE<x>", "placeholder", id="a placeholder name"),
        pytest.param("arn:aws:iam::444455556666:role/R\u200bole", "invalid_character", id="a zero-width space"),
        pytest.param("arn:aws:iam::444455556666:role/R\xa0ole", "invalid_character", id="a no-break space"),
        pytest.param("arn:aws:iam::444455556666:role/R\nole", "invalid_character", id="a line break within"),
        pytest.param("“arn:aws:iam::444455556666:role/x”", "invalid_character", id="smart quotes"),
        pytest.param("arn:aws:iam::444455556666:role/Rоle", "invalid_character", id="a Cyrillic o"),
        pytest.param("arn:aws:iam::४४४४५५५५६६६६:role/x", "invalid_character", id="digits of another script"),
        pytest.param("arn:aws:iam::444455556666:role/\ud800", "invalid_character", id="a lone surrogate"),
    ],
)
def test_what_is_not_a_usable_role_is_refused_with_its_own_code(pasted: str, code: str) -> None:
    """Each way in which a pasted text is no usable role has its code, names the field, and says what to do."""
    with pytest.raises(ServiceError) as refused:
        RoleArn.parse(pasted)

    assert refused.value.code == code
    assert refused.value.param == "role_arn"
    assert refused.value.fix


def test_the_strange_character_is_named() -> None:
    """An invisible character can't be seen, so the message says which one it is."""
    with pytest.raises(ServiceError, match=r"ZERO WIDTH SPACE \(U\+200B\)"):
        RoleArn.parse("arn:aws:iam::444455556666:role/R\u200bole")


def test_a_session_arn_is_answered_with_the_role_behind_it() -> None:
    """Who pastes what GetCallerIdentity printed is told the role's own ARN."""
    with pytest.raises(ServiceError, match="arn:aws:iam::444455556666:role/Deployer"):
        RoleArn.parse("arn:aws:sts::444455556666:assumed-role/Deployer/session")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-7", "mx-central-1"])
def test_a_region_of_our_partition_is_taken(region: str) -> None:
    """Regions come from botocore's partition data."""
    assert parse_region(region, "aws") == region


@pytest.mark.parametrize(
    ("region", "code"),
    [
        ("us-east-1.evil.com", "unknown_region"),
        ("us-east-1@evil", "unknown_region"),
        ("US-EAST-1", "unknown_region"),
        (" us-east-1", "unknown_region"),
        ("us-east-1\n", "unknown_region"),
        ("xx-nowhere-9", "unknown_region"),
        ("us-east-99", "unknown_region"),
        ("us-ä-1", "unknown_region"),
        ("", "unknown_region"),
        ("aws-global", "unknown_region"),
        ("cn-north-1", "partition_mismatch"),
        ("us-gov-west-1", "partition_mismatch"),
    ],
)
def test_other_regions_are_refused_before_a_host_name_is_made_of_them(region: str, code: str) -> None:
    """A region becomes part of a host name, so it must be one of a list, not merely look like one."""
    with pytest.raises(ServiceError) as refused:
        parse_region(region, "aws")

    assert (refused.value.code, refused.value.param) == (code, "region")


def test_a_partition_knows_its_host_names() -> None:
    """The DNS suffix of a region comes with its partition."""
    assert (partition_of("eu-west-3").dns_suffix, partition_of("us-gov-east-1").dns_suffix) == (
        "amazonaws.com",
        "amazonaws.com",
    )


@pytest.mark.parametrize("text", ["444455556666", " 444455556666\n", "4444-5555-6666"])
def test_an_account_number_may_have_the_consoles_dashes(text: str) -> None:
    """The console prints 4444-5555-6666; all spellings are one account."""
    assert parse_account_id(text) == "444455556666"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("44445555666", "invalid_account_id"),
        ("4444555566667", "invalid_account_id"),
        ("44-4455556666", "invalid_account_id"),
        ("abcdefghijkl", "invalid_account_id"),
        ("٤٤٤٤٥٥٥٥٦٦٦٦", "invalid_account_id"),
        ("", "invalid_account_id"),
        ("123456789012", "placeholder"),
        ("000000000000", "placeholder"),
    ],
)
def test_what_is_no_account_number_is_refused(text: str, code: str) -> None:
    """Twelve ASCII digits that somebody owns, or nothing."""
    with pytest.raises(ServiceError) as refused:
        parse_account_id(text)

    assert (refused.value.code, refused.value.param) == (code, "account_id")


ACCOUNT = "444455556666"


@pytest.mark.parametrize(
    "text",
    [
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "meta.llama3-70b-instruct-v1:0:8k",
        "zai.glm-4.6",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:444455556666:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1b2c3d4e5f6",
        "arn:aws:bedrock:us-east-1:444455556666:provisioned-model/abc123def456",
        "arn:aws:bedrock:us-east-1:444455556666:imported-model/abc123def456",
        "arn:aws:bedrock:us-east-1:444455556666:custom-model-deployment/abc123def456",
    ],
)
def test_a_model_is_an_id_or_the_arn_of_a_model_or_profile(text: str) -> None:
    """All forms that Converse calls for models and profiles are taken, and kept as they were written."""
    assert str(ModelId.parse(text, region="us-east-1", account_id=ACCOUNT)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../../x",
        "a?b=c",
        "gpt-4o",
        "amazon.nova lite",
        "amazon.nova-lite-v1:0\n",
        "a." + "b" * 2049,
        "amazon.nova-lite-v1%3A0",
        "arn:aws:bedrock:us-east-1:444455556666:prompt/ABCDEFGHIJ:1",
        "arn:aws:bedrock:us-east-1:444455556666:default-prompt-router/anthropic.claude:1",
        "arn:aws:sagemaker:us-east-1:444455556666:endpoint/my-endpoint",
        "arn:aws:bedrock:us-east-1:777788889999:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws-us-gov:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:444455556666:foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1::inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:444455556666:inference-profile/../x",
        "arn:aws:bedrock:us-east-1",
    ],
)
def test_what_bedrock_would_take_but_is_no_model_of_the_customer_is_refused(text: str) -> None:
    """Prompts, routers, endpoints and other accounts', regions' or partitions' resources are never signed for."""
    with pytest.raises(ServiceError) as refused:
        ModelId.parse(text, region="us-east-1", account_id=ACCOUNT)

    assert (refused.value.code, refused.value.param) == ("invalid_model_id", "model")


def test_a_model_scope_names_the_entry_at_fault() -> None:
    """Each id once, in order, also as the list of models has it; an error says which entry it is about."""
    ids = ["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"]
    assert parse_model_scope(ids, region="us-east-1", account_id=None) == tuple(ids[:2])

    listed = [f"bedrock/{model}" for model in ids]
    assert parse_model_scope(listed, region="us-east-1", account_id=None) == tuple(ids[:2])

    with pytest.raises(ServiceError) as refused:
        parse_model_scope([*ids, "../x"], region="us-east-1", account_id=None)
    assert refused.value.param == "models.3"


@pytest.mark.parametrize(
    ("text", "foundation", "is_profile"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", False),
        ("us.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", True),
        ("global.anthropic.claude-x", "anthropic.claude-x", True),
        ("zai.glm-4.6", "zai.glm-4.6", False),
        ("arn:aws:bedrock:us-east-1:444455556666:inference-profile/eu.meta.llama-v1:0", "meta.llama-v1:0", True),
        ("arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1b2c3", None, False),
    ],
)
def test_a_profile_tells_its_foundation_model_by_its_name(text: str, foundation: str | None, is_profile: bool) -> None:
    """AWS's profiles are a geography and a model's id; an application profile's name tells nothing."""
    model = ModelId.parse(text, region="us-east-1", account_id=None)

    assert (model.foundation_model_id, model.is_system_profile) == (foundation, is_profile)


def _counted() -> object:
    counter = iter(range(10**9))
    return lambda size: hashlib.sha256(str(next(counter)).encode()).digest()[:size]


def test_external_ids_are_160_bits_in_an_alphabet_that_needs_no_quoting() -> None:
    """Ten thousand IDs are ten thousand texts of `rolecall-` and 32 characters that sts:ExternalId takes."""
    random_bytes = _counted()
    ids = {str(ExternalId.generate(random_bytes)) for _ in range(10_000)}  # type: ignore[arg-type]

    assert len(ids) == 10_000
    assert {len(text) for text in ids} == {len("rolecall-") + 32}
    assert set("".join(text.removeprefix("rolecall-") for text in ids)) == set(string.ascii_lowercase + "234567")


def test_a_connection_id_is_found_again_and_nothing_else_is_one() -> None:
    """Only text of the exact form is an id; the rest is answered like an unknown connection."""
    made = ConnectionId.generate(lambda size: b"\x07" * size)

    assert ConnectionId.parse(str(made)) == made
    assert made.role_name == "RolecallAccess-" + str(made).removeprefix("conn-")
    for text in (
        "",
        "conn-",
        str(made).upper(),
        str(made) + "a",
        str(made) + "\n",
        "..%2F",
        "conn-" + "1" * 20,
        "\x00",
    ):
        assert ConnectionId.parse(text) is None
