"""The one tree of errors. It knows codes and words, and no HTTP: `routes/codes.py` gives each code its status."""

from __future__ import annotations

from typing import ClassVar, Literal

WhoseFix = Literal["customer", "operator", "aws"]


class ServiceError(Exception):
    """A refusal that the caller is told about.

    `code` is stable and stands in `routes/codes.py`; `message` says what is wrong and never holds a secret; `fix` says
    what to do next; `param` names the field at fault, as the caller wrote it; `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        fix: str | None = None,
        whose_fix: WhoseFix | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.fix = fix
        self.whose_fix = whose_fix
        self.retry_after = retry_after


class UpstreamRefusal(ServiceError):  # noqa: N818  what it is
    """A refusal whose cause is another company's: `should_retry` says whether clients should try again.

    `request_id` is theirs, and `REQUEST_ID_HEADER` the header of our answer that carries it.
    """

    REQUEST_ID_HEADER: ClassVar[str]
    should_retry: bool
    request_id: str
