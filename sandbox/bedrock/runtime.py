"""Bedrock Runtime: Converse, ConverseStream, CountTokens, and InvokeModel for Claude and for embeddings.

Each request goes the same way: its shape is checked, what it names is found, IAM is asked about every ARN of it, the
account's access to the model is looked at, then its rules, and only then the fake model answers.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moto.bedrockruntime.responses import BedrockRuntimeResponse

from sandbox.aws.switches import FAULTS
from sandbox.bedrock import guardrails
from sandbox.bedrock.anthropic_answers import GUARDRAIL, METRICS, chunks_of, message_of
from sandbox.bedrock.anthropic_bodies import as_converse, calls_no_tool
from sandbox.bedrock.embeddings import embed
from sandbox.bedrock.events import events_of
from sandbox.bedrock.features import check_conversation, check_native
from sandbox.bedrock.frames import CONTENT_TYPE
from sandbox.bedrock.parrot import blocked_reply, last_user_text, reply
from sandbox.bedrock.protocol import BedrockService
from sandbox.bedrock.refusals import refused
from sandbox.bedrock.stream import Link, frames
from sandbox.bedrock.targets import admitted, check_access, find_target, invalid_identifier
from sandbox.bedrock.tokens import compact, input_tokens

if TYPE_CHECKING:
    from sandbox.bedrock.account import Guardrail
    from sandbox.bedrock.catalog import Model
    from sandbox.bedrock.events import Event
    from sandbox.bedrock.parrot import Reply
    from sandbox.bedrock.protocol import Answer

_INVOKE = "bedrock:InvokeModel"
_INVOKE_STREAM = "bedrock:InvokeModelWithResponseStream"


def converse(service: BedrockService) -> Answer:
    """Answer a conversation, whole."""
    started = time.monotonic()
    request = service.checked_request()
    made, trace = _replied(service, request, _INVOKE)
    body = {
        "metrics": {"latencyMs": _milliseconds(started)},
        "output": {"message": {"role": "assistant", "content": list(made.content)}},
        "stopReason": made.stop_reason,
        "usage": made.usage(),
        **_native_fields(request, made),
        **_echoed(request),
        **trace,
    }
    return service.answer(body)


def converse_stream(service: BedrockService) -> Answer:
    """Answer a conversation as a stream of events; every refusal comes before it begins."""
    started = time.monotonic()
    request = service.checked_request()
    made, trace = _replied(service, request, _INVOKE_STREAM)
    ending = {"metrics": {"latencyMs": _milliseconds(started)}, **_echoed(request), **trace}
    events = events_of(made, _native_fields(request, made), ending)
    stop = next(index for index, (name, _) in enumerate(events) if name == "messageStop")
    return _stream(service, "ConverseStream", events, stop)


def _stream(service: BedrockService, operation: str, events: list[Event], stop: int) -> Answer:
    fault = FAULTS.take_stream("bedrock-runtime", operation, service.region)
    body = frames(events, stop, fault, Link(service.socket))
    headers = {"content-type": CONTENT_TYPE, "x-amzn-requestid": service.request_id}
    # In process, without a server, moto's client wants the whole body.
    return 200, headers, body if service.is_werkzeug_request else b"".join(body)


def _replied(service: BedrockService, request: dict[str, Any], action: str) -> tuple[Reply, dict[str, Any]]:
    """Return the answer, and the guardrail's trace where one was asked for. Raises AwsError."""
    model, guardrail = _admitted_model(service, request, request.get("guardrailConfig"), action)
    check_conversation(request, model, streaming=action == _INVOKE_STREAM)
    if guardrail is None:
        return reply(request, model), {}
    blocked = guardrails.blocked_words(guardrail, last_user_text(request))
    trace = _trace(guardrail, blocked) if request["guardrailConfig"].get("trace") in ("enabled", "enabled_full") else {}
    return (blocked_reply(request, guardrail.blocked_input) if blocked else reply(request, model)), trace


def _trace(guardrail: Guardrail, blocked: list[str]) -> dict[str, Any]:
    words = [{"match": word, "action": "BLOCKED", "detected": True} for word in blocked]
    assessment = {"wordPolicy": {"customWords": words, "managedWordLists": []}} if words else {}
    return {"trace": {"guardrail": {"inputAssessment": {guardrail.id: assessment}}}}


def _admitted_model(
    service: BedrockService, request: dict[str, Any], guardrail_config: dict[str, str] | None, action: str
) -> tuple[Model, Guardrail | None]:
    target = find_target(request["modelId"], service.place, service.holdings)
    named = guardrails.identifier_in_conditions(service, guardrail_config)
    target.authorise(action, service.require, {"bedrock:GuardrailIdentifier": named} if named else {})
    model = admitted(target, action, service.caller.arn, service.place, service.holdings, service.require)
    return model, guardrails.applied_guardrail(service, guardrail_config)


