"""`POST /v1/completions`: the gap in a text, filled by the operator's model, whatever key or connection is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE_STREAM
from chalicelib.bedrock.stream import DONE, PING
from chalicelib.builtin import Gap, TextChunks, explain_to_tenant, text_completion
from chalicelib.chat import StreamOptions, Whole
from chalicelib.chat.messages import unsupported
from chalicelib.chat.request import require_stream
from chalicelib.errors import ServiceError
from chalicelib.onboarding.limits import TakenTokens
from chalicelib.routes import bodies
from chalicelib.routes.codes import envelope
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.upstream import PING_SECONDS, ignored_header, stream_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from chalicelib.bedrock.converse import Translation
    from chalicelib.bedrock.events import Events
    from chalicelib.builtin import BuiltInModel
    from chalicelib.chat.shapes import TextCompletion
    from chalicelib.onboarding.limits import TokenLimit
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request
    from chalicelib.settings import Settings

_LONGEST: Final = 100_000
"""Characters of prompt and suffix, each: more than an editor sends, less than a day's tokens."""
_USUAL_TOKENS: Final = 16
"""OpenAI's own default (API reference, completions)."""
_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
    "n": (None, 1), "best_of": (None, 1), "echo": (None, False), "logprobs": (None,),
}  # fmt: skip
"""Fields that change the answer and are not built, with the values that ask for nothing."""
_NOBODY_THERE: Final = frozenset({"dns", "connect", "tls"})
"""Ways in which a call goes wrong before anybody has it."""
_CREDENTIAL: Final = {"Rolecall-Credential": "operator"}


