"""Which foundation model answers: the id of an application profile, which the customer made, does not tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.bedrock.failures import AwsError
from chalicelib.bedrock.operations import GET_INFERENCE_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.bedrock.signing import Signer
    from chalicelib.bedrock.wire import Wire
    from chalicelib.identifiers import ModelId

_CAPACITY: Final = 1000
_REFUSED_SECONDS: Final = 30.0
"""As long as a role's refusal is remembered: a chat by a profile that can't be read is not two calls each time."""


class _Kept(NamedTuple):
    answer: str | AwsError
    until: float


class FoundationModels:
    """Tells them, asking AWS once for a connection and profile: it leads to the same model as long as it lives."""

    def __init__(self, wire: Wire, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._wire = wire
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}

    def of(self, signer: Signer, region: str, model: ModelId, connection_id: str) -> str | None:
        """Return the id of the foundation model; None for a custom, imported or provisioned model.

        `connection_id` is empty for keys that came with a request: nothing is remembered of those. Raises `AwsError`,
        also one of a moment ago, and `Unreachable`.
        """
        if model.foundation_model_id is not None or model.kind != "application-inference-profile":
            return model.foundation_model_id
        kept = self._kept.get((connection_id, str(model)))
        if kept is None or kept.until <= self._clock():
            kept = self._asked(signer, region, model)
            if connection_id:
                if len(self._kept) >= _CAPACITY:
                    self._kept.clear()
                self._kept[connection_id, str(model)] = kept
        if isinstance(kept.answer, AwsError):
            raise kept.answer
        return kept.answer

    def _asked(self, signer: Signer, region: str, model: ModelId) -> _Kept:
        try:
            body = self._wire.call(signer, region, GET_INFERENCE_PROFILE, model=str(model)).body
        except AwsError as failure:
            if failure.passing or failure.of_credentials:
                # Neither says anything of the profile: AWS was busy, or did not take this session.
                raise
            return _Kept(failure, self._clock() + _REFUSED_SECONDS)
        names = _names(body)
        if len(names) != 1:
            raise AwsError("bedrock", GET_INFERENCE_PROFILE.name, 404, "ResourceNotFoundException", "No model.", "")
        return _Kept(names.pop(), float("inf"))


def _names(profile: Mapping[str, object]) -> set[str]:
    rows = profile.get("models")
    arns = [str(row.get("modelArn", "")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {arn.rpartition("/")[2] for arn in arns} - {""}
