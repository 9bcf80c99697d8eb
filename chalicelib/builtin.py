"""The operator's own model: fills the gap between a prompt and a suffix, with the service's credentials.

The one place where those meet a model. It knows neither sessions nor keys of tenants, and a test holds it to that:
whatever a request carries, it can't reach this call, and this call can't stand in for one that a tenant asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM
from chalicelib.bedrock.stops import finish_reason, usage_of
from chalicelib.chat import ChatRequest
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chalicelib.bedrock.converse import Translation
    from chalicelib.bedrock.events import Event, Events
    from chalicelib.bedrock.signing import Credentials
    from chalicelib.bedrock.wire import Wire
    from chalicelib.chat import Completion
    from chalicelib.chat.shapes import TextCompletion, TokenUsage

_TASK: Final = (
    "You complete a text at a gap. The user's message holds what stands before the gap, and where there is one, what"
    " stands after it. Answer with exactly the text that belongs into the gap: no explanation, no repetition, no fence."
)


@dataclass(frozen=True, slots=True)
class Gap:
    """What is to be completed, and how; `most_tokens` bounds the answer."""

    prompt: str
    suffix: str
    most_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None

    @property
    def most_cost(self) -> int:
        """The tokens that it costs at the most; the question is estimated from above, an octet each."""
        return len(f"{_TASK}{self.prompt}{self.suffix}".encode("utf-8", "surrogatepass")) + self.most_tokens

    def chat(self, model: str) -> ChatRequest:
        """Return the chat that asks for it."""
        asked = f"<before>{self.prompt}</before>" + (f"\n<after>{self.suffix}</after>" if self.suffix else "")
        return ChatRequest.model_validate(
            {
                "model": model,
                "messages": [{"role": "system", "content": _TASK}, {"role": "user", "content": asked}],
                "max_tokens": self.most_tokens,
                "temperature": self.temperature,
                "top_p": self.top_p,
                "stop": self.stop,
            }
        )


class BuiltInModel:
    """The model that the operator pays for. `credentials` gives the service's own, asked for with each call."""

    def __init__(self, wire: Wire, credentials: Callable[[], Credentials], region: str, model: str) -> None:
        self._wire = wire
        self._credentials = credentials
        self._region = region
        self.model = model

    def asked(self, gap: Gap) -> Translation:
        """Return what the model is asked, and the names of fields that it does not take as they are."""
        return to_converse(gap.chat(self.model))

    def fill(self, translation: Translation, *, completion_id: str, created: int, seconds: float) -> Completion:
        """Return the text for the gap. Raises `ServiceError`."""
        try:
            answer = self._wire.call(
                self._credentials(),
                self._region,
                CONVERSE,
                model=self.model,
                body=translation.body,
                seconds=seconds,
            )
        except (AwsError, Unreachable) as failure:
            raise explain_to_tenant(failure) from failure
        return from_converse(
            answer.body, completion_id=completion_id, created=created, model=self.model, translation=translation
        )

    def stream(self, translation: Translation, *, seconds: float) -> Events:
        """Return the events of the answer, the first one there. Raises `ServiceError`."""
        try:
            return self._wire.stream(
                self._credentials(),
                self._region,
                CONVERSE_STREAM,
                model=self.model,
                body=translation.body,
                seconds=seconds,
            )
        except (AwsError, Unreachable) as failure:
            raise explain_to_tenant(failure) from failure


class TextChunks:
    """The chunks of one completion, as OpenAI's older API has them. `tokens` is what it cost, once that is known."""

    def __init__(self, *, completion_id: str, created: int, model: str, include_usage: bool) -> None:
        self._common = {"id": completion_id, "object": "text_completion", "created": created, "model": model}
        self._include_usage = include_usage
        self.finished = False
        self.tokens: int | None = None

    def documents(self, events: Iterable[Event | None]) -> Iterator[dict[str, Any] | None]:
        """Yield the chunks of the events; None for each silence. Raises what the events raise."""
        usage: TokenUsage | None = None
        for event in events:
            if event is None:
                yield None
                continue
            match event.type, event.body:
                case "contentBlockDelta", {"delta": {"text": str(text)}} if text:
                    yield self._chunk(text, None)
                case "messageStop", {"stopReason": str(reason)}:
                    finish = finish_reason(reason)
                    self.finished = True
                    yield self._chunk("", finish)
                case "metadata", {"usage": dict() as counted}:
                    usage = usage_of(counted)
                    self.tokens = usage["total_tokens"]
        if self.finished and self._include_usage and usage is not None:
            yield {**self._common, "choices": [], "usage": usage}

    def _chunk(self, text: str, finish: str | None) -> dict[str, Any]:
        return {**self._common, "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}]}


def explain_to_tenant(failure: AwsError | Unreachable) -> ServiceError:
    """Return what to tell of a failure: the model is the operator's, so no customer has anything to mend."""
    refusal = explain(failure)
    if refusal.should_retry or refusal.code in {"invalid_value", "context_length_exceeded"}:
        return refusal
    return ServiceError(
        "built_in_model_unavailable",
        f"The operator's model can't be called: {refusal.code}.",
        fix="Tell the operator the request id.",
        whose_fix="operator",
    )


def text_completion(completion: Completion) -> TextCompletion:
    """Return a completion as OpenAI's older API has it."""
    return {
        "id": completion.id,
        "object": "text_completion",
        "created": completion.created,
        "model": completion.model,
        "choices": [
            {"text": completion.content, "index": 0, "logprobs": None, "finish_reason": completion.finish_reason}
        ],
        "usage": completion.usage,
    }
