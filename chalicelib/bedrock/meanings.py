"""What AWS's refusals mean: one table, read from the top; the first row that fits is taken.

Rows fit by service, code and phrases of the text: phrases, never whole sentences, because AWS rewords them, and one of
them holds a typographic apostrophe. Sources: reports of AWS's users (the threads stand in tests/cases/aws_errors.json)
and the statuses of the service models.
"""

from __future__ import annotations

from typing import Final

from chalicelib.bedrock.refusals import ORGANIZATION, OURS, Meaning, Row
from chalicelib.bedrock.sts_meanings import STS_ROWS

_WAIT = "Wait a moment and try again; the quota is that of the customer's AWS account."
_MODELS = "GET /v1/models lists what this role can call in its region."
THROTTLED = Meaning("rate_limit_exceeded", "aws", _WAIT, retry=True, passing=True, retry_after=2)
TOO_LARGE = Meaning("body_too_large", "customer", "Send less.")
_KEYS = Meaning(
    "invalid_aws_credentials", "customer", "Check access key, secret, session token and the clock: they must fit."
)
_UNABLE = (
    "doesn't support|doesn\N{RIGHT SINGLE QUOTATION MARK}t support|does not support|not supported|unsupported"
    "|deprecated for this model|cannot both be specified"
)
_TOO_LONG = (
    "too long|too many tokens|too many input tokens|input tokens exceeded|too many total text bytes|maxlength"
    "|exceeds the maximum|exceed context limit|maximum context length"
)
_MISSHAPEN = (
    "toolconfig field must be defined|expected toolresult|must alternate|must start with a user"
    "|malformed input request|extraneous key"
)
_USE_CASE = Meaning(
    "model_use_case_required",
    "customer",
    "Fill in Anthropic's use case form in the Bedrock console, once for the account.",
    retry_after=900,
)

MISSHAPEN: Final = Meaning("invalid_value", "operator", OURS)
"""A body of the wrong shape: those for Converse are made here, never by the caller."""
INVALID: Final = Meaning("invalid_value", "customer", "Change the request as the text says.")

