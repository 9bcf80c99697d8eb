"""What went wrong with an AWS call, as values, and how a caller is told: AWS's words become a code of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from chalicelib.bedrock.meanings import meaning_of
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.errors import WhoseFix

_LONGEST_TEXT: Final = 500


class AwsError(Exception):
    """AWS answered no. `status` is HTTP's; `passing` says that another try may end otherwise."""

    def __init__(self, service: str, operation: str, status: int, code: str, message: str, request_id: str) -> None:
        super().__init__(f"{service} {operation}: {status} {code}")
        self.service = service
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id

    @property
    def passing(self) -> bool:
        """Whether AWS was busy or broken, rather than unwilling."""
        return meaning_of(self.service, self.status, self.code, self.message).passing

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
        )


class Unreachable(Exception):  # noqa: N818  a state of the far side
    """AWS did not answer, or not to the end: `kind` is dns, connect, tls, timeout, cut or too_large."""

    passing = True

    def __init__(self, service: str, operation: str, kind: str) -> None:
        super().__init__(f"{service} {operation}: {kind}")
        self.service = service
        self.operation = operation
        self.kind = kind

    @classmethod
    def from_botocore(cls, service: str, operation: str, error: BotoCoreError) -> Self:
        """Return what boto3 made of a call that got no answer."""
        name = type(error).__name__
        kind = "timeout" if "Timeout" in name else "connect" if "Connection" in name else "cut"
        return cls(service, operation, kind)


class AwsRefusal(ServiceError):  # noqa: N818  what it is
    """A refusal whose cause is AWS's: with AWS's own code and request id, and whether clients should try again."""

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
    ) -> None:
        super().__init__(code, message, fix=fix, whose_fix=whose_fix, retry_after=retry_after)
        self.should_retry = should_retry
        self.aws_code = aws_code
        self.aws_request_id = aws_request_id


_MINUTES: Final = re.compile(r"(?:after|in) (\d{1,3}) minutes?")


def explain(failure: AwsError | Unreachable) -> AwsRefusal:
    """Return what to tell the caller. AWS's text is foreign: bounded, and without control characters."""
    if isinstance(failure, Unreachable):
        return _no_answer(failure)
    meaning = meaning_of(failure.service, failure.status, failure.code, failure.message)
    text = _clean(failure.message)
    said = f"{failure.code or failure.status}: {text}" if text else failure.code or f"HTTP {failure.status}"
    minutes = _MINUTES.search(text)
    return AwsRefusal(
        meaning.code,
        f"AWS answered {said}",
        fix=meaning.fix,
        whose_fix=meaning.whose_fix,
        retry_after=int(minutes[1]) * 60 if minutes else meaning.retry_after,
        should_retry=meaning.retry,
        aws_code=failure.code,
        aws_request_id=failure.request_id,
    )


def _no_answer(failure: Unreachable) -> AwsRefusal:
    timed_out = failure.kind == "timeout"
    return AwsRefusal(
        "upstream_timeout" if timed_out else "upstream_unreachable",
        f"{failure.service} did not answer {failure.operation} ({failure.kind}).",
        fix="Try again. If it lasts, the region may have no Bedrock, or the network may not lead there.",
        whose_fix="aws",
        retry_after=2,
        should_retry=not timed_out,
        aws_code="",
        aws_request_id="",
    )


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:_LONGEST_TEXT]
