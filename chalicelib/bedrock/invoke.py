"""InvokeModel: a call in the model's own words, and the guardrail that no such call may leave out.

Converse has the guardrail in its body, InvokeModel in headers; they are added here, so that no caller can forget them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chalicelib.bedrock.operations import COUNT_TOKENS, INVOKE_MODEL, INVOKE_MODEL_STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.signing import Signer
    from chalicelib.bedrock.wire import Answer, Wire
    from chalicelib.identifiers import ModelId


class Place(NamedTuple):
    """Where calls go: a region, the guardrail as headers, and whose connection it is.

    Keys that came with a request have no connection, so no guardrail, and nothing is remembered of them.
    """

    region: str
    guardrail: Mapping[str, str]
    connection_id: str


class Invoker:
    """Makes the calls. Every method raises `AwsError` and `Unreachable`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def whole(
        self, signer: Signer, place: Place, model: ModelId, body: Mapping[str, object], seconds: float | None = None
    ) -> Answer:
        """Return the model's answer."""
        return self._wire.call(
            signer,
            place.region,
            INVOKE_MODEL,
            model=str(model),
            body=body,
            headers=place.guardrail,
            seconds=seconds,
        )

    def stream(
        self, signer: Signer, place: Place, model: ModelId, body: Mapping[str, object], seconds: float
    ) -> Events:
        """Return the model's answer as it is made, once it has begun."""
        return self._wire.stream(
            signer,
            place.region,
            INVOKE_MODEL_STREAM,
            model=str(model),
            body=body,
            headers=place.guardrail,
            seconds=seconds,
        )

    def count(self, signer: Signer, place: Place, foundation_model: str, body: Mapping[str, object]) -> Answer:
        """Return how many tokens a question has. AWS counts for foundation models alone: profiles it refuses.

        (github.com/pydantic/pydantic-ai/issues/4001)
        """
        return self._wire.call(signer, place.region, COUNT_TOKENS, model=foundation_model, body=body)
