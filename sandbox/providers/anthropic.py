"""Anthropic on the loopback: models, token counts and messages.

Source: Anthropic's API reference, version 2023-06-01: "List models", "Messages", "Streaming messages", "Errors"; the
answer to an account without credit is quoted in github.com/anthropics/claude-code/issues/66314.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from sandbox.bedrock.tokens import tokens_of
from sandbox.providers.answers import Question, Said, say
from sandbox.providers.anthropic_rules import SIGNATURE, thinks, wrong_with
from sandbox.providers.server import Asked, FakeProvider, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODELS: Final = (
    ("claude-opus-4-6", "Claude Opus 4.6", "active"),
    ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "active"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "active"),
    ("claude-3-haiku-20240307", "Claude Haiku 3", "deprecated"),
    ("claude-2.1", "Claude 2.1", "retired"),
)
_VERSIONS: Final = ("2023-06-01", "2026-10-21")
"""The one that Rolecall speaks, and the one of Anthropic's library 2.12; the shapes in use here are alike in both."""
_THOUGHT: Final = {"type": "thinking", "thinking": "The request is clear.", "signature": SIGNATURE}


def error(status: int, kind: str, message: str, *headers: tuple[str, str]) -> Told:
    """Return an error in Anthropic's form."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_sandbox"}
    return Told(status, body, headers=headers)


class FakeAnthropic(FakeProvider):
    """api.anthropic.com."""

    NAME = "anthropic"
    REQUEST_ID = "request-id"

    def sent_key(self, headers: Mapping[str, str]) -> str:
        """Return the x-api-key; newer libraries of Anthropic's send it as a bearer token."""
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def refusal(self, switch: str) -> Told:
        """Refuse in Anthropic's words."""
        if switch == "bad":
            return error(401, "authentication_error", "invalid x-api-key")
        if switch == "rate-limited":
            message = "This request would exceed your organization's rate limit of 50 requests per minute."
            return error(429, "rate_limit_error", message, ("retry-after", "30"))
        if switch == "down":
            return error(529, "overloaded_error", "Overloaded")
        return error(418, "teapot_error", "I am something that nobody has documented.")

    def answer(self, asked: Asked) -> Told:
        """Answer models, token counts and messages."""
        if asked.headers.get("anthropic-version") not in _VERSIONS:
            return error(400, "invalid_request_error", "anthropic-version: header is required")
        if asked.path == "/v1/models" and asked.method == "GET":
            if asked.switch == "restricted":
                return error(403, "permission_error", "Your API key does not have permission to list models.")
            return Told(200, _page(parse_qs(asked.query)))
        if asked.path in {"/v1/messages", "/v1/messages/count_tokens"} and asked.method == "POST":
            return self._messages(asked, counts=asked.path.endswith("count_tokens"))
        return error(404, "not_found_error", "Not found")

    def error_event(self) -> str:
        """Return an error within a stream."""
        body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return f"event: error\ndata: {json.dumps(body)}\n\n"

    def _messages(self, asked: Asked, *, counts: bool) -> Told:
        if asked.switch == "no-credit":
            message = (
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or"
                " purchase credits."
            )
            return error(400, "invalid_request_error", message)
        body = asked.document
        wrong = wrong_with(body, counts=counts)
        if wrong is not None:
            return error(400, "invalid_request_error", wrong)
        if body["model"] not in {name for name, _, state in _MODELS if state != "retired"}:
            return error(404, "not_found_error", f"model: {body['model']}")
        if counts:
            return Told(200, {"input_tokens": tokens_of(json.dumps(body["messages"]))})
        said = say(_question(body))
        thought = [_THOUGHT] if thinks(body) else []
        if body.get("stream"):
            return Told(200, events=tuple(_event(name, data) for name, data in _events(body["model"], said, thought)))
        return Told(200, _message(body["model"], said, thought))


