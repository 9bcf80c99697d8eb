"""What a chat asks of Bedrock beyond OpenAI's words: an allow-list, and the connection's guardrail above it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.events import Event
from chalicelib.bedrock.stream import Chunks
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError
from tests.bedrock.converse_shape import hold

MODEL = "amazon.nova-lite-v1:0"
OWN = {"guardrailIdentifier": "gr1", "guardrailVersion": "2"}
OF_CONNECTION = {"guardrailIdentifier": "gr0", "guardrailVersion": "1"}


def _translated(bedrock: Any = None, guardrail: dict[str, str] | None = None, **fields: Any) -> Any:
    messages = [{"role": "user", "content": "Hi"}]
    request = {"model": MODEL, "messages": messages, "bedrock": bedrock, **fields}
    translation = to_converse(ChatRequest.model_validate(request), guardrail)
    if not fields.get("stream"):
        hold(translation.body, MODEL)
    return translation


PASSED = {
    "a guardrail": ({"guardrailConfig": OWN}, {"guardrailConfig": OWN}),
    "fields of the model": (
        {"additionalModelRequestFields": {"top_k": 5}},
        {"additionalModelRequestFields": {"top_k": 5}},
    ),
    "fields of the model's answer": (
        {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
        {"additionalModelResponseFieldPaths": ["/stop_sequence"]},
    ),
    "faster servers": (
        {"performanceConfig": {"latency": "optimized"}},
        {"performanceConfig": {"latency": "optimized"}},
    ),
    "labels": ({"requestMetadata": {"team": "a b"}}, {"requestMetadata": {"team": "a b"}}),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize(("asked", "sent"), PASSED.values(), ids=PASSED)
def test_what_is_allowed_is_passed_on(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """Under Converse's own names."""
    assert _translated(asked).body == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]} | sent


REFUSED = {
    "a prompt of its own": {"promptVariables": {"a": {"text": "b"}}},
    "a model of its own": {"modelId": "x"},
    "tools by the back door": {"additionalModelRequestFields": {"tools": [{"type": "computer"}]}},
    "a choice of tools by the back door": {"additionalModelRequestFields": {"tool_choice": {"type": "any"}}},
    "a system prompt by the back door": {"additionalModelRequestFields": {"system": "Obey."}},
    "a guardrail by the back door": {"additionalModelRequestFields": {"amazon-bedrock-guardrailConfig": {}}},
    "a guardrail with a strange name": {"guardrailConfig": {**OWN, "guardrailIdentifier": "gr 1"}},
    "a guardrail with a strange version": {"guardrailConfig": {**OWN, "guardrailVersion": "latest"}},
    "seventeen labels": {"requestMetadata": {str(n): "x" for n in range(17)}},
    "a label with a line break that is none": {"requestMetadata": {"a": "\u2028<"}},
    "a path that is none": {"additionalModelResponseFieldPaths": ["usage"]},
    "a latency that is none": {"performanceConfig": {"latency": "fast"}},
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(asked: dict[str, Any]) -> None:
    """A field that reaches the model unread says anything to it."""
    with pytest.raises(ValidationError):
        _translated(asked)


def test_the_guardrail_of_the_connection_stays() -> None:
    """No request leaves it out, weakens it or puts another in its place; its trace may be asked for."""
    traced = {"guardrailConfig": {"trace": "enabled"}}

    assert _translated(None, OF_CONNECTION).body["guardrailConfig"] == OF_CONNECTION
    assert _translated({}, OF_CONNECTION).body["guardrailConfig"] == OF_CONNECTION
    assert _translated(traced, OF_CONNECTION).body["guardrailConfig"] == {**OF_CONNECTION, "trace": "enabled"}
    late = {"streamProcessingMode": "async"}
    for own in (OWN, {"guardrailVersion": "DRAFT"}, {"guardrailIdentifier": "gr1"}, late):
        with pytest.raises(ServiceError) as refused:
            _translated({"guardrailConfig": own}, OF_CONNECTION, stream=True)
        assert refused.value.code == "invalid_value"


@pytest.mark.parametrize("path", ["/content", "/content/0/text", "/stop_sequence/../content", "/"])
def test_no_path_leads_around_the_connections_guardrail(path: str) -> None:
    """Converse gives fields of the model's own answer, and AWS says nowhere that its guardrail has read those."""
    with pytest.raises(ServiceError) as refused:
        _translated({"additionalModelResponseFieldPaths": ["/stop_sequence", path]}, OF_CONNECTION)

    assert refused.value.param == "bedrock.additionalModelResponseFieldPaths"
    for guardrail, asked in ((None, path), (OF_CONNECTION, "/stop_sequence")):
        body = _translated({"additionalModelResponseFieldPaths": [asked]}, guardrail).body
        assert body["additionalModelResponseFieldPaths"] == [asked]


def test_a_guardrail_has_a_name_and_a_version() -> None:
    """Half of it would be refused by AWS in words about its own request."""
    with pytest.raises(ServiceError) as refused:
        _translated({"guardrailConfig": {"trace": "enabled"}})

    assert refused.value.code == "missing_field"


def test_how_a_guardrail_reads_a_stream_is_for_streams() -> None:
    """Converse knows no such field."""
    asked = {"guardrailConfig": {**OWN, "streamProcessingMode": "async"}}

    assert _translated(asked).body["guardrailConfig"] == OWN
    assert _translated(asked, stream=True).body["guardrailConfig"]["streamProcessingMode"] == "async"


def test_a_field_is_said_once() -> None:
    """An effort and a budget of thinking in one request contradict each other."""
    asked = {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    with pytest.raises(ServiceError) as refused:
        _translated(asked, model=model, reasoning_effort="low")

    assert refused.value.param == "bedrock.additionalModelRequestFields.thinking"


ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1},
    "trace": {"guardrail": {"actionReason": "said x"}},
    "serviceTier": {"type": "flex"},
}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (None, None),
        ({}, None),
        ({"guardrailConfig": OWN}, None),
        ({"guardrailConfig": {**OWN, "trace": "enabled"}}, {"trace": ANSWER["trace"]}),
    ],
)
def test_a_trace_is_shown_to_who_asks(asked: Any, shown: Any) -> None:
    """It may repeat what was said, so it is in the answer alone, and only when asked for."""
    translation = _translated(asked, service_tier="flex")
    answer: Any = from_converse(ANSWER, completion_id="c", created=1, model="m", translation=translation).document()

    assert (answer.get("bedrock"), answer["service_tier"]) == (shown, "flex")


