"""Anthropic's Messages, as InvokeModel takes them for Claude models: the body as it came, but for what decides a call.

Model, version of the API and guardrail are never the body's: the model is in the path, the version is ours, and
`amazon-bedrock-guardrailConfig` would let whoever asks have the guardrail look at a part of the question alone. So the
fields that pass are listed, and what is not is left out and named.

Sources, as of 2026-11: Anthropic's API reference, "Messages" and "Count message tokens"; Bedrock user guide, "Anthropic
Claude Messages API: Request and Response"; what Bedrock refuses although Anthropic takes it, as reported in
github.com/BerriAI/litellm/issues/26320, /issues/27532 and /pull/28312.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.claude_blocks import as_anthropic_has_it, as_bedrock_takes_it
from chalicelib.bedrock.claude_fields import check_fields
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION: Final = "bedrock-2023-05-31"
_PASSED: Final = frozenset(
    {
        "messages", "max_tokens", "system", "tools", "tool_choice", "thinking", "output_config", "context_management",
        "stop_sequences", "temperature", "top_p", "top_k", "metadata",
    }
)  # fmt: skip
_COUNTED: Final = frozenset({"messages", "system", "tools", "tool_choice", "thinking"})
_OURS: Final = frozenset({"model", "stream"})
"""What this service does itself."""
_CANT: Final = {
    "mcp_servers": "Bedrock calls no MCP servers.",
    "container": "Bedrock has no containers.",
    "fallbacks": "Bedrock has no fallback models.",
    "compaction": "Bedrock compacts by context_management alone.",
}
"""Fields that would change the answer, so that leaving them out would give another one than was asked for."""
_BETAS: Final = frozenset(
    {
        "claude-code-20250219", "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24",
        "computer-use-2025-11-24", "context-1m-2025-08-07", "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14", "effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "structured-outputs-2025-12-15",
        "token-efficient-tools-2025-02-19", "tool-examples-2025-10-29", "tool-search-tool-2025-10-19",
    }
)  # fmt: skip
"""Beta features that Bedrock knows (github.com/BerriAI/litellm/pull/19877 and
github.com/router-for-me/CLIProxyAPI/issues/4750). It refuses a request that names another, and coding agents name all
that they know: the rest is left out."""
_SCOPES: Final = "prompt-caching-scope-2026-01-05"
_EAGER: Final = "fine-grained-tool-streaming-2025-05-14"
_DEFERRED: Final = "tool-search-tool-2025-10-19"
_BETA: Final = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_MOST_BETAS: Final = 50
GUARDRAIL_ACTION: Final = "amazon-bedrock-guardrailAction"
_AMAZONS: Final = "amazon-bedrock-"


class NativeRequest(NamedTuple):
    """A body for InvokeModel, and the names of what was left out of it."""

    body: dict[str, Any]
    ignored: tuple[str, ...]


def to_invoke(document: Mapping[str, object], betas: Sequence[str] = (), preamble: Sequence[str] = ()) -> NativeRequest:
    """Return the body of a message; `betas` are the values of `anthropic-beta` headers.

    The texts of `preamble` go before the system's. Raises `ServiceError` naming the field that is missing, misshapen,
    or can't be done here.
    """
    check_fields(document, required=("messages", "max_tokens"))
    return _native(with_preamble(document, preamble), betas, _PASSED)


def to_count(document: Mapping[str, object], betas: Sequence[str] = (), preamble: Sequence[str] = ()) -> NativeRequest:
    """Return the body for CountTokens, whose `invokeModel` is a whole request; raises as `to_invoke` does.

    It wants `max_tokens` as well, which must be more than what thinking may take; the count is the same for any.
    """
    check_fields(document, required=("messages",))
    body, ignored = _native(with_preamble(document, preamble), betas, _COUNTED)
    thinking = document.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    body["max_tokens"] = 1 + (budget if isinstance(budget, int) else 0)
    octets = json.dumps(body, separators=(",", ":")).encode()
    return NativeRequest({"input": {"invokeModel": {"body": base64.b64encode(octets).decode()}}}, ignored)


def with_preamble(document: Mapping[str, Any], texts: Sequence[str]) -> Mapping[str, Any]:
    """Return a message's body with these texts before those of its system; without any, the very body."""
    if not texts:
        return document
    system = document.get("system") or []
    own = [{"type": "text", "text": system}] if isinstance(system, str) else system
    return {**document, "system": [*({"type": "text", "text": text} for text in texts), *own]}


def from_invoke(body: Mapping[str, object], model: str) -> dict[str, Any]:
    """Return a message as Anthropic's API has it, under the model's id that was asked for.

    What a guardrail put in the model's place is told as `refusal`: Bedrock says `end_turn` of it. Raises `ServiceError`
    for an answer that is no message.
    """
    message = without_amazons(body)
    if message.get("type") != "message" or not isinstance(message.get("content"), list):
        raise ServiceError("upstream_error", "Bedrock's answer is not a message.", fix="Try again.")
    message["model"] = model
    if intervened(body):
        message["stop_reason"] = "refusal"
        message["stop_sequence"] = None
    return as_anthropic_has_it(message)