def _question(body: dict[str, Any]) -> Question:
    question = Question(limit=body["max_tokens"], stops=list(body.get("stop_sequences") or []))
    system = body.get("system") or []
    question.system = [system] if isinstance(system, str) else [block["text"] for block in system]
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "text":
                question.text(message["role"], block["text"])
            elif block["type"] == "image":
                question.image(message["role"])
            elif block["type"] == "tool_result":
                question.result(block["tool_use_id"], json.dumps(block.get("content", "")))
    question.tools = [(tool["name"], tool["input_schema"]) for tool in body.get("tools") or []]
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice["type"] == "none":
        question.tools = []
    elif choice["type"] != "auto":
        question.choice = {"tool": {"name": choice["name"]}} if choice["type"] == "tool" else {"any": {}}
    wanted = (body.get("output_config") or {}).get("format")
    if wanted:
        question.schema = wanted["schema"]
    return question


def _message(model: str, said: Said, thought: list[dict[str, str]]) -> dict[str, Any]:
    content: list[dict[str, Any]] = [*thought, *([{"type": "text", "text": said.text}] if said.text else [])]
    content += [{"type": "tool_use", "id": f"toolu_{c.id}", "name": c.name, "input": c.arguments} for c in said.calls]
    return {
        "id": "msg_sandbox1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": said.reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": said.input_tokens,
            "output_tokens": said.output_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _events(model: str, said: Said, thought: list[dict[str, str]]) -> list[tuple[str, dict[str, Any]]]:
    message = {**_message(model, said, thought), "content": [], "stop_reason": None}
    message["usage"] = {**message["usage"], "output_tokens": 1}
    events: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": message})]
    index = 0
    for block in thought:
        started = {**block, "thinking": "", "signature": ""}
        events.append(("content_block_start", {"index": index, "content_block": started}))
        for kind, name in (("thinking_delta", "thinking"), ("signature_delta", "signature")):
            events.append(("content_block_delta", {"index": index, "delta": {"type": kind, name: block[name]}}))
        events.append(("content_block_stop", {"index": index}))
        index += 1
    if said.text:
        events.append(("content_block_start", {"index": index, "content_block": {"type": "text", "text": ""}}))
        events.append(("ping", {}))
        deltas = ({"type": "text_delta", "text": piece} for piece in said.pieces())
        events.extend(("content_block_delta", {"index": index, "delta": delta}) for delta in deltas)
        events.append(("content_block_stop", {"index": index}))
        index += 1
    for call in said.calls:
        used = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}}
        events.append(("content_block_start", {"index": index, "content_block": used}))
        text = json.dumps(call.arguments)
        for at in range(0, len(text), 12):
            delta = {"type": "input_json_delta", "partial_json": text[at : at + 12]}
            events.append(("content_block_delta", {"index": index, "delta": delta}))
        events.append(("content_block_stop", {"index": index}))
        index += 1
    usage = {"output_tokens": said.output_tokens}
    events.append(("message_delta", {"delta": {"stop_reason": said.reason, "stop_sequence": None}, "usage": usage}))
    events.append(("message_stop", {}))
    return events


def _event(name: str, data: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"


def _page(query: Mapping[str, list[str]]) -> dict[str, Any]:
    limit = int(query.get("limit", ["20"])[0])
    names = [name for name, _, _ in _MODELS]
    after = query.get("after_id", [""])[0]
    start = names.index(after) + 1 if after in names else 0
    # Two of them in a page at most, so that paging is met by whoever lists.
    chosen = _MODELS[start : start + min(limit, 2)]
    return {
        "data": [_row(*row) for row in chosen],
        "has_more": start + len(chosen) < len(_MODELS),
        "first_id": chosen[0][0] if chosen else None,
        "last_id": chosen[-1][0] if chosen else None,
    }


def _row(name: str, display_name: str, lifecycle: str) -> dict[str, Any]:
    supported = {"supported": True}
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": "2025-09-29T00:00:00Z",
        "lifecycle": lifecycle,
        "max_input_tokens": 200000,
        "max_tokens": 64000,
        "capabilities": {"batch": supported, "image_input": supported, "structured_outputs": supported},
    }
