"""What went wrong with an AWS call, as values, and how a caller is told: AWS's words become a code of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from chalicelib.bedrock.meanings import INVALID, MISSHAPEN, meaning_of
from chalicelib.errors import UpstreamRefusal

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.errors import WhoseFix

_LONGEST_TEXT: Final = 500
_CREDENTIALS_REFUSED: Final = frozenset({"expired_credentials", "invalid_aws_credentials"})
_NOT_OF_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,4}", re.ASCII)


class AwsError(Exception):
    """AWS answered no. `status` is HTTP's, `retry_after` its header in seconds; `message` is AWS's text, unbounded.

    `code` and `request_id` go into headers and logs, so they keep nothing but the characters of a name.
    """

    def __init__(
        self,
        service: str,
        operation: str,
        status: int,
        code: str,
        message: str,
        request_id: str,
        *,
        retry_after: int | None = None,
    ) -> None:
        code = _NOT_OF_A_NAME.sub("", code)[:100]
        super().__init__(f"{service} {operation}: {status} {code}")
        self.service = service
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.request_id = _NOT_OF_A_NAME.sub("", request_id)[:100]
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Whether AWS was busy or broken, rather than unwilling."""
        return meaning_of(self.service, self.status, self.code, self.message).passing

    @property
    def of_credentials(self) -> bool:
        """Whether AWS refused what signed the call, rather than the call."""
        return meaning_of(self.service, self.status, self.code, self.message).code in _CREDENTIALS_REFUSED

    @classmethod
    def from_client_error(cls, service: str, operation: str, error: ClientError) -> Self:
        """Return what boto3 made of an answer."""
        response = error.response
        metadata = response.get("ResponseMetadata", {})
        return cls(
            service,
            operation,
            metadata.get("HTTPStatusCode", 0),
            response.get("Error", {}).get("Code", ""),
            response.get("Error", {}).get("Message", ""),
            metadata.get("RequestId", ""),
            retry_after=parse_retry_after(metadata.get("HTTPHeaders", {}).get("retry-after")),
        )


class Unreachable(Exception):  # noqa: N818  a state of the far side
    """AWS did not answer, or not to the end: `kind` is dns, connect, tls, timeout, cut or too_large.

    `begun` says that a part of an answer had come.
    """

    def __init__(self, service: str, operation: str, kind: str, *, begun: bool = False) -> None:
        super().__init__(f"{service} {operation}: {kind}")
        self.service = service
        self.operation = operation
        self.kind = kind
        self.begun = begun

    @property
    def passing(self) -> bool:
        """Whether another try may end otherwise, and does nothing twice that was done already."""
        return not self.begun and self.kind in {"dns", "connect", "cut"}

    @classmethod
    def from_botocore(cls, service: str, operation: str, error: BotoCoreError) -> Self:
        """Return what boto3 made of a call that got no answer."""
        name = type(error).__name__
        kind = "timeout" if "Timeout" in name else "connect" if "Connection" in name else "cut"
        return cls(service, operation, kind)


class AwsRefusal(UpstreamRefusal):
    """A refusal whose cause is AWS's: with AWS's own code and request id, and whether clients should try again."""

    REQUEST_ID_HEADER = "Rolecall-AWS-Request-Id"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str,
        whose_fix: WhoseFix,
        retry_after: int | None,
        should_retry: bool,
        aws_code: str,
        aws_request_id: str,
        param: str | None = None,
    ) -> None:
        super().__init__(code, message, param=param, fix=fix, whose_fix=whose_fix, retry_after=retry_after)
        self.should_retry = should_retry
        self.aws_code = aws_code
        self.aws_request_id = self.request_id = aws_request_id


def parse_retry_after(text: str | None) -> int | None:
    """Return a Retry-After header's seconds, at most an hour; its other form, a date, AWS does not use."""
    return min(int(text), 3600) if text is not None and _SECONDS.fullmatch(text) else None


_IN_THE_CALLERS_WORDS: Final = frozenset({"InvokeModel", "InvokeModelWithResponseStream", "CountTokens"})
_REPEAT_WHAT_WAS_SIGNED: Final = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
_MINUTES: Final = re.compile(r"(?:after|in) (\d{1,3}) minutes?")


def explain(failure: AwsError | Unreachable) -> AwsRefusal:
    """Return what to tell the caller. AWS's text is foreign: bounded, and without control characters."""
    if isinstance(failure, Unreachable):
        return _no_answer(failure)
    meaning = meaning_of(failure.service, failure.status, failure.code, failure.message)
    if meaning is MISSHAPEN and failure.operation in _IN_THE_CALLERS_WORDS:
        meaning = INVALID
    # Of a signature that does not fit AWS repeats what was signed, a session's token included.
    text = "" if failure.code in _REPEAT_WHAT_WAS_SIGNED else cleaned(failure.message)
    said = f"{failure.code or failure.status}: {text}" if text else failure.code or f"HTTP {failure.status}"
    minutes = _MINUTES.search(text)
    return AwsRefusal(
        meaning.code,
        f"AWS answered {said}",
        fix=meaning.fix,
        whose_fix=meaning.whose_fix,
        retry_after=int(minutes[1]) * 60 if minutes else failure.retry_after or meaning.retry_after,
        should_retry=meaning.retry,
        aws_code=failure.code,
        aws_request_id=failure.request_id,
        param=meaning.param,
    )


_WHY_NO_ANSWER: Final = {
    "dns": "The host name does not resolve: the region may have no {service}, or the network no name server.",
    "connect": "Nobody took the connection: the region may have no {service}, or the network may not lead there.",
    "tls": "Someone answered who could not prove to be AWS: look for a proxy that opens TLS on the way.",
    "timeout": "Ask for less, for example with a smaller max_tokens.",
    "cut": "Try again.",
    "too_large": "Ask for less: the answer was larger than this service takes.",
}


def _no_answer(failure: Unreachable) -> AwsRefusal:
    # A long job that timed out would be run again, and an answer that is too large would be as large again.
    timed_out = failure.kind == "timeout"
    again = not timed_out and failure.kind != "too_large"
    return AwsRefusal(
        "upstream_timeout" if timed_out else "upstream_unreachable",
        f"{failure.service} did not answer {failure.operation} ({failure.kind}).",
        fix=_WHY_NO_ANSWER[failure.kind].format(service=failure.service),
        whose_fix="operator" if failure.kind == "tls" else "aws",
        retry_after=2 if again else None,
        should_retry=again,
        aws_code="",
        aws_request_id="",
    )


def cleaned(text: str) -> str:
    """Return a text of AWS's for a message: bounded, and without control characters."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_TEXT])
