"""LangChain's client of OpenAI through the API: text, stream, tools, JSON of a schema, a refusal, a broken stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from sandbox.world import World
    from tests.far_customer import Onboarding

SAID: Final = "Tell me of the river and the two mills beside it."
NOVA: Final = "bedrock/amazon.nova-lite-v1:0"
NATIVE: Final = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class Place(BaseModel):
    """A place."""

    city: str
    days: int


def weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def _model(tenant: Onboarding, name: str = NOVA, **more: Any) -> ChatOpenAI:
    key = SecretStr(str(tenant.api.token))
    return ChatOpenAI(model=name, base_url=f"{tenant.api.url}/v1", api_key=key, max_retries=0, **more)


def test_it_reads_answers(tenant: Onboarding) -> None:
    """Whole, and in pieces that make the same; tokens are counted in both."""
    model = _model(tenant, stream_usage=True)
    whole = model.invoke(SAID)
    parts = list(model.stream(SAID))

    assert "river" in str(whole.content)
    assert "".join(str(part.content) for part in parts) == whole.content
    assert whole.usage_metadata is not None
    assert (
        sum(part.usage_metadata["total_tokens"] for part in parts if part.usage_metadata)
        == (whole.usage_metadata["total_tokens"])
    )


def test_it_calls_tools(tenant: Onboarding) -> None:
    """A call, its result, and the answer; the same call in pieces."""
    model = _model(tenant).bind_tools([weather])
    called = model.invoke(SAID)
    [call] = called.tool_calls
    result = ToolMessage(content=weather(str(call["args"]["city"])), tool_call_id=str(call["id"]))
    answer = model.invoke([HumanMessage(SAID), called, result])
    streamed: Any = None
    for part in model.stream(SAID):
        streamed = part if streamed is None else streamed + part

    assert call["name"] == "weather"
    assert "Sunny" in str(answer.content)
    assert [(one["name"], one["args"]) for one in streamed.tool_calls] == [("weather", call["args"])]


@pytest.mark.parametrize("name", [NOVA, NATIVE])
def test_it_gets_json(tenant: Onboarding, name: str) -> None:
    """Of a schema, by a tool of ours or by Bedrock itself, the same to the client; and any in OpenAI's JSON mode."""
    found = _model(tenant, name).with_structured_output(Place, method="json_schema").invoke(SAID)
    loose = _model(tenant, name).with_structured_output(method="json_mode").invoke(SAID)

    assert isinstance(found, Place)
    assert isinstance(loose, dict)


def test_a_refusal_is_openais(world: World, tenant: Onboarding) -> None:
    """LangChain passes the exception of OpenAI's client on."""
    fault = {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": "ThrottlingException"}
    world.aws.faults.add({**fault, "times": 3})
    with pytest.raises(openai.RateLimitError) as raised:
        _model(tenant).invoke(SAID)

    assert raised.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("kind", ["cut", "early_end", "half_frame"])
def test_a_broken_stream_is_an_error(world: World, tenant: Onboarding, kind: str) -> None:
    """Not a short answer."""
    more = {"after_events": 4} if kind == "cut" else {}
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "ConverseStream", "kind": kind, **more})
    with pytest.raises(openai.APIError):
        list(_model(tenant).stream(SAID))
