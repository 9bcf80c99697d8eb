"""AWS's real errors, and what each is to us: a table of texts that AWS's users have reported, with where they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
)

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.meanings import ROWS
from chalicelib.routes.codes import CODES

ERRORS = json.loads((Path(__file__).parent.parent / "cases" / "aws_errors.json").read_text())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error['code']}: {error['message'][:60]}")
def test_an_error_of_aws_is_known_for_what_it_is(error: dict[str, Any]) -> None:
    """Service, code and a phrase of the text decide; what to do, and whether to try again, comes with it."""
    failure = AwsError(
        error["service"], error["operation"], error["http_status"], error["code"], error["message"], "request-1"
    )
    refusal = explain(failure)

    assert (refusal.code, refusal.should_retry, refusal.retry_after) == (
        error["expected"],
        error["should_retry"],
        error["retry_after"],
    )
    assert (refusal.aws_code, refusal.aws_request_id) == (error["code"], "request-1")
    assert refusal.fix
    assert refusal.code in CODES


WHO = "User: arn:aws:sts::222222222222:assumed-role/rolecall/x is not authorized to perform: sts:AssumeRole"
APPLY = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: bedrock:ApplyGuardrail on resource: a"
MORE = [
    pytest.param(
        "sts",
        "AccessDenied",
        f"{WHO} on resource: arn:aws:iam::1:role/x because no identity-based policy allows the sts:AssumeRole action",
        ("operator_may_not_assume", "operator"),
        id="our own role lacks the permission",
    ),
    pytest.param(
        "sts",
        "AccessDenied",
        f"{WHO} on resource: arn:aws:iam::1:role/x with an explicit deny in a service control policy",
        ("operator_may_not_assume", "operator"),
        id="our own organization denies it",
    ),
    pytest.param(
        "sts",
        "AccessDenied",
        f"{WHO} on resource: arn:aws:iam::1:role/x with an explicit deny in a resource control policy",
        ("scp_denied", "customer"),
        id="the customer's organization denies it",
    ),
    pytest.param(
        "sts",
        "AccessDenied",
        f"{WHO} on resource: arn:aws:iam::1:role/x because no resource-based policy allows the sts:AssumeRole action",
        ("assume_role_denied", "customer"),
        id="the trust policy does not let us in",
    ),
    pytest.param(
        "sts",
        "MalformedPolicyDocument",
        "This policy contains invalid Json",
        ("internal_error", "operator"),
        id="a session policy of ours",
    ),
    *(
        pytest.param("bedrock-runtime", code, text, told, id=what)
        for what, code, text, told in (
            (
                "a guardrail that the role may not apply",
                "AccessDeniedException",
                f"{APPLY} because no identity-based policy allows the bedrock:ApplyGuardrail action",
                ("role_permission_denied", "customer"),
            ),
            (
                "a guardrail that somebody denies",
                "AccessDeniedException",
                f"{APPLY} with an explicit deny in an identity-based policy",
                ("explicitly_denied", "customer"),
            ),
            (
                "a guardrail that is none",
                "ValidationException",
                "The provided guardrail identifier is invalid.",
                ("invalid_guardrail", "customer"),
            ),
            (
                "a guardrail without this version",
                "ValidationException",
                "The guardrail identifier or version provided in the request does not exist.",
                ("invalid_guardrail", "customer"),
            ),
            (
                "no guardrail where one is required",
                "AccessDeniedException",
                "Guardrail must be specified for this account: missing guardrailIdentifier",
                ("guardrail_required", "customer"),
            ),
        )
    ),
    pytest.param("bedrock-runtime", "FTUFormNotFilled", "", ("model_use_case_required", "customer"), id="no form"),
    pytest.param("bedrock-runtime", "BadCScoreException", "", ("account_not_authorized", "aws"), id="a bad account"),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "The model returned the following errors: `temperature` and `top_p` cannot both be specified for this model.",
        ("unsupported_parameter", "customer"),
        id="two sampling settings",
    ),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "The model returned the following errors: `temperature` is deprecated for this model.",
        ("unsupported_parameter", "customer"),
        id="a setting that the model has no more",
    ),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        ("unsupported_parameter", "customer"),
        id="a begun answer",
    ),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "This model doesn’t support system messages. Try again without a system message.",
        ("unsupported_parameter", "customer"),
        id="a typographic apostrophe",
    ),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "Input is too long for requested model.",
        ("context_length_exceeded", "customer"),
        id="a long chat",
    ),
    pytest.param(
        "bedrock-runtime",
        "ValidationException",
        "Malformed input request: #: extraneous key [x] is not permitted, please reformat your input and try again.",
        ("invalid_value", "operator"),
        id="a shape that we made wrong",
    ),
    pytest.param("bedrock-runtime", "ConflictException", "", ("conflict", "customer"), id="a conflict"),
    pytest.param("bedrock-runtime", "ServiceQuotaExceededException", "", ("insufficient_quota", "aws"), id="a quota"),
    pytest.param("bedrock-runtime", "ModelNotReadyException", "", ("model_not_ready", "aws"), id="a sleeping model"),
    pytest.param("bedrock-runtime", "modelStreamErrorException", "", ("model_error", "aws"), id="within a stream"),
]


@pytest.mark.parametrize(("service", "aws_code", "text", "expected"), MORE)
def test_whose_change_it_is_follows_from_the_text(
    service: str, aws_code: str, text: str, expected: tuple[str, str]
) -> None:
    """Who can put it right decides what a caller is told: the customer, the operator or AWS."""
    refusal = explain(AwsError(service, "AssumeRole", 400, aws_code, text, ""))

    assert (refusal.code, refusal.whose_fix) == expected


def test_a_model_that_needs_a_profile_is_the_field_at_fault() -> None:
    """The caller sees which field to change."""
    text = "Invocation of model ID a.b with on-demand throughput isn’t supported."
    refusal = explain(AwsError("bedrock-runtime", "Converse", 400, "ValidationException", text, ""))

    assert (refusal.code, refusal.param) == ("inference_profile_required", "model")


def test_what_boto3_raises_is_taken_apart() -> None:
    """STS is called by boto3; its error becomes the same value as the wire's."""
    response: Any = {
        "Error": {"Code": "AccessDenied", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "r-1", "HTTPHeaders": {"retry-after": "5"}},
    }
    failure = AwsError.from_client_error("sts", "AssumeRole", ClientError(response, "AssumeRole"))
    bare: Any = {}

    assert (failure.status, failure.code, failure.message) == (403, "AccessDenied", "no")
    assert (failure.request_id, failure.retry_after) == ("r-1", 5)
    assert AwsError.from_client_error("sts", "AssumeRole", ClientError(bare, "AssumeRole")).code == ""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectTimeoutError(endpoint_url="https://sts"), "timeout"),
        (ReadTimeoutError(endpoint_url="https://sts"), "timeout"),
        (EndpointConnectionError(endpoint_url="https://sts"), "connect"),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), "cut"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_call_of_boto3s_without_an_answer_is_unreachable(error: BotoCoreError, kind: str) -> None:
    """Silence of STS is the same value as Bedrock's."""
    assert Unreachable.from_botocore("sts", "AssumeRole", error).kind == kind