def intervened(document: Mapping[str, object]) -> bool:
    """Whether a guardrail has put its own words in the place of the model's."""
    return document.get(GUARDRAIL_ACTION) == "INTERVENED"


def without_amazons(document: Mapping[str, object]) -> dict[str, Any]:
    """Return the document without the fields that Bedrock adds to Anthropic's."""
    return {name: value for name, value in document.items() if not name.startswith(_AMAZONS)}


def _native(document: Mapping[str, object], betas: Sequence[str], passed: frozenset[str]) -> NativeRequest:
    for name, why in _CANT.items():
        if document.get(name):
            raise ServiceError("unsupported_parameter", why, param=name, fix=f"Leave {name} out.")
    if document.get("thread"):
        # Under this code Anthropic's clients send the whole conversation again, without a thread, and go on so.
        raise ServiceError(
            "thread_unsupported_request",
            "Bedrock keeps no threads.",
            param="thread",
            fix="Send the whole conversation, and leave thread out.",
        )
    given = {name: value for name, value in _with_format(document).items() if value is not None}
    ignored = [name for name in given if name not in passed | _OURS]
    body = {name: value for name, value in given.items() if name in passed}
    named = _named_betas(betas)
    known = [beta for beta in named if beta in _BETAS]
    ignored += [f"anthropic-beta {beta}" for beta in named if beta not in _BETAS]
    body["messages"] = [as_bedrock_takes_it(message) for message in body["messages"]]
    if "tools" in body:
        body["tools"] = [_fitted(tool, known, ignored) for tool in body["tools"]]
    if _SCOPES in named:
        body |= {name: _unscoped(body[name]) for name in ("system", "tools", "messages") if name in body}
    if known:
        body["anthropic_beta"] = known
    return NativeRequest({"anthropic_version": VERSION, **body}, tuple(dict.fromkeys(ignored)))


def _with_format(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body with the format of its answer where Bedrock takes it.

    While it was a beta feature it was a field of its own (Anthropic's API reference, "Structured outputs": it moved and
    the old one is still taken); LiteLLM sends that to this day.
    """
    if not document.get("output_format"):
        return document
    config = document.get("output_config") or {}
    if config.get("format") is not None:
        raise ServiceError(
            "invalid_value",
            "output_config.format says it as well.",
            param="output_format",
            fix="Leave output_format out.",
        )
    moved = {name: value for name, value in document.items() if name != "output_format"}
    return {**moved, "output_config": {**config, "format": document["output_format"]}}


def _unscoped(value: object) -> Any:
    """Return blocks without the scope of their cache points: Bedrock takes the points, and refuses this of them.

    It says who may share what is cached (github.com/BerriAI/litellm/pull/35724), and comes with its feature alone.
    """
    if isinstance(value, list):
        return [_unscoped(part) for part in value]
    if not isinstance(value, dict):
        return value
    point, content = value.get("cache_control"), value.get("content")
    changed = {}
    if isinstance(point, dict) and "scope" in point:
        changed["cache_control"] = {name: part for name, part in point.items() if name != "scope"}
    if isinstance(content, list):
        changed["content"] = _unscoped(content)
    return {**value, **changed} if changed else value


def _fitted(tool: dict[str, object], betas: list[str], ignored: list[str]) -> dict[str, Any]:
    """Return a tool as Bedrock takes it: what Anthropic has as a field of tools by now is a beta feature there.

    `eager_input_streaming` is refused and its feature taken (tried in github.com/vercel/ai/pull/17179); `defer_loading`
    is refused without its feature (github.com/anthropics/claude-code/issues/82549), and spares tokens, nothing else.
    """
    if "eager_input_streaming" in tool:
        if tool["eager_input_streaming"] is True and _EAGER not in betas:
            betas.append(_EAGER)
        tool = {name: value for name, value in tool.items() if name != "eager_input_streaming"}
    if "defer_loading" in tool and _DEFERRED not in betas:
        ignored.append("tools.defer_loading")
        tool = {name: value for name, value in tool.items() if name != "defer_loading"}
    return tool


def _named_betas(headers: Sequence[str]) -> list[str]:
    named = list(dict.fromkeys(beta.strip() for value in headers for beta in value.split(",") if beta.strip()))
    if len(named) > _MOST_BETAS or not all(_BETA.fullmatch(beta) for beta in named):
        raise ServiceError(
            "invalid_value",
            f"anthropic-beta names at most {_MOST_BETAS} features, with commas between them.",
            param="anthropic-beta",
        )
    return named
