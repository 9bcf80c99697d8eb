"""Claude models by the names that Anthropic's own API has for them, which its clients and coding agents send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chalicelib.bedrock.catalog import Model

_OURS: Final = re.compile(r"anthropic\.(?P<name>claude-[a-z0-9-]+?)(-(?P<date>[0-9]{8}))?(-v\d+)?(:\d+)?", re.ASCII)
_THEIRS: Final = re.compile(r"(?P<name>claude-[a-z0-9-]+?)(-(?P<date>[0-9]{8})|-latest)?", re.ASCII)
"""`claude-haiku-4-5-20251001`, `claude-haiku-4-5` (Anthropic's documentation, "Models overview", 2026-11)."""

CLAUDE: Final = "anthropic.claude"
"""A part of the id of every Claude at Bedrock."""


def claudes(models: Sequence[Model]) -> dict[str, Model]:
    """Return each Claude once, by the name that Anthropic's API has for it and with the way that this name takes.

    What has no such name, as the profiles that the customer made, is there by its id.
    """
    found: dict[str, Model] = {}
    for model in models:
        if CLAUDE not in model.foundation_model:
            continue
        known = _OURS.fullmatch(model.foundation_model)
        name = None if known is None else "-".join(filter(None, (known["name"], known["date"])))
        if name is None or model.is_own:
            found[model.id] = model
        elif name not in found and (way := claude_called(name, models)) is not None:
            found[name] = way
    return found


def claude_called(name: str, models: Iterable[Model]) -> Model | None:
    """Return the Claude of this name, the newest where it has no date.

    Of several ways to one the narrowest is taken, so that no name sends a prompt further than need be: the region
    itself, else a profile of its part of the world, else a global one. Profiles that the customer made are not.
    """
    asked = _THEIRS.fullmatch(name)
    if asked is None:
        return None
    found: list[tuple[tuple[str, str, bool, bool], Model]] = []
    for model in models:
        known = _OURS.fullmatch(model.foundation_model)
        if known is None or model.is_own or known["name"] != asked["name"]:
            continue
        if asked["date"] in {None, known["date"]}:
            narrow = (not model.is_profile, not model.id.startswith("global."))
            found.append(((known["date"] or "", model.foundation_model, *narrow), model))
    return max(found, key=lambda row: row[0])[1] if found else None
