"""InvokeModel: a call in the model's own words, and the guardrail that no such call may leave out.

Converse has the guardrail in its body, InvokeModel in headers; they are added here, so that no caller can forget them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.failures import AwsError
from chalicelib.bedrock.operations import COUNT_TOKENS, GET_INFERENCE_PROFILE, INVOKE_MODEL, INVOKE_MODEL_STREAM
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.signing import Signer
    from chalicelib.bedrock.wire import Answer, Wire
    from chalicelib.identifiers import ModelId

_REMEMBERED: Final = 1000


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
        self._behind: dict[tuple[str, str], str] = {}

    def whole(
        self, signer: Signer, place: Place, model: ModelId, body: Mapping[str, Any], seconds: float | None = None
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

    def stream(self, signer: Signer, place: Place, model: ModelId, body: Mapping[str, Any], seconds: float) -> Events:
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

    def count(self, signer: Signer, place: Place, foundation_model: str, body: Mapping[str, Any]) -> Answer:
        """Return how many tokens a question has. AWS counts for foundation models alone: profiles it refuses.

        (github.com/pydantic/pydantic-ai/issues/4001)
        """
        return self._wire.call(signer, place.region, COUNT_TOKENS, model=foundation_model, body=body)

    def foundation_model(self, signer: Signer, place: Place, model: ModelId) -> str:
        """Return the id of the foundation model that answers.

        Of a profile that the customer made AWS is asked, once for a connection: a profile leads to the same model as
        long as it lives. Raises `ServiceError` for a custom, imported or provisioned model: nothing tells of those.
        """
        key = (place.connection_id, str(model))
        known = model.foundation_model_id or self._behind.get(key)
        if known is not None:
            return known
        if model.kind != "application-inference-profile":
            raise ServiceError(
                "model_not_supported",
                "It can't be told which foundation model is behind this one.",
                param="model",
                fix="Name a foundation model or an inference profile.",
            )
        body = self._wire.call(signer, place.region, GET_INFERENCE_PROFILE, model=str(model)).body
        rows = body.get("models")
        arns = [str(row.get("modelArn", "")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        names = {arn.rpartition("/")[2] for arn in arns} - {""}
        if len(names) != 1:
            raise AwsError("bedrock", GET_INFERENCE_PROFILE.name, 404, "ResourceNotFoundException", "No model.", "")
        if place.connection_id:
            if len(self._behind) >= _REMEMBERED:
                self._behind.clear()
            self._behind[key] = next(iter(names))
        return names.pop()