KEPT_BACK = "the mill burnt down"
MASKED: dict[str, Any] = {
    "guardrail": {
        "modelOutput": [KEPT_BACK],
        "inputAssessment": {"gr0": {"wordPolicy": {"customWords": [{"match": "mill", "action": "NONE"}]}}},
        "outputAssessments": {
            "gr0": [
                {"sensitiveInformationPolicy": {"piiEntities": [{"type": "NAME", "match": KEPT_BACK}]}},
                {"automatedReasoningPolicy": {"findings": [{"noTranslations": {"texts": [KEPT_BACK]}}]}},
            ]
        },
        "actionReason": "Guardrail masked.",
    }
}


def test_a_trace_tells_nothing_of_what_the_guardrail_kept_back() -> None:
    """The model's own words and what was masked in them stand in AWS's trace: asking for it would lead around it."""
    asked = {"guardrailConfig": {"trace": "enabled_full"}}
    translation = _translated(asked, OF_CONNECTION)
    assert translation.extended
    whole = from_converse(
        {**ANSWER, "trace": MASKED}, completion_id="c", created=1, model="m", translation=translation
    ).document()
    chunks = Chunks(
        completion_id="c", created=1, model="m", include_usage=False, tool_names={}, answer_tool=None, extended=True
    )
    events = [
        Event("messageStart", {"role": "assistant"}),
        Event("messageStop", {"stopReason": "guardrail_intervened"}),
        Event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1}, "trace": MASKED}),
    ]
    streamed = "".join(chunks.lines(events))

    for text in (json.dumps(whole), streamed):
        assert KEPT_BACK not in text
        for told in ('"match": "mill"', "Guardrail masked.", '"type": "NAME"'):
            assert told in text


@pytest.mark.parametrize(
    ("tier", "sent", "changed"),
    [
        ("auto", None, ()),
        ("default", {"type": "default"}, ()),
        ("flex", {"type": "flex"}, ()),
        ("priority", {"type": "priority"}, ()),
        ("scale", None, ("service_tier",)),
    ],
)
def test_service_tiers_have_converses_words(tier: str, sent: Any, changed: tuple[str, ...]) -> None:
    """One that Bedrock has not is named."""
    translation = _translated(service_tier=tier)

    assert (translation.body.get("serviceTier"), translation.changed) == (sent, changed)
