"""What a provider answered instead of what was asked, as a value, and how a caller is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable, parse_retry_after
from chalicelib.bedrock.signing import LEFT_OUT
from chalicelib.errors import UpstreamRefusal
from chalicelib.providers.base import KeyCheck
from chalicelib.providers.foreign import rows, text
from chalicelib.providers.meanings import Meaning, meaning_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chalicelib.errors import WhoseFix
    from chalicelib.providers.base import ProviderModel
    from chalicelib.providers.outgoing import Received

_LONGEST_TEXT: Final = 400
_LOOKED_AT: Final = 2000
"""Characters of a text that are read to show 400 of it: a key that begins in those ends in these."""
_REQUEST_ID: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_REQUEST_IDS: Final = ("x-request-id", "request-id", "apim-request-id", "x-ms-request-id")
_LIKE_A_KEY: Final = re.compile(r"(?<!\S)\S*\*{2,}\S*|(?:sk-|AIza|AQ\.|AKIA|ASIA|ABSK|bedrock-api-key-)\S+", re.ASCII)
"""Providers repeat keys with stars in their middle; what is left of them is still a part of a secret."""
_DELAY: Final = re.compile(r"([0-9]{1,4})(\.[0-9]{1,9})?s", re.ASCII)
NAMES: Final = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "google": "Google",
    "azure": "Azure OpenAI",
    "bedrock": "Amazon Bedrock",
}


class ProviderError(Exception):
    """A provider answered no. `codes` are all that it calls the error; `message` its text, cleaned and bounded."""

    def __init__(
        self,
        provider: str,
        status: int,
        codes: frozenset[str],
        message: str,
        *,
        request_id: str = "",
        retry_after: int | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(f"{provider}: {status}")
        self.provider = provider
        self.status = status
        self.codes = codes
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after
        self.param = param

    @property
    def meaning(self) -> Meaning:
        """What it means to us."""
        return meaning_of(self.provider, self.status, self.codes, self.message)


class ProviderRefusal(UpstreamRefusal):
    """A refusal whose cause is a provider's: with its request id, and whether clients should try again."""

    REQUEST_ID_HEADER = "Rolecall-Provider-Request-Id"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str,
        whose_fix: WhoseFix | None,
        retry_after: int | None,
        should_retry: bool,
        request_id: str = "",
        param: str | None = None,
    ) -> None:
        super().__init__(code, message, param=param, fix=fix, whose_fix=whose_fix, retry_after=retry_after)
        self.should_retry = should_retry
        self.request_id = request_id


def error_of(provider: str, received: Received, secret: str) -> ProviderError:
    """Return the error of an answer with an error's status; `secret` is left out of it wherever it is repeated."""
    return read_error(
        provider,
        received.status,
        replace(received, octets=received.octets.replace(secret.encode(), LEFT_OUT.encode())).document,
        request_id=request_id_of(received.headers),
        retry_after=parse_retry_after(received.headers.get("retry-after")),
    )


def read_error(
    provider: str, status: int, document: object, *, request_id: str = "", retry_after: int | None = None
) -> ProviderError:
    """Return what an error document says. Google's OpenAI surface puts it into a list, OpenAI once put only a text."""
    if isinstance(document, list) and document:
        document = document[0]
    body = document.get("error") if isinstance(document, dict) else None
    if isinstance(body, str):
        body = {"message": body}
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    codes = {str(fields[name]) for name in ("code", "type", "status") if isinstance(fields.get(name), (str, int))}
    details = rows(fields, "details")
    codes |= {text(detail, "reason") for detail in details} - {""}
    codes |= {"PER_DAY" for detail in details for broken in rows(detail, "violations") if _is_of_a_day(broken)}
    message, param = fields.get("message"), fields.get("param")
    return ProviderError(
        provider,
        status,
        frozenset(codes),
        clean(message) if isinstance(message, str) else "",
        request_id=request_id,
        retry_after=_retry_after(details) if retry_after is None else retry_after,
        param=clean(param)[:100] if isinstance(param, str) else None,
    )


