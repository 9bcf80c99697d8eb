"""The loop between Lambda and the app, in place of the managed runtime's own, because that one can't stream.

`AWS_LAMBDA_EXEC_WRAPPER=/var/task/rolecall-runtime` switches it on (`vendor/rolecall-runtime`). It does what the
managed runtime does, for both of our functions:

1. Load the handler that `_HANDLER` names. What goes wrong there is told as an init error, and the process ends.
2. Ask for the next event, for as long as it takes: Lambda freezes the process meanwhile.
3. Call the handler, and post its answer as JSON; on a route of `STREAM_ROUTES` post it in the streaming form, piece
   by piece as the handler makes it.
4. A handler that fails gets an error posted; one that fails in the middle of a stream ends it with trailers.

Sources: the Lambda guide, "Using the Lambda runtime API" and "Response streaming in a custom runtime"; awslambdaric 4.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from chalicelib import logs
from chalicelib.runtime_api import RuntimeApi, RuntimeApiError, as_json, describe
from chalicelib.streaming import is_streamed, pieces, prelude

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from email.message import Message

log = logging.getLogger("rolecall.runtime")


class Context:
    """What a handler may know of its invocation: the managed runtime's names, and that answers are passed on."""

    can_stream = True

    def __init__(self, headers: Message, environ: Mapping[str, str]) -> None:
        self.aws_request_id: str = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn: str | None = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        identity = _object(headers["Lambda-Runtime-Cognito-Identity"]) or {}
        self.identity = SimpleNamespace(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )
        client = _object(headers["Lambda-Runtime-Client-Context"])
        self.client_context = None if client is None else SimpleNamespace(**{"custom": None, "env": None, **client})
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Return how long Lambda lets this invocation go on, in milliseconds."""
        return max(0, self._deadline - int(time.time() * 1000))


def _object(text: str | None) -> dict[str, Any] | None:
    """Return the JSON object of a header; raises ValueError for any other text."""
    if not text:
        return None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  as json.loads raises
    return value


class Loop:
    """Steps 1 to 4 above."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._api = RuntimeApi(environ["AWS_LAMBDA_RUNTIME_API"])
        self._waiting = False
        self._stopping = False

    def run(self) -> int:
        """Serve until Lambda ends the process; returns its exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        try:
            handler = _load(self._environ["_HANDLER"])
        except Exception as error:  # noqa: BLE001  whatever it is, Lambda is told
            self._api.fail_init(_describe_init(error))
            return 1
        while not self._stopping:
            self._waiting = True
            event, payload = self._api.next()
            self._waiting = False
            self._serve(handler, event, payload)
        return 0

    def _serve(self, handler: Callable[[Any, Context], Any], event: Message, payload: bytes) -> None:
        logs.invocation.set(event["Lambda-Runtime-Aws-Request-Id"])
        self._note_trace(event["Lambda-Runtime-Trace-Id"])
        try:
            request = json.loads(payload)
            answer = handler(request, Context(event, self._environ))
            streamed = is_streamed(request)
            octets = prelude(answer) if streamed else as_json(_joined(answer))
        except Exception as error:  # noqa: BLE001  whatever it is, Lambda is told
            self._api.fail(event, describe(error, "The handler failed"))
            return
        if streamed:
            self._stream(event, octets, answer)
        else:
            self._api.respond(event, octets)

    def _stream(self, event: Message, head: bytes, answer: Mapping[str, Any]) -> None:
        try:
            self._api.stream(event, head, pieces(answer))
        except (OSError, HTTPException) as error:
            # Lambda has ended the invocation. What the connection is still good for is unknown.
            log.warning("a streamed answer was not taken: %s", type(error).__name__)
            self._api.drop()
        finally:
            if not isinstance(answer["body"], str):
                answer["body"].close()

    def _note_trace(self, trace: str | None) -> None:
        """Tell X-Ray's libraries which trace this invocation belongs to, or that it belongs to none."""
        if trace is None:
            self._environ.pop("_X_AMZN_TRACE_ID", None)
        else:
            self._environ["_X_AMZN_TRACE_ID"] = trace

    def _stop(self, *_: object) -> None:
        """End between invocations: at once while none is under way, else after the one that is."""
        self._stopping = True
        if self._waiting:
            end(0)


def _load(name: str) -> Callable[[Any, Context], Any]:
    module, _, attribute = name.rpartition(".")
    handler: Callable[[Any, Context], Any] = getattr(importlib.import_module(module.replace("/", ".")), attribute)
    return handler


def _describe_init(error: Exception) -> dict[str, object]:
    """Return why there is no handler. Two kinds of text are safe, and what the operator needs."""
    described = describe(error, "The handler can't be loaded")
    if not isinstance(error, ImportError):
        from chalicelib.settings import SettingsError  # noqa: PLC0415  after the handler: it may be what is broken

        if not isinstance(error, SettingsError):
            return described
    log.error("%s", error)
    return {**described, "errorMessage": str(error)}


def _joined(answer: object) -> Any:
    """Return a proxy answer with its body whole: on a route that does not stream nothing reads an iterator."""
    if isinstance(answer, dict) and isinstance(answer.get("body"), Iterator):
        return {**answer, "body": "".join(answer["body"])}
    return answer


def end(code: int) -> NoReturn:
    """End the process at once: a thread that still waits for AWS would hold it beyond what Lambda grants."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def main() -> int:
    """Serve this process's function; returns the exit code."""
    logs.configure("INFO")  # until the app has read its settings
    try:
        return Loop(os.environ).run()
    except (OSError, HTTPException, RuntimeApiError) as error:
        # Lambda starts another process; without its API this one can do nothing.
        log.error("the Runtime API is lost: %s %s", type(error).__name__, error)  # noqa: TRY400  frames say no more
        return 1


if __name__ == "__main__":
    end(main())
