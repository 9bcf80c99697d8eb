"""One JSON line for each record: Lambda's own formatter lives in the runtime client, which may not be there."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

invocation: ContextVar[str] = ContextVar("invocation", default="")
"""Lambda's id of the invocation under way: what its own lines START and REPORT in the same log are found by."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, message, Lambda's id and the record's extra fields; as JSON: nothing adds a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if invocation.get():
            line["lambda_request_id"] = invocation.get()
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line, default=str)


def unexpected(log: logging.Logger, error: Exception, **notes: str) -> None:
    """Write an error that nobody has foreseen by its type and its frames: its text may hold what somebody sent."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("unexpected %s", type(error).__name__, extra={**notes, "frames": frames})


def begin(context: object) -> None:
    """Note whose lines are next: the context is Lambda's, whichever runtime made it, or a local server's."""
    invocation.set(str(getattr(context, "aws_request_id", "")))


def configure(level: str) -> None:
    """Send this program's records of `level` and above to standard error, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("boto3", "botocore", "urllib3"):
        # At DEBUG, botocore.auth writes session tokens and urllib3 writes addresses: never, whatever was asked for.
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
