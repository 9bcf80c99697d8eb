"""Anthropic's own API: its models, and chats translated to Messages and back.

Its OpenAI surface is not for production, by its own documentation ("OpenAI SDK compatibility"), so the native one is
used. Source: Anthropic's API reference, version 2023-06-01.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import Unreachable
from chalicelib.providers.base import VERIFY_SECONDS, KeyCheck, ProviderModel
from chalicelib.providers.failures import ProviderError, error_of, explain, failed, probed
from chalicelib.providers.foreign import identifier, known, number, rows, text
from chalicelib.providers.outgoing import Call, FixedHost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.providers.credentials import ApiKey
    from chalicelib.providers.outgoing import Outgoing

_HOST: Final = FixedHost("api.anthropic.com")
_VERSION: Final = "2023-06-01"
_LIST_SECONDS: Final = 20.0
_MOST_PAGES: Final = 20


class Anthropic:
    """A key of Anthropic's, for one request."""

    def __init__(self, credential: ApiKey, outgoing: Outgoing) -> None:
        self._key = credential.key
        self._outgoing = outgoing

    def verify(self) -> KeyCheck:
        """List, which proves the key; then count tokens, which costs nothing and is refused without credit."""
        end = time.monotonic() + VERIFY_SECONDS
        try:
            models = self._listed(end)
        except (ProviderError, Unreachable) as failure:
            return failed(failure)
        if not models:
            return KeyCheck("valid")
        question = {"model": models[0].id, "messages": [{"role": "user", "content": "Hi"}]}
        path = "/v1/messages/count_tokens"
        return probed(models, lambda: self._call("count tokens", "POST", path, question, end))

    def models(self) -> Sequence[ProviderModel]:
        """Return all models, newest first as Anthropic lists them."""
        try:
            return self._listed(time.monotonic() + _LIST_SECONDS)
        except (ProviderError, Unreachable) as failure:
            raise explain(failure) from failure

    def _listed(self, end: float) -> list[ProviderModel]:
        models: list[ProviderModel] = []
        after = ""
        for _ in range(_MOST_PAGES):
            document = self._call("list models", "GET", f"/v1/models?limit=1000{after}", None, end)
            models += [
                _model(row)
                for row in rows(document, "data")
                if identifier(row, "id") and text(row, "lifecycle") != "retired"
            ]
            last = identifier(document, "last_id")
            if document.get("has_more") is not True or not last:
                break
            after = f"&after_id={last}"
        return models

    def _call(
        self, operation: str, method: str, path: str, body: Mapping[str, Any] | None, end: float
    ) -> Mapping[str, Any]:
        headers = {"x-api-key": self._key.get_secret_value(), "anthropic-version": _VERSION}
        seconds = max(0.1, end - time.monotonic())
        received = self._outgoing.fetch(Call("anthropic", operation, method, _HOST, path, headers, body, seconds))
        if received.status != 200:
            raise error_of("anthropic", received)
        document = received.document
        if not isinstance(document, dict):
            raise Unreachable("anthropic", operation, "cut", begun=True)
        return document


def _model(row: Mapping[str, Any]) -> ProviderModel:
    capabilities = row.get("capabilities")
    supported = (
        sorted(
            name
            for name, value in capabilities.items()
            if isinstance(value, dict) and value.get("supported") is True and name.isidentifier()
        )
        if isinstance(capabilities, dict)
        else None
    )
    return ProviderModel(
        id=identifier(row, "id"),
        owner="anthropic",
        name=text(row, "display_name")[:200],
        created=_seconds(text(row, "created_at")),
        details=known(
            context_tokens=number(row, "max_input_tokens"),
            max_output_tokens=number(row, "max_tokens"),
            lifecycle=identifier(row, "lifecycle"),
            capabilities=supported,
        ),
    )


def _seconds(at: str) -> int:
    try:
        return max(0, int(datetime.fromisoformat(at).timestamp()))
    except (ValueError, OverflowError):
        return 0
