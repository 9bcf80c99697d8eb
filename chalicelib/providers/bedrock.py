"""Bedrock with a key of the customer's own: the same wire, catalog and translation that roles use."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from chalicelib.bedrock.catalog import list_models
from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.events import IDLE_SECONDS
from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM
from chalicelib.bedrock.signing import ApiKey, Credentials
from chalicelib.bedrock.stream import DONE, PING, Chunks
from chalicelib.chat import ChatRequest
from chalicelib.identifiers import ModelId
from chalicelib.providers.base import VERIFY_SECONDS, Chat, ChatStream, KeyCheck, ProviderModel
from chalicelib.providers.credentials import AwsKeys
from chalicelib.providers.failures import ProviderRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from chalicelib.bedrock.catalog import Catalog, Model
    from chalicelib.bedrock.converse import Translation
    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.signing import Signer
    from chalicelib.bedrock.wire import Wire
    from chalicelib.errors import ServiceError
    from chalicelib.providers.base import Question, Verdict
    from chalicelib.providers.credentials import BedrockKey

_T = TypeVar("_T")
_VERDICTS: Final[dict[str, Verdict]] = {
    "provider_key_rejected": "invalid",
    # Only a caller whom AWS knows is told what it may not do.
    "provider_permission_denied": "limited",
    "scp_denied": "limited",
    "model_access_denied": "limited",
    "account_not_authorized": "limited",
    "rate_limit_exceeded": "limited",
}


class _Told(NamedTuple):
    code: str
    message: str
    fix: str


_REJECTED: Final = _Told(
    "provider_key_rejected",
    "AWS does not take this key.",
    "Copy it again, whole: id, secret, session token and region belong together.",
)
_TOLD: Final = {
    "invalid_aws_credentials": _REJECTED,
    "expired_credentials": _Told("provider_key_rejected", "The time of this session's keys is over.", "Get new ones."),
    "role_permission_denied": _Told(
        "provider_permission_denied",
        "AWS knows the key, and does not let it do this.",
        "Allow its user or role bedrock:ListFoundationModels, bedrock:ListInferenceProfiles and bedrock:InvokeModel.",
    ),
}
_OF_API_KEYS: Final = re.compile(r"(?i)api key is valid|invalid api key|bearer token")
"""How Bedrock refuses an API key, with AccessDenied's status: github.com/ai4s-research/open-science/issues/53,
github.com/OpenHands/software-agent-sdk/pull/2195."""


class Bedrock:
    """AWS keys or a Bedrock API key, for one request."""

    def __init__(self, credential: AwsKeys | BedrockKey, wire: Wire) -> None:
        self.region: Final = credential.region
        self._signer = _signer(credential)
        self._wire = wire

    def run(self, call: Callable[[Signer], _T]) -> _T:
        """Make a call with this identity. Raises `ServiceError` for what AWS refused, and where it did not answer."""
        try:
            return call(self._signer)
        except (AwsError, Unreachable) as failure:
            raise self.told(failure) from failure

    def verify(self) -> KeyCheck:
        """List the models. A denial proves the key as well as a list does, so nothing else need be asked."""
        catalog = list_models(self._wire, self._signer, self.region, seconds=VERIFY_SECONDS)
        models = _rows(catalog)
        if not catalog.failures:
            return KeyCheck("valid", models)
        failure = catalog.failures[0]
        refusal = self.told(failure)
        if isinstance(failure, Unreachable):
            return KeyCheck("unreachable", models, refusal)
        return KeyCheck("limited" if models else _VERDICTS.get(refusal.code, "unknown"), models, refusal)

    def models(self) -> Sequence[ProviderModel]:
        """Return what this identity can call; profiles and models, as for a role."""
        return _rows(self.catalog())

    def catalog(self) -> Catalog:
        """Return the same as Bedrock has it. Raises `ServiceError` where nothing could be listed."""
        catalog = list_models(self._wire, self._signer, self.region)
        if catalog.failures and not catalog.models:
            raise self.told(catalog.failures[0]) from catalog.failures[0]
        return catalog

    def listed(self, name: str) -> Model:
        """Return what the catalog has of a model, by any name that finds it. Raises `ServiceError`."""
        return self.catalog().require(name, whose="This key")

    def model(self, name: str) -> ModelId:
        """Return a model by its id; by any other name it has to be looked for, as nothing is kept of a key.

        Raises `ServiceError`.
        """
        return ModelId.parse(self.listed(name).id if ModelId.is_name(name) else name, region=self.region)

    def chat(self, question: Question) -> Chat:
        """Answer a chat through Converse, with the translation that roles use."""
        model, request, translation = self._translated(question)
        try:
            answer = self._wire.call(
                self._signer, self.region, CONVERSE, model=model, body=translation.body, seconds=question.seconds
            )
        except (AwsError, Unreachable) as failure:
            raise translation.told(self.told(failure)) from failure
        completion = from_converse(
            answer.body,
            completion_id=f"chatcmpl-{answer.request_id}",
            created=int(time.time()),
            model=request.model,
            translation=translation,
        )
        return Chat(completion.document(), translation.changed, answer.request_id)

    def stream(self, question: Question) -> ChatStream:
        """Answer a chat through ConverseStream, with the translation that roles use."""
        model, request, translation = self._translated(question)
        try:
            events = self._wire.stream(
                self._signer,
                self.region,
                CONVERSE_STREAM,
                model=model,
                body=translation.body,
                seconds=question.seconds,
            )
        except (AwsError, Unreachable) as failure:
            raise translation.told(self.told(failure)) from failure
        options = request.stream_options
        made = Chunks(
            completion_id=f"chatcmpl-{events.request_id}",
            created=int(time.time()),
            model=request.model,
            include_usage=options is not None and options.include_usage is True,
            tool_names=translation.tool_names,
            answer_tool=translation.answer_tool,
            extended=translation.extended,
        )
        return ChatStream(self._chunks(made, events), events.close, translation.changed, events.request_id)

    def _translated(self, question: Question) -> tuple[str, ChatRequest, Translation]:
        # Before the body, which was read with the provider's name before the model's: alone, that leaves no model.
        model = str(self.model(question.model))
        request = ChatRequest.model_validate({**question.body, "model": question.model})
        ignored = request.ignored_fields()
        translation = to_converse(request, preamble=question.preamble, known_as=model)
        return model, request, replace(translation, changed=(*ignored, *translation.changed))

    def _chunks(self, made: Chunks, events: Events) -> Generator[dict[str, Any], None, None]:
        try:
            for line in made.lines(events.within(IDLE_SECONDS)):
                if line not in {DONE, PING}:
                    yield json.loads(line.removeprefix("data: "))
            if not made.finished:
                raise explain(Unreachable("bedrock-runtime", CONVERSE_STREAM.name, "cut", begun=True))
        except (AwsError, Unreachable) as failure:
            raise self.told(failure) from failure
        finally:
            events.close()

    def told(self, failure: AwsError | Unreachable) -> ServiceError:
        """Return the refusal in the words of someone who brought a key instead of a role."""
        refusal = explain(failure)
        if isinstance(failure, AwsError) and failure.status == 403 and _OF_API_KEYS.search(failure.message):
            told = _REJECTED
        elif refusal.code in _TOLD:
            told = _TOLD[refusal.code]
        else:
            return refusal
        # To whoever signed wrongly AWS repeats what was signed, a session's token included: not in an error of ours.
        said = f" {refusal.message}" if told.code == "provider_permission_denied" else ""
        return ProviderRefusal(
            told.code,
            f"{told.message}{said}",
            fix=told.fix,
            whose_fix="customer",
            retry_after=None,
            should_retry=False,
            request_id=refusal.aws_request_id,
        )


def _signer(credential: AwsKeys | BedrockKey) -> Signer:
    if isinstance(credential, AwsKeys):
        token = credential.session_token
        return Credentials(
            credential.access_key_id.get_secret_value(),
            credential.secret_access_key.get_secret_value(),
            "" if token is None else token.get_secret_value(),
        )
    return ApiKey(credential.key.get_secret_value())


def _rows(catalog: Catalog) -> list[ProviderModel]:
    return [ProviderModel(model.id, model.provider, model.name, details=model.details()) for model in catalog.models]
