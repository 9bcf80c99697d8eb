"""`python -m tools.settings_table`: docs/settings.md, made of the settings themselves and of the stack's parameters."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Final

from chalicelib.settings import Settings, TokenRules
from tools.package import ROOT
from tools.parameters import MADE_BY_STACK, NOT_DEPLOYED

_HEAD: Final = """\
# Settings

Made by `python -m tools.settings_table` from chalicelib/settings.py and .chalice/resources.json; a test compares.

`deploy/STAGE.env` holds them, one `NAME=value` a line (deploy/example.env is a beginning). `make deploy` checks all of
them as the service itself will, and lists everything that is wrong before it touches anything. A function that is
started with settings that can't be used does not start, and its log has the same list.

## Of the service

| variable | default | what it is |
|---|---|---|
"""
_STACK: Final = """
## Of the stack

| variable | default | what it is |
|---|---|---|
"""
_BY_PROGRAM: Final = ("Stage", "CodeKey")


def document() -> str:
    """Return docs/settings.md."""
    return _HEAD + "".join(_service_rows()) + _STACK + "".join(_stack_rows())


def _service_rows() -> list[str]:
    rows = []
    for kind in (TokenRules, Settings):
        for field in dataclasses.fields(kind):
            declared = field.metadata.get("variable")
            if declared is not None:
                rows.append(_row(declared.name, _default(declared.name, field), declared.help))
    return rows


def _default(name: str, field: dataclasses.Field[Any]) -> str:
    if name in MADE_BY_STACK:
        return "by the stack"
    if name in NOT_DEPLOYED:
        return "by Lambda" if name == "AWS_REGION" else "never deployed"
    if field.default is dataclasses.MISSING:
        return "**required**" if field.default_factory is dataclasses.MISSING else ""
    value = field.default
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value}`" if value not in {None, ""} else ""


def _stack_rows() -> list[str]:
    declared = json.loads((ROOT / ".chalice" / "resources.json").read_text(encoding="utf-8"))["Parameters"]
    return [
        _row(
            re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(),
            "a bucket of its own" if name == "CodeBucket" else f"`{row['Default']}`" if row.get("Default") else "",
            row["Description"],
        )
        for name, row in declared.items()
        if name not in _BY_PROGRAM
    ]


def _row(name: str, default: str, text: str) -> str:
    return f"| `{name}` | {default} | {text.replace('|', chr(92) + '|')} |\n"


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(document(), encoding="utf-8")
