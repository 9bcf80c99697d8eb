"""The settings as parameters of the stack: one for each variable of the environment, so that none can be forgotten."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chalicelib.settings import Settings, TokenRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.variables import Variable

_ROOT: Final = Path(__file__).parent.parent
MADE_BY_STACK: Final = frozenset({"TABLE_NAME", "SERVICE_ROLE_ARN", "CUSTOMER_TEMPLATES"})
"""Variables whose values the stack knows by itself."""
NOT_DEPLOYED: Final = frozenset({"AWS_REGION", "LOCAL_ADDRESSES"})
"""Lambda sets its own region and refuses another; local addresses are the sandbox's."""
_SECRET: Final = frozenset({"PROXY_URL"})
"""Its user and password would stand in the stack's description."""
_LONGEST: Final = 4000
"""CloudFormation's limit for a description."""


def variables() -> Iterator[tuple[Variable, bool]]:
    """Yield every setting's variable, and whether it must be set."""
    for kind in (Settings, TokenRules):
        for field in dataclasses.fields(kind):
            declared: Variable | None = field.metadata.get("variable")
            if declared is not None:
                required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
                yield declared, required


def parameter_name(variable: str) -> str:
    """Return the parameter of a variable: JWT_JWKS_URL is JwtJwksUrl."""
    return "".join(part.capitalize() for part in variable.split("_"))


def settings_of_stack() -> list[tuple[Variable, bool]]:
    """Return the variables that the operator decides, and whether each must be set."""
    left_out = MADE_BY_STACK | NOT_DEPLOYED
    return [(declared, required) for declared, required in variables() if declared.name not in left_out]


def parameters() -> dict[str, Any]:
    """Return a parameter for each variable; one that need not be set is empty by default."""
    found: dict[str, Any] = {}
    for declared, required in settings_of_stack():
        text = declared.help[0].upper() + declared.help[1:]
        parameter: dict[str, Any] = {"Type": "String", "Description": text[:_LONGEST]}
        if not required:
            parameter["Default"] = ""
        if declared.name in _SECRET:
            parameter["NoEcho"] = True
        found[parameter_name(declared.name)] = parameter
    return found


def declared() -> dict[str, Any]:
    """Return all parameters of the stack: one for each setting, and those of the stack itself."""
    return {**parameters(), **_resources()["Parameters"]}


def table() -> dict[str, Any]:
    """Return the properties of the table as the stack makes it."""
    made: dict[str, Any] = _resources()["Resources"]["Table"]["Properties"]
    return made


def _resources() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((_ROOT / ".chalice" / "resources.json").read_text(encoding="utf-8"))
    return read


def conditions() -> dict[str, Any]:
    """Return a condition for each setting that may be left empty: whether it is set."""
    return {
        _is_set(declared.name): {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter_name(declared.name)}, ""]}]}
        for declared, required in settings_of_stack()
        if not required
    }


def environment(table_name: object, service_role_arn: object) -> dict[str, object]:
    """Return the environment of every function; a setting that is not set is left out, so that its default holds."""
    bucket = "https://${CustomerTemplateBucket}.s3.${AWS::Region}.${AWS::URLSuffix}/rolecall-${Stage}"
    values: dict[str, object] = {
        "TABLE_NAME": table_name,
        "SERVICE_ROLE_ARN": service_role_arn,
        "CUSTOMER_TEMPLATES": {"Fn::If": ["HasTemplateBucket", {"Fn::Sub": bucket}, {"Ref": "AWS::NoValue"}]},
    }
    for declared, required in settings_of_stack():
        value: dict[str, object] = {"Ref": parameter_name(declared.name)}
        if not required:
            value = {"Fn::If": [_is_set(declared.name), value, {"Ref": "AWS::NoValue"}]}
        values[declared.name] = value
    return values


def _is_set(variable: str) -> str:
    return f"Sets{parameter_name(variable)}"