def _retry_after(details: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the seconds of a google.rpc.RetryInfo, rounded up: Google says them there and in no header."""
    found = (_DELAY.fullmatch(text(detail, "retryDelay")) for detail in details)
    return next((int(delay[1]) + bool(delay[2]) for delay in found if delay is not None), None)


def _is_of_a_day(violation: Mapping[str, Any]) -> bool:
    """Whether a google.rpc.QuotaFailure is of a day's quota, as GenerateRequestsPerDayPerProjectPerModel is."""
    return "PerDay" in text(violation, "quotaId")


def clean(said: str) -> str:
    """Return foreign text for a message: bounded, printable, and without anything that looks like a part of a key."""
    # Cut first: to look for stars in one word of 40,000 letters, repeated out of what a caller sent, took five seconds.
    printable = "".join(character if character.isprintable() else " " for character in said[:_LOOKED_AT])
    return _LIKE_A_KEY.sub(LEFT_OUT, printable)[:_LONGEST_TEXT]


def failed(failure: ProviderError | Unreachable) -> KeyCheck:
    """Return what a failure says of a key: only a provider that refuses the key itself makes it invalid."""
    verdict = "unreachable" if isinstance(failure, Unreachable) else failure.meaning.verdict
    return KeyCheck(verdict, (), explain(failure))


def probed(models: Sequence[ProviderModel], probe: Callable[[], object]) -> KeyCheck:
    """Return what a key that could list is good for, by one call more.

    It has just been shown to be a key, so it is at worst limited; what else a model may have against the call, and a
    call that gets no answer in time, say nothing of the key.
    """
    try:
        probe()
    except ProviderError as failure:
        if failure.meaning.verdict == "no_credit":
            return KeyCheck("no_credit", models, explain(failure))
        if failure.meaning.verdict in {"limited", "invalid"}:
            return KeyCheck("limited", models, explain(failure))
    except Unreachable:
        pass
    return KeyCheck("valid", models)


_WHY_NO_ANSWER: Final = {
    "dns": "Its host name does not resolve: check the name, or the network's name server.",
    "connect": "Nobody took the connection: check the network's way out, and a proxy if there is one.",
    "tls": "Someone answered who could not prove to be the provider: look for a proxy that opens TLS on the way.",
    "timeout": "Ask for less, for example with a smaller max_tokens.",
    "cut": "Try again.",
    "too_large": "Ask for less: the answer was larger than this service takes.",
    "redirect": "The provider sent us elsewhere, where no key is taken to.",
}


def explain(failure: ProviderError | Unreachable) -> ProviderRefusal:
    """Return what to tell the caller."""
    if isinstance(failure, Unreachable):
        return _no_answer(failure)
    meaning = failure.meaning
    name = NAMES[failure.provider]
    # Of a key that was refused, providers repeat parts: their words are left out there altogether.
    said = "" if meaning.code == "provider_key_rejected" else f" It says: {failure.message}" if failure.message else ""
    return ProviderRefusal(
        meaning.code,
        f"{name} answered {failure.status}. {meaning.says}{said}".strip(),
        fix=meaning.fix,
        whose_fix=meaning.whose_fix,
        retry_after=failure.retry_after if failure.retry_after is not None else meaning.retry_after,
        should_retry=meaning.retry,
        request_id=failure.request_id,
        param=failure.param if meaning.code in {"invalid_value", "unsupported_parameter"} else meaning.param,
    )


def _no_answer(failure: Unreachable) -> ProviderRefusal:
    timed_out = failure.kind == "timeout"
    again = failure.kind in {"dns", "connect", "cut"}
    return ProviderRefusal(
        "upstream_timeout" if timed_out else "upstream_unreachable",
        f"{NAMES[failure.service]} did not answer {failure.operation} ({failure.kind}).",
        fix=_WHY_NO_ANSWER[failure.kind],
        whose_fix="operator" if failure.kind == "tls" else None,
        retry_after=2 if again else None,
        should_retry=again,
    )


def ended_early(provider: str) -> ProviderRefusal:
    """Return what is said of an answer that is not whole: half of one never looks like all of it."""
    return _no_answer_in_it(f"{NAMES[provider]}'s answer ended before it was complete.")


def broken_off(provider: str, reason: str) -> ProviderRefusal:
    """Return what is said of an answer whose model gave it up, for a reason of the provider's own."""
    return _no_answer_in_it(f"{NAMES[provider]} ended the answer with {clean(reason)[:100]}.")


def _no_answer_in_it(message: str) -> ProviderRefusal:
    return ProviderRefusal(
        "upstream_error",
        message,
        fix="Try again.",
        whose_fix=None,
        retry_after=None,
        should_retry=True,
    )


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return the provider's id of a request, or nothing where it has none that can stand in a header."""
    found = next((headers[name] for name in _REQUEST_IDS if name in headers), "")
    return found if _REQUEST_ID.fullmatch(found) else ""
