"""The files of `policies/` and how values are put into them, so that no value can leave its place.

A policy is parsed first and filled afterwards, string by string: whatever a value holds, it stays inside its string. In
the other files the mark is `"${name}"`, its quotes included, and what replaces it is written by an encoder of that
file's language.
"""

from __future__ import annotations

import json
import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Json: TypeAlias = "str | Sequence[Json] | dict[str, Json]"
"""What policies are made of."""

CALLERS_ACCOUNT: Final = "<account_id>"
"""Stands for the account in which a template is deployed, where that is not known yet. No identifier has a `<`."""

# Names in lower case alone: ${AWS::Region}, ${data.x.y} and IAM's ${aws:username} are not ours to fill.
_NAME: Final = re.compile(r"\$\{([a-z_]+)\}")
_QUOTED_NAME: Final = re.compile(r'"\$\{([a-z_]+)\}"')


@lru_cache(maxsize=16)
def _text(name: str) -> str:
    # Beside chalicelib/ in the repository, and in a package too: Chalice puts what is in vendor/ there.
    return (Path(__file__).resolve().parents[3] / "policies" / name).read_text(encoding="utf-8")


def policy(name: str, values: Mapping[str, str | Sequence[str]]) -> dict[str, Json]:
    """Return a policy of `policies/`, filled. A statement in which a list comes out empty is left out.

    A string that is nothing but a mark may stand for several values; within a list they join it. Raises KeyError for a
    mark without a value.
    """
    filled: dict[str, Json] = {}
    for key, value in json.loads(_text(name)).items():
        filled[key] = _fill(value, values)
    filled["Statement"] = [statement for statement in filled["Statement"] if not _holds_nothing(statement)]
    return filled


def actions(name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the Sid and the actions of each statement of a policy, also of those that may be left out."""
    statements = json.loads(_text(name))["Statement"]
    return tuple((statement["Sid"], tuple(statement["Action"])) for statement in statements)


def _fill(template: Json, values: Mapping[str, str | Sequence[str]]) -> Json:
    if isinstance(template, str):
        mark = _NAME.fullmatch(template)
        if mark is None:
            return _NAME.sub(lambda inner: _one(values[inner[1]]), template)
        value = values[mark[1]]
        return value if isinstance(value, str) else value[0] if len(value) == 1 else [*value]
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    joined: list[Json] = []
    for entry in template:
        filled = _fill(entry, values)
        if isinstance(filled, list):
            joined.extend(filled)
        else:
            joined.append(filled)
    return joined


def _one(value: str | Sequence[str]) -> str:
    if not isinstance(value, str):
        raise TypeError("a mark inside a longer string stands for one value")
    return value


def _holds_nothing(value: Json) -> bool:
    if isinstance(value, str):
        return False
    return not value or any(map(_holds_nothing, value.values() if isinstance(value, dict) else value))


def file(
    name: str,
    values: Mapping[str, Json],
    encode: Callable[[Json], str],
    *,
    without: re.Pattern[str] | None = None,
) -> str:
    """Return a file of `policies/` with each `"${name}"` replaced by its value; lines after the first are indented.

    What `without` matches is taken out first. Raises KeyError for a mark without a value.
    """

    def place(mark: re.Match[str]) -> str:
        line = mark.string[mark.string.rfind("\n", 0, mark.start()) + 1 : mark.start()]
        indent = " " * (len(line) - len(line.lstrip(" ")))
        return encode(values[mark[1]]).replace("\n", "\n" + indent)

    text = _text(name)
    return _QUOTED_NAME.sub(place, text if without is None else without.sub("", text))


def compact(value: Json) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def pretty(value: Json) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2)


def cloudformation(value: Json) -> str:
    """Encode for CloudFormation's YAML, of which JSON is a part; the deploying account is asked for by Fn::Sub."""
    return pretty(_with_sub(value))


def _with_sub(value: Json) -> Json:
    if isinstance(value, str):
        if CALLERS_ACCOUNT not in value:
            return value
        # ${!name} is how Fn::Sub writes a literal ${name}.
        return {"Fn::Sub": value.replace("${", "${!").replace(CALLERS_ACCOUNT, "${AWS::AccountId}")}
    if isinstance(value, dict):
        return {key: _with_sub(inner) for key, inner in value.items()}
    return [_with_sub(inner) for inner in value]


def terraform(value: Json) -> str:
    """Encode as an HCL expression: JSON, whose strings are templates in HCL, with both template openings escaped."""
    # " : " is how `terraform fmt` writes it, so that what a customer commits is not changed by it.
    text = json.dumps(value, indent=2, separators=(",", " : ")).replace("${", "$${").replace("%{", "%%{")
    return text.replace(CALLERS_ACCOUNT, "${data.aws_caller_identity.current.account_id}")


def shell(value: Json) -> str:
    """Encode a string as one word of a shell; a document as JSON for a here-document whose delimiter is quoted.

    JSON escapes line breaks, so no line of it is the delimiter.
    """
    return shlex.quote(value) if isinstance(value, str) else pretty(value)
