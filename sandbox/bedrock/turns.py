"""The rules of a conversation: who speaks when, and that each tool call has its result in the next turn.

Texts as reported by users of Converse: langgenius/dify#12340 (start), langchain-aws#192 (alternate), pi#3443 (empty),
strands-agents#1435 (too many results), sample-multi-agent-orchestration#15 (empty error), langchain-aws#141 (mixed).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sandbox.bedrock.refusals import model_refused, refused

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Chat

Message = dict[str, Any]


def check_turns(messages: list[Message], chat: Chat) -> None:
    """Raise AwsError for a conversation that Converse does not take."""
    _roles(messages)
    for index, message in enumerate(messages):
        _sides(message, index)
    _tool_pairs(messages)
    if "tool_results_alone" in chat.has:
        _results_alone(messages)
    if messages[-1]["role"] == "assistant":
        _prefill(messages[-1], chat)


def _roles(messages: list[Message]) -> None:
    if any(message["role"] == "system" for message in messages):
        raise refused("This model doesn't support the system role in messages. Use the system field and try again.")
    if not messages or messages[0]["role"] != "user":
        raise refused(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for before, after in pairwise(messages):
        if before["role"] == after["role"]:
            raise refused(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
                "between user and assistant roles and try again."
            )


def _sides(message: Message, index: int) -> None:
    if not message["content"]:
        raise refused(
            f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the "
            "content field and try again."
        )
    assistants = ("toolUse", "reasoningContent", "citationsContent")
    users = ("toolResult", "image", "document", "video", "audio", "guardContent", "searchResult")
    forbidden = assistants if message["role"] == "user" else users
    for block in message["content"]:
        for kind in forbidden:
            if kind in block:
                raise refused(f"The {kind} block isn't allowed in a message with the {message['role']} role.")


def _tool_pairs(messages: list[Message]) -> None:
    calls: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        results = [b["toolResult"]["toolUseId"] for b in message["content"] if "toolResult" in b]
        if message["role"] == "user":
            _results_answer(calls, results, index)
        calls = [b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b]
        for call in calls:
            if call in seen:
                raise model_refused(f"messages.{index}: `tool_use` ids must be unique")
            seen.add(call)
    _results_answer(calls, [], len(messages))


def _results_answer(calls: list[str], results: list[str], index: int) -> None:
    if len(results) > len(calls):
        raise refused(
            f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of "
            "previous turn."
        )
    missing = [call for call in calls if call not in results]
    if missing:
        raise refused(
            f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(missing)}"
        )


def _results_alone(messages: list[Message]) -> None:
    for index, message in enumerate(messages):
        results = ["toolResult" in block for block in message["content"] if "cachePoint" not in block]
        if any(results) and not all(results):
            raise refused(
                f"messages.{index}.content: Conversation blocks and tool result blocks cannot be provided in the same "
                "turn."
            )


def _prefill(last: Message, chat: Chat) -> None:
    if "prefill" not in chat.has:
        raise refused(
            "The model that you are using requires the last turn in the conversation to be a user message. Add a user "
            "message to the conversation and try again."
        )
    text = last["content"][-1].get("text", "")
    if text != text.rstrip():
        raise model_refused("messages: final assistant content cannot end with trailing whitespace")