class CompletionRequest(BaseModel):
    """The body. `model` may be anything: there is one model."""

    model_config = ConfigDict(extra="allow", frozen=True)

    prompt: Annotated[str, Field(max_length=_LONGEST)]
    suffix: Annotated[str, Field(max_length=_LONGEST)] | None = None
    model: str | None = None
    max_tokens: Annotated[Whole, Field(ge=1, le=4096, strict=True)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None
    stream_options: StreamOptions | None = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _one_text(cls, prompt: object) -> object:
        """Take a list of one text for that text, as OpenAI does; tokens mean nothing to another maker's model."""
        if isinstance(prompt, list):
            if len(prompt) == 1 and isinstance(prompt[0], str):
                return prompt[0]
            raise PydanticCustomError("prompt_type", "Input should be one text")
        return prompt

    def ignored_fields(self) -> list[str]:
        """Return the names of what is left out. Raises `unsupported_parameter` for what can't be."""
        extra = self.model_extra or {}
        for name, neutral in _NEUTRAL.items():
            if not any(extra.get(name) is one or extra.get(name) == one for one in neutral):
                raise unsupported(name, f"{name} is")
        require_stream(self.stream_options, stream=self.stream is True)
        return [name for name in extra if name not in _NEUTRAL]

    def gap(self) -> Gap:
        """Return what is to be completed. Raises `invalid_value` when there is nothing around the gap."""
        if not (self.prompt + (self.suffix or "")).strip():
            raise ServiceError("invalid_value", "There is no text to complete.", param="prompt")
        most = self.max_tokens or _USUAL_TOKENS
        return Gap(self.prompt, self.suffix or "", most, self.temperature, self.top_p, self.stop)


class CompletionRoutes:
    """The view. `built_in` is None where the operator has not set a model and a limit: then it answers 501."""

    def __init__(
        self, built_in: tuple[BuiltInModel, TokenLimit] | None, clock: Callable[[], datetime], settings: Settings
    ) -> None:
        self._built_in = built_in
        self._clock = clock
        self._most_seconds = float(settings.stream_max_seconds)

    def register(self, boundary: Boundary) -> None:
        """Add the route."""
        boundary.protected("POST", "/v1/completions", "completions:invoke", self.complete)

    def complete(self, request: Request, caller: Caller) -> Reply[TextCompletion] | EventStream:
        """Fill a gap, whole or as it is made. Keys and connections that the request names are not read, and named."""
        if self._built_in is None:
            raise ServiceError(
                "completions_not_configured",
                "Completions are off: the operator has set no model for them.",
                fix="Use POST /v1/chat/completions, or ask the operator to set BUILT_IN_MODEL.",
                whose_fix="operator",
            )
        model, limit = self._built_in
        body = bodies.parse_large(request, CompletionRequest)
        gap = body.gap()
        asked = model.asked(gap)
        changed = [name for name in asked.changed if name in CompletionRequest.model_fields]
        ignored = [*body.ignored_fields(), *changed, *_credentials_named(request)]
        headers = {**_CREDENTIAL, **ignored_header(ignored)}
        taken = limit.take(caller.tenant, gap.most_cost)
        if not isinstance(taken, TakenTokens):
            raise ServiceError(
                "completion_tokens_used_up",
                "This tenant has not as many tokens left today as this completion may take.",
                fix="Ask for less, or wait until midnight (UTC).",
                retry_after=taken,
            )
        seconds = stream_seconds(request, self._most_seconds)
        made: dict[str, Any] = {"completion_id": f"cmpl-{request.id}", "created": int(self._clock().timestamp())}
        if body.stream:
            return self._streamed(model, body, asked, taken, request, headers, seconds, made)
        try:
            completion = model.fill(asked, seconds=seconds, **made)
        except ServiceError as error:
            _give_back(taken, error)
            raise
        taken.settle(completion.usage["total_tokens"])
        return Reply(text_completion(completion), headers=headers)

    def _streamed(
        self,
        model: BuiltInModel,
        body: CompletionRequest,
        asked: Translation,
        taken: TakenTokens,
        request: Request,
        headers: dict[str, str],
        seconds: float,
        made: dict[str, Any],
    ) -> EventStream:
        try:
            events = model.stream(asked, seconds=seconds)
        except ServiceError as error:
            _give_back(taken, error)
            raise
        usage = body.stream_options is not None and body.stream_options.include_usage is True
        chunks = TextChunks(model=model.model, include_usage=usage, **made)
        headers = {**headers, "Cache-Control": "no-store"}
        return EventStream(_lines(chunks, events, taken, request), headers, live=request.can_stream)


def _give_back(taken: TakenTokens, error: ServiceError) -> None:
    """Give back what was taken for a call that AWS refused, or never had.

    Where the answer alone was lost or came broken, the model has made it at the operator's expense.
    """
    failure = error.__cause__
    lost = isinstance(failure, Unreachable) and failure.kind not in _NOBODY_THERE
    if not lost and error.code != "upstream_error":
        taken.settle(0)


def _credentials_named(request: Request) -> list[str]:
    """Return the names of headers that name a key or a connection: nobody reads what is in them."""
    return sorted(name for name in request.header_names() if name.startswith("rolecall-"))


def _lines(chunks: TextChunks, events: Events, taken: TakenTokens, request: Request) -> Iterator[str]:
    """Yield the lines; whatever ends them early is an error event, and no `[DONE]`. What was used is counted last."""
    try:
        for document in chunks.documents(events.within(PING_SECONDS)):
            yield PING if document is None else f"data: {json.dumps(document)}\n\n"
        if chunks.finished:
            yield DONE
        else:
            yield _error(explain(Unreachable("bedrock-runtime", CONVERSE_STREAM.name, "cut", begun=True)), request)
    except (AwsError, Unreachable) as failure:
        yield _error(explain_to_tenant(failure), request)
    except ServiceError as error:
        yield _error(error, request)
    finally:
        events.close()
        if chunks.tokens is not None:
            taken.settle(chunks.tokens)


def _error(error: ServiceError, request: Request) -> str:
    request.notes["code"] = error.code
    return f"data: {json.dumps(envelope(error, request.id))}\n\n"
