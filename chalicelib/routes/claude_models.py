"""Claude models in the shape of Anthropic's API: coding agents fill their choice of models with what is listed so.

Source: Anthropic's API reference, "List Models" and "Get a Model", version 2023-06-01.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chalicelib.bedrock.claude_names import CLAUDE
from chalicelib.errors import ServiceError
from chalicelib.identifiers import LISTED_AS
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes.exchange import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.bedrock.catalog import Model
    from chalicelib.providers.base import ProviderModel
    from chalicelib.routes import native_shapes
    from chalicelib.routes.accounts import Accounts
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request

FOR_CLAUDE: Final = "Claude models, at Bedrock or with a key of anthropic at Anthropic"
_MOST: Final = 1000
_DATE: Final = re.compile(r"-([0-9]{4})([0-9]{2})([0-9]{2})(?![0-9])", re.ASCII)


class ClaudeModels:
    """Lists what `/v1/messages` takes: the Claude models of a connection, or those of the key that came."""

    def __init__(self, accounts: Accounts, own_keys: OwnKeys) -> None:
        self._accounts = accounts
        self._own_keys = own_keys

    def page(self, request: Request, caller: Caller, within: float) -> Reply[native_shapes.ClaudeList]:
        """Answer a page, newest first, what has no name last. `within` is how many seconds old it may be."""
        rows = self._of_key(request, caller)
        if rows is None:
            account = self._accounts.of(request, caller, route=FOR_CLAUDE)
            listed = [_of_bedrock(name, model) for name, model in account.claudes(within).items()]
            rows = sorted(listed, key=_rank, reverse=True)
        return Reply(_page(rows, request))

    def one(self, request: Request, caller: Caller, wanted: str) -> Reply[native_shapes.ClaudeRow]:
        """Answer one model, by whatever name `/v1/messages` knows it. Raises `model_not_found`."""
        rows = self._of_key(request, caller)
        if rows is not None:
            # Anthropic's names without a date are those of the newest.
            name = re.compile(rf"{re.escape(bare_model(wanted, 'anthropic'))}(-[0-9]{{8}})?", re.ASCII)
            found = next((row for row in rows if name.fullmatch(row["id"])), None)
            if found is None:
                raise _not_found()
            return Reply(found)
        account = self._accounts.of(request, caller, route=FOR_CLAUDE)
        model = account.listed(bare_model(wanted, "bedrock"))
        if CLAUDE not in model.foundation_model:
            raise _not_found()
        return Reply({**_of_bedrock(wanted, model), "id": wanted})

    def _of_key(self, request: Request, caller: Caller) -> list[native_shapes.ClaudeRow] | None:
        """Return the models of a key of Anthropic's; None where none came with the request."""
        key = self._own_keys.sent(request, caller)
        if key is None or key.provider != "anthropic":
            return None
        request.notes["provider"] = key.provider
        return [_of_anthropic(model) for model in self._own_keys.connect(key).models()]


def _not_found() -> ServiceError:
    return ServiceError(
        "model_not_found",
        "There is no Claude model of this id.",
        param="model",
        fix="GET /v1/models lists them, and without the header anthropic-version all models, in OpenAI's form.",
    )


def _rank(row: native_shapes.ClaudeRow) -> tuple[bool, bool, str, str]:
    # Since 2026 Anthropic's names hold no date: what has none is newer than what has one.
    return not row["id"].startswith(LISTED_AS), row["created_at"] == _at(0), row["created_at"], row["id"]


def _of_bedrock(name: str, model: Model) -> native_shapes.ClaudeRow:
    dated = _DATE.search(model.foundation_model)
    return {
        "type": "model",
        "id": f"{LISTED_AS}{name}" if name == model.id else name,
        "display_name": model.name,
        "created_at": f"{'-'.join(dated.groups())}T00:00:00Z" if dated else _at(0),
        "lifecycle": "active" if model.lifecycle == "ACTIVE" else "deprecated",
    }


def _of_anthropic(model: ProviderModel) -> native_shapes.ClaudeRow:
    row: native_shapes.ClaudeRow = {
        "type": "model",
        "id": model.id,
        "display_name": model.name or model.id,
        "created_at": _at(model.created),
        "lifecycle": "deprecated" if model.details.get("lifecycle") == "deprecated" else "active",
    }
    reads, answers = model.details.get("context_tokens"), model.details.get("max_output_tokens")
    if isinstance(reads, int):
        row["max_input_tokens"] = reads
    if isinstance(answers, int):
        row["max_tokens"] = answers
    return row


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(rows: Sequence[native_shapes.ClaudeRow], request: Request) -> native_shapes.ClaudeList:
    """Return the rows that were asked for: all of them where no limit was given, as there are a few dozen at most."""
    limit = _limit(request.query_parameter("limit"))
    after, before = (request.query_parameter(name) for name in ("after_id", "before_id"))
    if after is not None and before is not None:
        raise ServiceError("invalid_value", "after_id and before_id were sent together.", param="after_id")
    if before is not None:
        left = rows[: _place(rows, before, "before_id")]
        shown, more = left[-limit:], len(left) > limit
    else:
        left = rows if after is None else rows[_place(rows, after, "after_id") + 1 :]
        shown, more = left[:limit], len(left) > limit
    return {
        "data": [*shown],
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return _MOST
    limit = int(text) if re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) else 0
    if not 1 <= limit <= _MOST:
        raise ServiceError("invalid_value", f"limit is a number from 1 to {_MOST}.", param="limit")
    return limit


def _place(rows: Sequence[native_shapes.ClaudeRow], wanted: str, param: str) -> int:
    for place, row in enumerate(rows):
        if row["id"] == wanted:
            return place
    raise ServiceError(
        "invalid_value", f"{param} names no model of this list.", param=param, fix="Begin with the first page again."
    )
