"""How much a chat may be: large bodies, many messages, many tools, deep schemas, and octets that are no text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import ValidationError

from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from chalicelib.routes.bodies import validate

if TYPE_CHECKING:
    from tests.far_customer import Onboarding

MODEL: Final = "bedrock/amazon.nova-lite-v1:0"
PATH: Final = "/v1/chat/completions"
HI: Final = {"role": "user", "content": "Hello"}


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _tool(number: int, schema: Any = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": f"tool{number}", "parameters": schema or _deep(1)}}


TAKEN: Final[dict[str, dict[str, Any]]] = {
    "500 messages": {"messages": [HI, {"role": "assistant", "content": "Hi"}] * 249 + [HI, HI]},
    "128 tools": {"messages": [HI], "tools": [_tool(number) for number in range(128)]},
    "a schema of twelve levels": {"messages": [HI], "tools": [_tool(0, _deep(12))]},
    "a message of a megabyte in all": {"messages": [{"role": "user", "content": "word " * 200_000}]},
}


@pytest.mark.parametrize("chat", TAKEN.values(), ids=TAKEN)
def test_what_models_take_is_taken(tenant: Onboarding, chat: dict[str, Any]) -> None:
    """No bound of ours is lower than the model's; a model's own is told in its words."""
    answer = tenant.api.post(PATH, {"model": MODEL, "max_tokens": 5, **chat})

    assert answer.status == 200 or answer.error["code"] == "context_length_exceeded"


REFUSED: Final[dict[str, tuple[dict[str, Any], int, str, str | None]]] = {
    "129 tools": ({"tools": [_tool(number) for number in range(129)]}, 400, "invalid_value", "tools"),
    "2001 messages": ({"messages": [HI] * 2001}, 400, "invalid_value", "messages"),
    "a body of twenty megabytes": ({"user": "x" * 20_000_000}, 413, "body_too_large", None),
    "five stops": ({"stop": ["a"] * 5}, 400, "invalid_value", "stop"),
}


@pytest.mark.parametrize(("more", "status", "code", "param"), REFUSED.values(), ids=REFUSED)
def test_what_is_too_much_is_refused(
    tenant: Onboarding, more: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """With the field, and before AWS is asked."""
    answer = tenant.api.post(PATH, {"model": MODEL, "messages": [HI], **more})

    assert (answer.status, answer.error["code"]) == (status, code)
    assert str(answer.error["param"]).startswith(str(param))


OCTETS: Final = {
    "no UTF-8": b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}',
    "half a surrogate pair": b'{"model": "m", "messages": [{"role": "user", "content": "\\ud83d"}]}',
    "half a body": b'{"model": "m", "messages": [',
    "a number that no JSON has": b'{"model": "m", "messages": [], "temperature": NaN}',
    "one within a schema": json.dumps(
        {"model": "m", "messages": [HI], "tools": [_tool(0, {"type": "object", "default": float("inf")})]}
    ).encode(),
    "a number that no float holds": b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "x": 1e999}',
    "brackets without end": b'{"messages": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("octets", OCTETS.values(), ids=OCTETS)
def test_octets_that_are_no_json_are_refused(tenant: Onboarding, octets: bytes) -> None:
    """400, whatever they are."""
    answer = tenant.api.call("POST", PATH, raw=octets)

    assert (answer.status, answer.error["code"]) == (400, "invalid_json")


MANY: Final = 100_000
MISTAKES: Final[dict[str, tuple[dict[str, Any], str, str | None]]] = {
    "parts": ({"messages": [{"role": "user", "content": [1] * (4 * MANY)}]}, "invalid_type", "messages.0.content.0"),
    "calls": (
        {"messages": [{"role": "assistant", "tool_calls": [{}] * (4 * MANY)}]},
        "missing_field",
        "messages.0.tool_calls.0.id",
    ),
    "fields": ({"messages": [HI], "bedrock": dict.fromkeys(map(str, range(MANY)), 1)}, "invalid_value", None),
}


@pytest.mark.parametrize(("more", "code", "param"), MISTAKES.values(), ids=MISTAKES)
def test_a_body_of_mistakes_is_not_told_mistake_by_mistake(more: dict[str, Any], code: str, param: str | None) -> None:
    """The first one is: 6 MB of them took gigabytes, more than Lambda gives the process that others' chats are in."""
    octets = json.dumps({"model": MODEL, **more}).encode()
    with pytest.raises(ServiceError) as refused:
        validate(octets, ChatRequest)
    with pytest.raises(ValidationError) as found:
        ChatRequest.model_validate_json(octets)

    assert (refused.value.code, refused.value.param) == (code, param)
    # pydantic keeps each mistake of a list, and a kilobyte for each that is told.
    assert found.value.error_count() < 10 or param is None
