"""What is answered is what OpenAI's published document says of its API: whole, streamed, refused, listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from tests.far_customer import Onboarding

SCHEMAS: Final = json.loads((Path(__file__).parent.parent / "cases" / "openai_answers.json").read_text())
CLAUDE = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "bedrock/amazon.nova-lite-v1:0"
HI: Final = [{"role": "user", "content": "Hello"}]
TOOL: Final = {"type": "function", "function": {"name": "weather"}}
SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
AS_JSON: Final = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}

CHATS: dict[str, dict[str, Any]] = {
    "words": {"model": NOVA},
    "words cut short": {"model": NOVA, "max_tokens": 2},
    "a call": {"model": NOVA, "tools": [TOOL]},
    "calls side by side": {"model": NOVA, "tools": [TOOL], "messages": [{"role": "user", "content": "both"}]},
    "JSON by a tool": {"model": NOVA, "response_format": AS_JSON},
    "JSON by Bedrock itself": {"model": CLAUDE, "response_format": AS_JSON},
    "thoughts": {"model": CLAUDE, "reasoning_effort": "low"},
    "a service tier": {"model": NOVA, "service_tier": "flex"},
    "fields of the model's answer": {
        "model": CLAUDE,
        "bedrock": {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
    },
}


def _violations(document: Any, schema: str) -> list[str]:
    validator = Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": SCHEMAS["$defs"]})
    return [f"{error.json_path}: {error.message}"[:200] for error in validator.iter_errors(document)]


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS)
def test_a_whole_answer_is_openais(tenant: Onboarding, chat: dict[str, Any]) -> None:
    """Every required field is there, null where there is nothing; our own stand beside them."""
    answer = tenant.api.post("/v1/chat/completions", {"messages": HI, **chat})

    assert (answer.status, _violations(answer.json, "CreateChatCompletionResponse")) == (200, [])


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS)
def test_each_chunk_is_openais(tenant: Onboarding, chat: dict[str, Any]) -> None:
    """The first, the last, the one with the usage, and all between."""
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    answer = tenant.api.post("/v1/chat/completions", {"messages": HI, **chat, **stream})
    *lines, done = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line.startswith("data: ")]
    chunks = [json.loads(line) for line in lines]

    assert (answer.status, done) == (200, "[DONE]")
    assert [found for chunk in chunks for found in _violations(chunk, "CreateChatCompletionStreamResponse")] == []
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_openais(tenant: Onboarding, stream: bool) -> None:
    """Our fields stand beside OpenAI's own."""
    answer = tenant.api.post("/v1/chat/completions", {"model": "no-such-model", "messages": HI, "stream": stream})

    assert (answer.status, _violations(answer.json, "ErrorResponse")) == (404, [])


def test_models_are_openais(tenant: Onboarding) -> None:
    """The list, and each one by itself."""
    listed = tenant.api.get("/v1/models").json
    one = tenant.api.get(f"/v1/models/{listed['data'][0]['id']}").json

    assert _violations(listed, "ListModelsResponse") == _violations(one, "Model") == []
