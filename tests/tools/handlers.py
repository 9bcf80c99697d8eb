"""Handlers that misbehave as their event asks. Copied beside the package, and run there by the emulator."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-of-a-secret"


def context(event: Any, context: Any) -> dict[str, Any]:
    """Tell what the context holds."""
    client = context.client_context
    return {
        "event": event,
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "custom": client and client.custom,
        "identity": context.identity.cognito_identity_id,
    }


def misbehave(event: dict[str, Any], _: Any) -> Any:
    """Do what the event says: `raise`, `exit`, `sleep` (seconds), or answer `return`."""
    if "raise" in event:
        raise KeyError(CANARY)
    if "exit" in event:
        os._exit(event["exit"])
    time.sleep(event.get("sleep", 0))
    size = event.get("size")
    return event.get("return") if size is None else "x" * size


def answer(event: dict[str, Any], context: Any) -> Any:
    """Answer a request as its body says: `gate` streams in step with a reader, `break` breaks off, else `raw`."""
    import json

    asked = json.loads(event["body"] or "{}")
    if "raw" in asked:
        return asked["raw"]
    time.sleep(asked.get("sleep", 0))
    body: Any = "x" * asked.get("size", 5)
    if "gate" in asked:
        body = _in_step(asked["gate"], asked["chunks"])
    elif "break" in asked:
        body = _broken(asked["break"], asked.get("seconds", 0))
    reply = {"statusCode": 200, "headers": {"Content-Type": "text/event-stream"}, "body": body}
    if getattr(context, "can_stream", False) or isinstance(body, str):
        return reply
    return {**reply, "body": "".join(body)}


def _in_step(port: int, chunks: int) -> Iterator[str]:
    """Yield each chunk only once the reader of the one before has said so."""
    with socket.create_connection(("127.0.0.1", port)) as gate:
        for number in range(chunks):
            yield f"data: {number}\n\n"
            if gate.recv(1) != b"+":
                return


def _broken(how: str, seconds: float) -> Iterator[str]:
    try:
        yield "data: first\n\n"
        time.sleep(seconds)
        if how == "raise":
            raise KeyError(CANARY)
        if how == "exit":
            os._exit(3)
        yield ""
        yield "data: last\n\n"
    finally:
        print("the iterator was closed", flush=True)


def binary(*_: Any) -> dict[str, Any]:
    """Answer octets that are no text."""
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "iVBORw==",
        "isBase64Encoded": True,
    }


def echo(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Answer the event itself."""
    import json

    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(event)}