def test_a_text_that_nobody_has_seen_is_not_guessed_at() -> None:
    """An unknown refusal is called that, and carries AWS's code and request id for whoever asks AWS."""
    refusal = explain(AwsError("bedrock", "Converse", 418, "TeapotException", "short and stout", "request-1"))

    assert (refusal.code, refusal.aws_code, refusal.aws_request_id) == ("unrecognised", "TeapotException", "request-1")
    assert "TeapotException: short and stout" in refusal.message


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (413, "body_too_large", False),
        (429, "rate_limit_exceeded", True),
        (500, "upstream_error", True),
        (599, "upstream_error", True),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, code: str, retry: bool) -> None:
    """Busy, broken and too large are told by the status where the code is new."""
    refusal = explain(AwsError("bedrock", "Converse", status, "NewException", "", ""))

    assert (refusal.code, refusal.should_retry) == (code, retry)


def test_the_wait_that_aws_names_is_the_one_we_name() -> None:
    """`try again after 15 minutes` becomes 900 seconds."""
    text = (
        "Model access is denied due to aws-marketplace. If you recently fixed this issue, try again after 15 minutes."
    )
    assert explain(AwsError("bedrock", "Converse", 403, "AccessDeniedException", text, "")).retry_after == 900


def test_a_foreign_text_is_bounded_and_plain() -> None:
    """What AWS, or whoever answers in its place, writes can't fill a log or steer a terminal."""
    message = explain(
        AwsError("bedrock", "Converse", 400, "ValidationException", "\x1b[31m\r\n" + "x" * 9000, "")
    ).message

    assert len(message) < 600
    assert message.isprintable()


@pytest.mark.parametrize(
    ("kind", "code", "retry"),
    [
        ("dns", "upstream_unreachable", True),
        ("connect", "upstream_unreachable", True),
        ("tls", "upstream_unreachable", True),
        ("cut", "upstream_unreachable", True),
        ("timeout", "upstream_timeout", False),
        ("too_large", "upstream_unreachable", False),
    ],
)
def test_no_answer_is_no_refusal(kind: str, code: str, retry: bool) -> None:
    """A far side that did not answer says nothing about roles; a long job is not asked to be run again."""
    refusal = explain(Unreachable("bedrock", "Converse", kind))

    assert (refusal.code, refusal.should_retry, refusal.aws_code) == (code, retry, "")
    assert refusal.fix


def test_every_code_of_the_table_has_its_status() -> None:
    """No row leads to a code that the API can't answer."""
    assert {row.meaning.code for row in ROWS} - set(CODES) == set()


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidSignatureException"])
def test_what_was_signed_is_not_repeated(code: str) -> None:
    """AWS answers a signature that does not fit with the canonical request, in which the session's token stands."""
    text = "The request signature we calculated does not match. The Canonical String was x-amz-security-token:canary"
    refusal = explain(AwsError("bedrock-runtime", "Converse", 403, code, text, "r"))

    assert "canary" not in refusal.message
    assert (refusal.code, refusal.aws_code) == ("invalid_aws_credentials", code)


@pytest.mark.parametrize(
    ("operation", "whose"), [("Converse", "operator"), ("InvokeModel", "customer"), ("CountTokens", "customer")]
)
def test_a_body_of_the_wrong_shape_is_the_fault_of_who_made_it(operation: str, whose: str) -> None:
    """Bodies for Converse are made here; those of Anthropic's Messages are the caller's own words."""
    text = "Malformed input request: #: extraneous key [x] is not permitted, please reformat your input and try again."
    refusal = explain(AwsError("bedrock-runtime", operation, 400, "ValidationException", text, "r"))

    assert (refusal.code, refusal.whose_fix) == ("invalid_value", whose)
