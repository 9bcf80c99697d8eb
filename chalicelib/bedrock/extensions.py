"""What a chat asks of Bedrock beyond OpenAI's words, on its way to Converse, and what Bedrock answers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.chat import BedrockFields, ChatRequest

_TIERS: Final = {"default": "default", "flex": "flex", "priority": "priority"}
"""OpenAI's service tiers by Converse's. `auto` is what happens when none is asked for."""

_WITHOUT_WORDS: Final = frozenset({"/stop_sequence"})
"""Paths into a model's answer that lead to nothing which it said: a stop sequence is the request's own."""
_OF_FINDINGS: Final = frozenset({"action", "confidence", "filterStrength", "name", "type"})
"""Texts of a guardrail's finding that say which rule it is of, and nothing of what was said."""


def service_tier(asked: str | None) -> str | None:
    """Return Converse's word for a service tier; None for one that asks for nothing, or that it has not."""
    return _TIERS.get(asked or "")


def answered_tier(answer: Mapping[str, object]) -> str | None:
    """Return the tier that an answer was made in, where Bedrock says so."""
    match answer:
        case {"serviceTier": {"type": str(tier)}} if tier in _TIERS:
            return tier
    return None


def extensions(
    request: ChatRequest, guardrail: Mapping[str, str] | None, fields: Mapping[str, object]
) -> dict[str, Any]:
    """Return the parts of Converse's body that hold them. `fields` are those that the translation itself sends.

    Raises `invalid_value` for a guardrail in place of the connection's, or for a field that says what another says.
    """
    asked = request.bedrock
    made: dict[str, Any] = {}
    wanted = _guardrail(asked, guardrail, streamed=request.stream is True)
    if wanted:
        made["guardrailConfig"] = wanted
    own = {} if asked is None else asked.additionalModelRequestFields or {}
    for name in own:
        if name in fields:
            raise ServiceError(
                "invalid_value",
                f"Another field of the request says {name} as well.",
                param=f"bedrock.additionalModelRequestFields.{name}",
                fix="Say it once.",
            )
    if own or fields:
        made["additionalModelRequestFields"] = {**own, **fields}
    if asked is not None:
        if asked.additionalModelResponseFieldPaths:
            _require_no_words(asked.additionalModelResponseFieldPaths, guardrail)
            made["additionalModelResponseFieldPaths"] = asked.additionalModelResponseFieldPaths
        if asked.performanceConfig is not None:
            made["performanceConfig"] = asked.performanceConfig.model_dump()
        if asked.requestMetadata:
            made["requestMetadata"] = asked.requestMetadata
    return made


def wants_extension(request: ChatRequest) -> bool:
    """Whether the request asks for something that OpenAI's answer has no place for."""
    asked = request.bedrock
    if asked is None:
        return False
    traced = asked.guardrailConfig is not None and asked.guardrailConfig.trace not in (None, "disabled")
    return traced or bool(asked.additionalModelResponseFieldPaths) or asked.performanceConfig is not None


def answered_extension(answer: Mapping[str, object]) -> dict[str, object]:
    """Return what Bedrock answers to them, under its own names. A trace may hold what was said: it goes into no log."""
    names = ("trace", "additionalModelResponseFields", "performanceConfig")
    return {
        name: _shown(answer[name]) if name == "trace" else answer[name]
        for name in names
        if answer.get(name) is not None
    }


def _shown(trace: object) -> object:
    """Return a trace without what the guardrail kept from the answer: the model's own words, and those found in them.

    `modelOutput` is the answer before the guardrail, and findings of `outputAssessments` repeat what they found (API
    reference, GuardrailTraceAssessment and GuardrailPiiEntityFilter): asking for the trace would lead around it.
    """
    guardrail = trace.get("guardrail") if isinstance(trace, dict) else None
    if not isinstance(trace, dict) or not isinstance(guardrail, dict):
        return trace
    told = {name: value for name, value in guardrail.items() if name != "modelOutput"}
    if "outputAssessments" in told:
        told["outputAssessments"] = _without_words(told["outputAssessments"])
    return {**trace, "guardrail": told}


def _without_words(value: object) -> object:
    if isinstance(value, list):
        return [_without_words(part) for part in value if not isinstance(part, str)]
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if not isinstance(part, str) or name in _OF_FINDINGS}
        return {name: _without_words(part) for name, part in kept.items()}
    return value


def _require_no_words(paths: Sequence[str], guardrail: Mapping[str, str] | None) -> None:
    """Raise `invalid_value` for a path into the model's own answer, which nobody promises that a guardrail has read."""
    if guardrail is not None and not set(paths) <= _WITHOUT_WORDS:
        raise ServiceError(
            "invalid_value",
            "With a guardrail on the connection no request has more of the model's own answer than its stop sequence.",
            param="bedrock.additionalModelResponseFieldPaths",
            fix=f"Ask for {', '.join(sorted(_WITHOUT_WORDS))} alone.",
        )


def _guardrail(
    asked: BedrockFields | None, of_connection: Mapping[str, str] | None, *, streamed: bool
) -> dict[str, str]:
    config = None if asked is None else asked.guardrailConfig
    if config is None:
        return dict(of_connection or {})
    named = config.guardrailIdentifier is not None or config.guardrailVersion is not None
    if of_connection is not None and named:
        raise ServiceError(
            "invalid_value",
            "The connection has a guardrail; no request can put another in its place.",
            param="bedrock.guardrailConfig.guardrailIdentifier",
            fix="Leave guardrailIdentifier and guardrailVersion out.",
        )
    if of_connection is not None and config.streamProcessingMode == "async":
        # Bedrock then passes text on before the guardrail has read it, and masks nothing (user guide, "Configure
        # streaming response behavior to filter content").
        raise ServiceError(
            "invalid_value",
            "The connection has a guardrail; no request can have it read after the client does.",
            param="bedrock.guardrailConfig.streamProcessingMode",
            fix="Leave streamProcessingMode out, or send sync.",
        )
    if of_connection is None and (config.guardrailIdentifier is None or config.guardrailVersion is None):
        raise ServiceError(
            "missing_field",
            "A guardrail is named by its identifier and its version.",
            param="bedrock.guardrailConfig.guardrailIdentifier",
            fix="Send guardrailIdentifier and guardrailVersion.",
        )
    sent = config.model_dump(exclude_none=True)
    if not streamed:
        sent.pop("streamProcessingMode", None)
    return {**(of_connection or {}), **sent}
