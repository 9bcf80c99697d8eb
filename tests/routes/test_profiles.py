"""Application profiles, which customers make to see what a team costs: neither ARN nor name tells the model behind."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World
    from tests.far_customer import Onboarding

_numbers = itertools.count()
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Tell me of the mill."}], "max_tokens": 3000}
ASKED = ("bedrock", "GetInferenceProfile")


@pytest.fixture
def profile(world: World, tenant: Onboarding) -> Callable[[], tuple[str, str]]:
    """Give a way to make a profile of Haiku; its name and its ARN are returned."""
    source = f"arn:aws:bedrock:us-east-1:{world.accounts.customer.account}:inference-profile/{HAIKU}"

    def make() -> tuple[str, str]:
        name = f"profile-{next(_numbers)}"
        made = tenant.customer.client("bedrock").create_inference_profile(
            inferenceProfileName=name, modelSource={"copyFrom": source}
        )
        world.aws.calls.clear()
        return name, str(made["inferenceProfileArn"])

    return make


@pytest.mark.parametrize("by", ["name", "ARN"])
def test_a_chat_is_put_in_the_words_of_the_model_behind(
    world: World, tenant: Onboarding, profile: Callable[[], tuple[str, str]], by: str
) -> None:
    """Haiku 4.5 refuses temperature beside top_p, and thinks by a budget; AWS is asked once which model it is."""
    name, arn = profile()
    model = name if by == "name" else arn
    for effort in (None, "low"):
        chat = {**CHAT, "model": model, "temperature": 0.5, "top_p": 0.5, "reasoning_effort": effort}
        answer = tenant.api.post("/v1/chat/completions", chat)
        assert (answer.status, answer.json["model"]) == (200, model)
        assert "top_p" in answer.headers["Rolecall-Ignored-Fields"]
        assert ("reasoning_content" in answer.json["choices"][0]["message"]) == (effort == "low")

    assert world.aws.calls.count(*ASKED) == 1


def test_a_profile_that_cant_be_read_is_asked_as_any_model(
    world: World, tenant: Onboarding, profile: Callable[[], tuple[str, str]]
) -> None:
    """The chat goes on without what would be known; AWS, which refused, is left alone for a while."""
    world.aws.faults.add(
        {"service": "bedrock", "operation": "GetInferenceProfile", "kind": "error", "code": "AccessDenied"}
    )
    _, arn = profile()
    for _ in range(3):
        assert tenant.api.post("/v1/chat/completions", {**CHAT, "model": arn}).status == 200
    refused = tenant.api.post("/v1/chat/completions", {**CHAT, "model": arn, "reasoning_effort": "low"})

    assert (refused.status, refused.error["param"]) == (400, "reasoning_effort")
    assert world.aws.calls.count(*ASKED) == 1


def test_what_only_passes_is_not_remembered(
    world: World, tenant: Onboarding, profile: Callable[[], tuple[str, str]]
) -> None:
    """A throttled look does not make the model unknown to the chats after it."""
    fault = {"service": "bedrock", "operation": "GetInferenceProfile", "kind": "error"}
    world.aws.faults.add({**fault, "code": "ThrottlingException", "times": 2})
    _, arn = profile()
    chat = {**CHAT, "model": arn, "temperature": 0.5, "reasoning_effort": "low"}
    answers = [tenant.api.post("/v1/chat/completions", chat).status for _ in range(2)]

    assert answers == [400, 200]
    assert world.aws.calls.count(*ASKED) == 3


def test_a_session_that_ended_says_nothing_of_a_profile(
    world: World, tenant: Onboarding, profile: Callable[[], tuple[str, str]]
) -> None:
    """AWS refused the session, not the look: with the next session it is looked again, and the model is known."""
    fault = {"service": "bedrock", "operation": "GetInferenceProfile", "kind": "error"}
    world.aws.faults.add({**fault, "code": "ExpiredTokenException", "times": 1})
    _, arn = profile()
    chat = {**CHAT, "model": arn, "temperature": 0.5, "reasoning_effort": "low"}
    answer = tenant.api.post("/v1/chat/completions", chat)

    assert answer.status == 200, answer.text
    assert world.aws.calls.count(*ASKED) == 2


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "bedrock/claude-haiku-4-5-20251001"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_claude_is_called_by_anthropics_own_name(world: World, tenant: Onboarding, path: str, model: str) -> None:
    """As coding agents send it; what Bedrock is asked for is the profile of this part of the world."""
    answer = tenant.api.post(path, {**CHAT, "model": model})

    assert (answer.status, answer.json["model"]) == (200, model)