def _native_fields(request: dict[str, Any], made: Reply) -> dict[str, Any]:
    """Return what `additionalModelResponseFieldPaths` picks from the answer in the model's own form."""
    native: dict[str, Any] = {"stop_reason": made.stop_reason, "stop_sequence": made.stop_sequence}
    paths = [path.removeprefix("/") for path in request.get("additionalModelResponseFieldPaths", [])]
    picked = {path: native[path] for path in paths if path in native}
    return {"additionalModelResponseFields": picked} if picked else {}


def _echoed(request: dict[str, object]) -> dict[str, Any]:
    return {name: request[name] for name in ("performanceConfig", "serviceTier") if name in request}


def _milliseconds(started: float) -> int:
    return max(1, round((time.monotonic() - started) * 1000))


def count_tokens(service: BedrockService) -> Answer:
    """Answer how many tokens Converse would read; only base ids of some models can be counted for."""
    request = service.checked_request()
    target = find_target(request["modelId"], service.place, service.holdings)
    target.authorise("bedrock:CountTokens", service.require, {})
    model = target.model
    if model is None or (target.given.startswith("arn:") and target.profile_arn is None):
        raise invalid_identifier()
    check_access(model, service.holdings, service.require)
    if target.profile_arn or model.chat is None or "count_tokens" not in model.chat.has:
        raise refused("The provided model doesn't support counting tokens.")
    asked = request["input"]
    if "converse" in asked:
        converse_input = {"messages": [], **asked["converse"]}
        check_conversation(converse_input, model, streaming=False)
    else:
        converse_input = as_converse(asked["invokeModel"]["body"], model)
        check_native(converse_input, model)
    return service.answer({"inputTokens": input_tokens(converse_input)})


def invoke_model(service: BedrockService) -> Answer:
    """Answer a body in the model's own form: Claude's, or an embedding model's."""
    started = time.monotonic()
    model, guardrail = _invoked_model(service, _INVOKE)
    if model.is_claude:
        made = _native_reply(service, model, guardrail, streaming=False)
        answer, read, written = message_of(made, model), made.input_tokens, made.output_tokens
        if guardrail is not None:
            answer[GUARDRAIL] = _action(made)
    else:
        answer, read = embed(model, service.raw_body)
        written = 0
    status, headers, _ = service.answer({})
    counted = {
        "x-amzn-bedrock-input-token-count": str(read),
        "x-amzn-bedrock-output-token-count": str(written),
        "x-amzn-bedrock-invocation-latency": str(_milliseconds(started)),
    }
    return status, {**headers, **counted}, compact(answer)


def invoke_model_with_response_stream(service: BedrockService) -> Answer:
    """Answer a body in Claude's own form as a stream; no other model that InvokeModel answers for here can stream."""
    started = time.monotonic()
    model, guardrail = _invoked_model(service, _INVOKE_STREAM)
    if not model.is_claude:
        raise refused("The model is unsupported for streaming.")
    made = _native_reply(service, model, guardrail, streaming=True)
    metrics = {
        "inputTokenCount": made.input_tokens,
        "outputTokenCount": made.output_tokens,
        "invocationLatency": _milliseconds(started),
        "firstByteLatency": _milliseconds(started),
    }
    extra = {METRICS: metrics, **({} if guardrail is None else {GUARDRAIL: _action(made)})}
    events = chunks_of(made, model, extra)
    return _stream(service, "InvokeModelWithResponseStream", events, len(events) - 1)


def _invoked_model(service: BedrockService, action: str) -> tuple[Model, Guardrail | None]:
    request = service.checked_request()
    config = {name: request[name] for name in ("guardrailIdentifier", "guardrailVersion") if request.get(name)}
    return _admitted_model(service, request, config, action)


def _native_reply(service: BedrockService, model: Model, guardrail: Guardrail | None, *, streaming: bool) -> Reply:
    request = as_converse(service.raw_body, model)
    check_native(request, model, streaming=streaming)
    if guardrail is not None and guardrails.blocked_words(guardrail, last_user_text(request)):
        return blocked_reply(request, guardrail.blocked_input)
    if calls_no_tool(service.raw_body):
        made = reply({name: value for name, value in request.items() if name != "toolConfig"}, model)
        return replace(made, input_tokens=input_tokens(request))
    return reply(request, model)


def _action(made: Reply) -> str:
    return "INTERVENED" if made.stop_reason == "guardrail_intervened" else "NONE"


class SandboxBedrockRuntime(BedrockService, BedrockRuntimeResponse):
    """The service `bedrock-runtime`, which signs as `bedrock`."""

    BOTO_SERVICE = "bedrock-runtime"
    OPERATIONS = {  # noqa: RUF012 - BedrockProtocol declares it a ClassVar
        "Converse": converse,
        "ConverseStream": converse_stream,
        "CountTokens": count_tokens,
        "InvokeModel": invoke_model,
        "InvokeModelWithResponseStream": invoke_model_with_response_stream,
    }
