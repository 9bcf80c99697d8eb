"""Each of AWS's known errors through the edge of HTTP: refused whole, before a stream, within one, and by STS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from chalicelib.routes.codes import CODES

if TYPE_CHECKING:
    from sandbox.world import World
    from tests.far_customer import Answer, Onboarding

ERRORS: Final = json.loads((Path(__file__).parent.parent / "cases" / "aws_errors.json").read_text())
OF_SESSIONS: Final = {"expired_credentials", "invalid_aws_credentials"}
OF_MODELS: Final = [
    error
    for error in ERRORS
    # An answer without a code is none of a fault's of the local AWS; test_failures tells what it means.
    if error["service"].startswith("bedrock") and error["expected"] not in OF_SESSIONS and error["code"]
]
OF_STS: Final = [error for error in ERRORS if error["service"] == "sts"]
CHAT: Final = {"model": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": "Hello"}]}
LASTING: Final = 4
"""How often a fault strikes: more often than anyone tries again."""


def _named(error: dict[str, Any]) -> str:
    return f"{error['code']}: {error['message'][:50]}"


def _fault(world: World, operation: str, error: dict[str, Any], **more: object) -> None:
    code = error["code"][:1].upper() + error["code"][1:]
    service = "sts" if error["service"] == "sts" else "bedrock-runtime"
    fault = {"service": service, "operation": operation, "kind": "error", "code": code, "message": error["message"]}
    world.aws.faults.add({**fault, "times": LASTING, **more})


def _told(error: dict[str, Any]) -> dict[str, Any]:
    """Return what the table says of an error: status, OpenAI's type, our code, and what its clients obey."""
    row = CODES[error["expected"]]
    return {
        "status": row.status,
        "type": row.type,
        "code": error["expected"],
        "retry_after": None if error["retry_after"] is None else str(error["retry_after"]),
        "should_retry": "true" if error["should_retry"] else "false",
    }


def _seen(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "type": answer.error["type"],
        "code": answer.error["code"],
        "retry_after": answer.headers.get("Retry-After"),
        "should_retry": answer.headers.get("X-Should-Retry"),
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", OF_MODELS, ids=_named)
def test_a_refusal_of_bedrock_is_told(world: World, tenant: Onboarding, error: dict[str, Any], stream: bool) -> None:
    """Status, type, code, hint and headers, the same for a stream that has not begun."""
    _fault(world, "ConverseStream" if stream else "Converse", error)
    answer = tenant.api.post("/v1/chat/completions", {**CHAT, "stream": stream})

    assert _seen(answer) == _told(error)
    assert answer.headers["Rolecall-AWS-Request-Id"]
    assert answer.error["fix"]
    assert answer.error["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("error", OF_MODELS, ids=_named)
def test_the_same_within_a_stream(world: World, tenant: Onboarding, error: dict[str, Any]) -> None:
    """The status was sent: type, code and hint are in the last event, and no [DONE] follows."""
    _fault(world, "ConverseStream", error, kind="exception_frame", after_events=2)
    answer = tenant.api.post("/v1/chat/completions", {**CHAT, "stream": True})
    *_, last = [line for line in answer.text.split("\n\n") if line]
    told = json.loads(last.removeprefix("data: "))["error"]

    assert answer.status == 200
    assert (told["type"], told["code"]) == (CODES[error["expected"]].type, error["expected"])
    assert told["fix"]
    assert "[DONE]" not in answer.text


def _change(tenant: Onboarding) -> None:
    """Change the connection, so that neither a session of it is held nor a refusal remembered."""
    shown = tenant.shown()
    renamed = {"name": f"Acme {shown['version']}"}
    assert tenant.api.call("PATCH", tenant.path, renamed, headers={"If-Match": str(shown["version"])}).status == 200


@pytest.mark.parametrize("error", OF_STS, ids=_named)
def test_a_refusal_of_sts_is_told(world: World, tenant: Onboarding, error: dict[str, Any]) -> None:
    """A chat that needs a new session is refused with STS's reason."""
    _change(tenant)
    _fault(world, "AssumeRole", error)
    answer = tenant.api.post("/v1/chat/completions", CHAT)

    assert _seen(answer) == _told(error)
    assert answer.error["fix"]


@pytest.mark.parametrize("error", [error for error in ERRORS if error["expected"] in OF_SESSIONS], ids=_named)
def test_a_session_that_is_refused_is_replaced_once(world: World, tenant: Onboarding, error: dict[str, Any]) -> None:
    """One refusal is not seen; a second is our trouble with AWS, and no 401 of the caller's token."""
    _change(tenant)
    _fault(world, "Converse", error, times=1)
    healed = tenant.api.post("/v1/chat/completions", CHAT)
    _fault(world, "Converse", error)
    lasting = tenant.api.post("/v1/chat/completions", CHAT)

    assert healed.status == 200
    assert (lasting.status, lasting.error["code"]) == (502, "expired_credentials")
