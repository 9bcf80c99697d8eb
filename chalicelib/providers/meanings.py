"""What providers' refusals mean: one table, read from the top; the first row that fits is taken.

Rows fit by provider, status, code and phrase, in that order of trust. Sources: OpenAI's "Error codes" guide and the
threads named in the rows, Anthropic's "Errors" page, Google's "Troubleshooting guide" of the Gemini API and AIP-193,
Microsoft Learn's "Azure OpenAI REST API reference"; read in 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from chalicelib.errors import WhoseFix
    from chalicelib.providers.base import Verdict


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal is to us: the code, and what it says of the key. `retry`: worth another try of the client's."""

    code: str
    verdict: Verdict
    says: str
    fix: str
    whose_fix: WhoseFix | None = "customer"
    retry: bool = False
    retry_after: int | None = None
    param: str | None = None


class Row(NamedTuple):
    """Which refusals mean this: of one of these providers, with one of the statuses, codes and phrases (empty: any).

    `|` stands between two phrases; they are in small letters.
    """

    providers: str
    statuses: tuple[int, ...]
    codes: str
    phrases: str
    meaning: Meaning


_INVALID: Final = Meaning(
    "provider_key_rejected", "invalid", "It does not take this key.", "Copy the key again, or make a new one."
)
_PERMISSION: Final = Meaning(
    "provider_permission_denied",
    "limited",
    "It knows the key, and does not let it do this.",
    "Give the key the permissions to list models and to chat with them.",
)
_NO_CREDIT: Final = Meaning(
    "insufficient_quota",
    "no_credit",
    "The key's account has no credit or quota left.",
    "Add credit, or raise the limit, in the account's billing settings.",
)
_BUSY: Final = Meaning(
    "rate_limit_exceeded",
    "limited",
    "The key's account has reached its rate limit.",
    "Wait a moment and try again.",
    retry=True,
    retry_after=5,
)
_NO_MODEL: Final = Meaning(
    "model_not_found",
    "unknown",
    "It has no such model for this key.",
    "GET /v1/models with the same key lists what there is.",
    param="model",
)
_TOO_LONG: Final = Meaning(
    "context_length_exceeded",
    "unknown",
    "The chat is longer than the model takes.",
    "Send less text, or use a model with a larger context.",
    param="messages",
)
_OVERLOADED: Final = Meaning(
    "service_unavailable", "unknown", "It is busy.", "Try again.", whose_fix=None, retry=True, retry_after=2
)
_FAILED: Final = Meaning("upstream_error", "unknown", "It failed.", "Try again.", whose_fix=None, retry=True)
_BAD_REQUEST: Final = Meaning(
    "invalid_value", "unknown", "It does not take the request.", "Change the request as the text says."
)
_UNKNOWN: Final = Meaning(
    "unrecognised", "unknown", "This service does not know what that means.", "Try again later.", whose_fix=None
)

ROWS: Final = (
    # Keys that are known and may not. OpenAI has answered 401 to these too: github.com/microsoft/PowerToys/issues/32989
    Row("openai azure", (401, 403), "", "missing scopes|insufficient permissions", _PERMISSION),
    Row("openai azure", (), "insufficient_quota billing_not_active billing_hard_limit_reached", "", _NO_CREDIT),
    # github.com/anthropics/claude-code/issues/66314: a 400, and as text alone.
    Row("anthropic", (), "", "credit balance is too low|reached your specified api usage limits", _NO_CREDIT),
    Row("anthropic", (402,), "", "", _NO_CREDIT),
    # Google answers 400 to a bad key, and 403 to one that it has found published.
    Row("google", (), "API_KEY_INVALID", "", _INVALID),
    Row("google", (400, 401, 403), "", "api key not valid|api key expired|reported as leaked", _INVALID),
    Row("google", (400,), "FAILED_PRECONDITION", "billing", _NO_CREDIT),
    Row("google", (400,), "FAILED_PRECONDITION", "location", _PERMISSION),
    Row("google", (429,), "", "credits are depleted|limit: 0", _NO_CREDIT),
    Row(
        "google",
        (429,),
        "PER_DAY",
        "",
        Meaning(
            "insufficient_quota",
            "limited",
            "The key's project has used up its quota of this day.",
            "Wait until midnight (Pacific time), or raise the quota in the project's billing settings.",
        ),
    ),
    Row(
        "azure",
        (401,),
        "",
        "",
        Meaning(
            "provider_key_rejected",
            "invalid",
            "It does not take this key for this endpoint, and does not say which of the two is wrong.",
            "Copy key and endpoint again, both from the same resource: Azure portal, Keys and Endpoint.",
        ),
    ),
    Row(
        "azure",
        (403,),
        "",
        "",
        Meaning(
            "provider_permission_denied",
            "limited",
            "The resource does not let this service in.",
            "Allow this service's addresses in the resource's network rules, or open it to all networks.",
        ),
    ),
    Row("openai anthropic google azure", (401,), "", "", _INVALID),
    Row("openai anthropic google azure", (403,), "", "", _PERMISSION),
    Row("openai anthropic google azure", (429,), "", "", _BUSY),
    # The request
    Row("openai azure", (), "context_length_exceeded", "", _TOO_LONG),
    Row("anthropic google", (400, 413), "", "prompt is too long|input token count|exceed context limit", _TOO_LONG),
    Row("openai azure", (), "DeploymentNotFound model_not_found", "", _NO_MODEL),
    Row("openai anthropic google azure", (404,), "", "", _NO_MODEL),
    Row(
        "openai azure",
        (400,),
        "unsupported_parameter unsupported_value",
        "",
        Meaning("unsupported_parameter", "unknown", "The model can't do this.", "Leave the field out."),
    ),
    Row(
        "openai anthropic google azure",
        (413,),
        "",
        "",
        Meaning("body_too_large", "unknown", "The request is too large for it.", "Send less."),
    ),
    Row("openai anthropic google azure", (400, 409, 422), "", "", _BAD_REQUEST),
    # Busy and broken
    Row(
        "openai anthropic google azure",
        (408, 504),
        "",
        "",
        # Clients would run a long job again, so they are told not to.
        Meaning("upstream_timeout", "unknown", "It took too long.", "Ask for a shorter answer.", whose_fix=None),
    ),
    Row("anthropic", (), "overloaded_error", "", _OVERLOADED),
    Row("openai anthropic google azure", (503, 529), "", "", _OVERLOADED),
)


def meaning_of(provider: str, status: int, codes: frozenset[str], message: str) -> Meaning:
    """Return what a refusal means; one that no row fits is a failure from 500 on, and honestly unknown below."""
    text = message.lower()
    for row in ROWS:
        if (
            provider in row.providers.split()
            and (not row.statuses or status in row.statuses)
            and (not row.codes or not codes.isdisjoint(row.codes.split()))
            and (not row.phrases or any(phrase in text for phrase in row.phrases.split("|")))
        ):
            return row.meaning
    return _FAILED if status >= 500 else _UNKNOWN