ROWS: Final = (
    *STS_ROWS,
    # Keys and sessions
    Row(
        "ExpiredTokenException ExpiredToken RequestExpired",
        (),
        Meaning("expired_credentials", "customer", "Call again with fresh credentials.", retry=True),
    ),
    Row("UnrecognizedClientException InvalidClientTokenId", (), _KEYS),
    Row(
        "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature IncompleteSignatureException"
        " MissingAuthenticationToken MissingAuthenticationTokenException",
        (),
        _KEYS,
    ),
    # Access to models
    Row("AccessDeniedException AccessDenied", ("service control policy|resource control policy",), ORGANIZATION),
    Row(
        "AccessDeniedException",
        ("marketplace",),
        Meaning(
            "model_subscription_required",
            "customer",
            "An administrator of the account must subscribe to the model once: policies/marketplace-policy.json.",
            retry_after=120,
        ),
    ),
    Row(
        "AccessDeniedException",
        ("invalid_payment_instrument",),
        Meaning("model_subscription_required", "customer", "Add a valid payment method to the AWS account."),
    ),
    Row("FTUFormNotFilled", (), _USE_CASE),
    Row("AccessDeniedException ResourceNotFoundException ValidationException", ("use case|use-case",), _USE_CASE),
    Row(
        "AccessDeniedException ValidationException",
        ("guardrail", "must be specified|missing|require"),
        Meaning("guardrail_required", "customer", "Give the connection the guardrail that the account requires."),
    ),
    Row(
        "ValidationException",
        ("guardrail identifier",),
        Meaning(
            "invalid_guardrail",
            "customer",
            "Check identifier and version of the guardrail, the connection's or that of bedrock.guardrailConfig: it"
            " must be one of this region and account.",
        ),
    ),
    Row(
        "AccessDeniedException AccessDenied",
        ("not authorized to perform", "permissions boundary"),
        Meaning(
            "permissions_boundary_denied",
            "customer",
            "The role's permissions boundary leaves Bedrock out: add this connection's permissions to the boundary too,"
            " or take the boundary off the role.",
        ),
    ),
    Row(
        "AccessDeniedException AccessDenied",
        ("not authorized to perform", "explicit deny"),
        Meaning(
            "explicitly_denied",
            "customer",
            "A statement of one of the role's policies denies this call, whatever another allows: take the call out of"
            " that statement.",
        ),
    ),
    Row(
        "AccessDeniedException AccessDenied",
        ("not authorized to perform", "bedrock:applyguardrail"),
        Meaning(
            "role_permission_denied",
            "customer",
            "Attach this connection's permissions policy to the role; it lets the connection's own guardrail be applied"
            " and no other.",
        ),
    ),
    Row(
        "AccessDeniedException AccessDenied",
        ("not authorized to perform",),
        Meaning(
            "role_permission_denied",
            "customer",
            "Attach this connection's permissions policy to the role. A profile needs the permission on the profile and"
            " on its model in every region that it leads to.",
        ),
    ),
    Row(
        "AccessDeniedException",
        ("access to the model",),
        Meaning("model_access_denied", "customer", "Enable access to the model in this region of the account."),
    ),
    Row("BadCScoreException", (), Meaning("account_not_authorized", "aws", "Ask AWS support about the account.")),
    Row(
        "AccessDeniedException AccessDenied",
        (),
        Meaning("model_access_denied", "customer", "Check the account's access to this model in this region."),
    ),
    # The request
    Row(
        "ValidationException",
        ("on-demand throughput",),
        Meaning(
            "inference_profile_required",
            "customer",
            f"Call the model through an inference profile. {_MODELS}",
            param="model",
        ),
    ),
    Row(
        "ValidationException",
        ("model identifier|at 'modelid' failed",),
        Meaning("model_not_found", "customer", _MODELS),
    ),
    Row(
        "ValidationException",
        (_TOO_LONG,),
        Meaning("context_length_exceeded", "customer", "Send less text, or use a model with a larger context."),
    ),
    Row(
        "ValidationException",
        ("data retention|operation not allowed|unsupported countries",),
        Meaning("model_access_denied", "customer", "Check the account's settings."),
    ),
    Row(
        "ValidationException",
        ("account is not authorized",),
        Meaning("account_not_authorized", "aws", "Ask AWS support about the account."),
    ),
    Row(
        "ValidationException",
        (_UNABLE,),
        Meaning("unsupported_parameter", "customer", "Use a model that can do this, or leave it out."),
    ),
    Row("ValidationException", (_MISSHAPEN,), MISSHAPEN),
    Row("ValidationException", (), INVALID),
    Row(
        "ResourceNotFoundException",
        ("end of its life",),
        Meaning("model_end_of_life", "customer", f"Use a newer model. {_MODELS}"),
    ),
    Row(
        "ResourceNotFoundException",
        ("legacy",),
        Meaning("model_legacy", "customer", f"Use a newer model. {_MODELS}"),
    ),
    Row("ResourceNotFoundException", (), Meaning("model_not_found", "customer", _MODELS)),
    Row("ConflictException", (), Meaning("conflict", "customer", "Change the request as the text says.")),
    Row("RequestEntityTooLargeException", (), TOO_LARGE),
    # Busy and broken
    Row(
        "ThrottlingException Throttling",
        ("per day",),
        Meaning("daily_token_quota_exceeded", "aws", "The account's daily quota is used up; ask AWS to raise it."),
    ),
    Row("ThrottlingException Throttling TooManyRequestsException RequestLimitExceeded", (), THROTTLED),
    Row(
        "ServiceQuotaExceededException",
        (),
        Meaning("insufficient_quota", "aws", "Ask AWS to raise the account's quota."),
    ),
    Row(
        "ModelNotReadyException",
        (),
        Meaning(
            "model_not_ready", "aws", "The model is being loaded; try again.", retry=True, passing=True, retry_after=10
        ),
    ),
    # Clients would run a long job again, so they are told not to.
    Row("ModelTimeoutException", (), Meaning("model_timeout", "aws", "Ask for a shorter answer.")),
    Row("ModelErrorException ModelStreamErrorException", (), Meaning("model_error", "aws", "Try again.", retry=True)),
    Row(
        "InternalServerException InternalFailure InternalServerError",
        (),
        Meaning("upstream_error", "aws", "Try again.", retry=True, passing=True),
    ),
    Row(
        "ServiceUnavailableException ServiceUnavailable",
        (),
        Meaning("service_unavailable", "aws", "Try again.", retry=True, passing=True, retry_after=2),
    ),
)
UNKNOWN: Final = Meaning("unrecognised", "aws", "Tell AWS support the request id.")
FAILED: Final = Meaning("upstream_error", "aws", "Try again.", retry=True, passing=True)


def meaning_of(service: str, status: int, code: str, message: str) -> Meaning:
    """Return what a refusal means; a code that no row has is judged by its status, and honestly unknown below 500."""
    text = message.lower()
    if status == 400 and not code and message and service.startswith("bedrock"):
        # A proxy on the way may take the header that names the exception; what is wrong with a request it still says.
        code = "ValidationException"
    # In a stream, exceptions are named in lower camel case.
    code = code[:1].upper() + code[1:]
    for row in ROWS:
        if row.fits(service, code, text):
            return row.meaning
    if status == 429:
        return THROTTLED
    if status == 413:
        return TOO_LARGE
    return FAILED if status >= 500 else UNKNOWN
