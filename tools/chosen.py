"""What the operator chose for a stage: the file deploy/STAGE.env, by the names of the settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.identifiers.models import PROFILE_GEOGRAPHIES
from chalicelib.settings import Settings, SettingsError
from tools import parameters
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tools.account import Account

_LINE: Final = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_LAMBDA_TAKES: Final = 4000
"""Octets: Lambda's limit is 4 KB for all variables, and the stack adds one or two of its own."""
_PROSE: Final = frozenset({"SYSTEM_PROMPT"})
"""Settings whose text may hold anything."""
_BY_PROGRAM: Final = frozenset({"Stage", "CodeKey"})
"""Parameters that the program fills in itself."""


def read(path: Path) -> dict[str, str]:
    """Return the choices of a file: NAME=value, one a line; # begins a remark. Raises `PackageError`."""
    if not path.exists():
        raise PackageError(f"There is no {path}. Copy deploy/example.env to it and say who issues your tokens.")
    found: dict[str, str] = {}
    try:
        # Some editors begin a file with a mark of its encoding, which is no part of the first name.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{path} can't be read as a text in UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise PackageError(f"{path}, line {number}: write NAME=value.")
        if match[1] in found:
            raise PackageError(f"{path}, line {number}: {match[1]} stands there twice.")
        found[match[1]] = _value(match[2].strip(), match[1], f"{path}, line {number}")
    return found


def _value(text: str, name: str, place: str) -> str:
    # In a shell's file neither would be part of the value. Here an audience with quotation marks would be deployed, and
    # every token refused.
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise PackageError(f"{place}: write {name}'s value without quotation marks.")
    if name not in _PROSE and re.search(r"\s#", text):
        raise PackageError(f"{place}: a remark stands on a line of its own, not behind {name}'s value.")
    return text


def check(chosen: Mapping[str, str], declared: Mapping[str, Any], account: Account, stage: str) -> None:
    """Raise `PackageError` with one list of all that is wrong, before anything is built or uploaded.

    `declared` are the stack's parameters. The settings are read as the service itself will read them at its start.
    """
    names = {_variable(name): name for name in declared if name not in _BY_PROGRAM}
    problems = [f"{name} is not a setting of the stack." for name in chosen if name not in names]
    for name, text in chosen.items():
        problems += _misfit(name, text, declared.get(names.get(name, ""), {}))
    environ = {
        **{name: text for name, text in chosen.items() if name in names},
        "AWS_REGION": account.region,
        "TABLE_NAME": chosen.get("EXISTING_TABLE") or f"rolecall-{stage}",
        "SERVICE_ROLE_ARN": account.role_arn(stage),
        "AWS_LAMBDA_FUNCTION_NAME": f"rolecall-{stage}",
    }
    try:
        Settings.from_environment(environ)
    except SettingsError as error:
        problems += error.problems
    service = {variable.name for variable, _ in parameters.settings_of_stack()} | parameters.MADE_BY_STACK
    octets = sum(len(f"{name}{text}".encode()) for name, text in environ.items() if name in service)
    if octets > _LAMBDA_TAKES:
        problems.append(
            f"The settings have {octets} octets with their names; Lambda takes {_LAMBDA_TAKES} of variables."
        )
    if bool(chosen.get("DOMAIN_NAME")) != bool(chosen.get("CERTIFICATE_ARN")):
        problems.append("DOMAIN_NAME and CERTIFICATE_ARN go together.")
    if chosen.get("RESERVED_CONCURRENCY") == "0":
        problems.append("RESERVED_CONCURRENCY: with 0 nothing runs at all; give -1 or at least 1.")
    if _is_profile(chosen.get("BUILT_IN_MODEL", "")) and not chosen.get("BUILT_IN_FOUNDATION_MODEL"):
        problems.append("BUILT_IN_FOUNDATION_MODEL: name the model behind the profile, which the role must reach too.")
    if problems:
        raise PackageError("The settings can't be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


def stack_parameters(chosen: Mapping[str, str], bucket: str, key: str) -> list[dict[str, str]]:
    """Return CloudFormation's parameters. What was not chosen gets its default: the file alone says what is."""
    values = {parameters.parameter_name(name): text for name, text in chosen.items() if name != "CODE_BUCKET"}
    values |= {"CodeBucket": bucket, "CodeKey": key}
    return [{"ParameterKey": name, "ParameterValue": text} for name, text in sorted(values.items())]


def _variable(parameter: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()


def _is_profile(model: str) -> bool:
    return model.partition(".")[0] in PROFILE_GEOGRAPHIES


def _misfit(name: str, text: str, declared: Mapping[str, Any]) -> list[str]:
    allowed = [str(value) for value in declared.get("AllowedValues", [])]
    if allowed and text not in allowed:
        return [f"{name}: give one of {', '.join(allowed)}."]
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], text):
        form = declared.get("ConstraintDescription")
        return [f"{name}: {declared['Description']}{f' It must be {form}.' if form else ''}"]
    if declared.get("Type") == "Number" and not (
        re.fullmatch(r"-?[0-9]{1,9}", text) and int(text) >= declared.get("MinValue", int(text))
    ):
        least = f" of at least {declared['MinValue']}" if "MinValue" in declared else ""
        return [f"{name}: give a whole number{least}. {declared['Description']}"]
    return []
