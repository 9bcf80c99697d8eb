"""Policy documents: JSON becomes frozen statements, or is refused in AWS's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from chalicelib.trust.conditions import Condition, parse_operator
from chalicelib.trust.patterns import compile_pattern, matches
from chalicelib.trust.principals import Principals, parse_principals
from chalicelib.trust.reading import MalformedPolicyError, Numeral, load

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_STS_ACTIONS: Final = (
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
)
_FIELDS: Final = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
)
_SID: Final = re.compile(r"[0-9A-Za-z]*")
_ACTION: Final = re.compile(r"\*|(\*|[A-Za-z0-9-]+):[A-Za-z0-9*?]+", re.ASCII)
_KEY: Final = re.compile(r"[^\s:]+:\S.*")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `actions_excluded` means NotAction, `resources_excluded` NotResource, and so on."""

    sid: str | None
    allows: bool
    actions: tuple[str, ...]
    actions_excluded: bool
    principals: Principals | None
    resources: tuple[str, ...]
    resources_excluded: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What trust policies and permissions policies share: statements, and whether variables count (2012-10-17)."""

    statements: tuple[Statement, ...]
    variables: bool

    is_trust: ClassVar[bool]

    @classmethod
    def parse(cls, document: str | Mapping[str, object]) -> Self:
        """Parse a document as JSON text or as an object. Raises `MalformedPolicyError`."""
        policy = load(document)
        unknown = set(policy) - {"Version", "Id", "Statement"}
        if unknown:
            raise MalformedPolicyError(f"Syntax errors in policy: unknown element {min(map(str, unknown))[:100]}.")
        version = policy.get("Version", "2008-10-17")
        if version not in _VERSIONS:
            raise MalformedPolicyError("The policy must contain a valid version string.")
        if not isinstance(policy.get("Id", ""), str):
            raise MalformedPolicyError("Syntax errors in policy: Id must be a string.")
        rows = policy.get("Statement")
        rows = [rows] if isinstance(rows, Mapping) else rows
        if not isinstance(rows, list) or not rows:
            raise MalformedPolicyError("Syntax errors in policy: at least one statement is required.")
        statements = tuple(_statement(row, trust=cls.is_trust) for row in rows)
        sids = [statement.sid for statement in statements if statement.sid]
        if len(sids) != len(set(sids)):
            raise MalformedPolicyError("Statement IDs (SID) in a single policy must be unique.")
        return cls(statements, version == "2012-10-17")


class TrustPolicy(Policy):
    """A role's trust policy: principals and STS actions, no resource."""

    __slots__ = ()
    is_trust = True


class PermissionsPolicy(Policy):
    """An identity policy or a session policy: actions and resources, no principal."""

    __slots__ = ()
    is_trust = False


def _statement(row: object, *, trust: bool) -> Statement:
    if not isinstance(row, Mapping):
        raise MalformedPolicyError("Syntax errors in policy: a statement must be an object.")
    unknown = [name for name in row if name not in _FIELDS]
    if unknown:
        raise MalformedPolicyError(f"Syntax errors in policy: unknown element {str(unknown[0])[:100]}.")
    if row.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicyError("Syntax errors in policy: Effect must be Allow or Deny.")
    sid = row.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicyError("Syntax errors in policy: Sid must be a string.")
    if not _SID.fullmatch(sid):
        raise MalformedPolicyError(
            "Statement IDs (SID) must be alpha-numeric."
            " Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    actions, actions_excluded = _one_of(row, "Action")
    resources: tuple[str, ...] = ()
    resources_excluded, principals = False, None
    if trust:
        if "Resource" in row or "NotResource" in row:
            raise MalformedPolicyError("Has prohibited field Resource")
        _require_sts_actions(actions)
        principals = _principals(row)
    else:
        if "Principal" in row or "NotPrincipal" in row:
            raise MalformedPolicyError("Policy document should not specify a principal.")
        _require_service_prefix(actions)
        resources, resources_excluded = _one_of(row, "Resource")
        _require_arns(resources)
    return Statement(
        sid or None,
        row["Effect"] == "Allow",
        actions,
        actions_excluded,
        principals,
        resources,
        resources_excluded,
        tuple(_conditions(row.get("Condition", {}))),
    )


def _one_of(row: Mapping[str, object], name: str) -> tuple[tuple[str, ...], bool]:
    """Return the texts of `Action` or `NotAction` (or the resources'), and whether it was the negated one."""
    if name in row and f"Not{name}" in row:
        raise MalformedPolicyError(f"Syntax errors in policy: {name} and Not{name} exclude each other.")
    excluded = f"Not{name}" in row
    if not excluded and name not in row:
        raise MalformedPolicyError(f"Missing required field {name}")
    value = row[f"Not{name}" if excluded else name]
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not texts or not all(isinstance(text, str) for text in texts):
        raise MalformedPolicyError(f"Syntax errors in policy: {name} must be a string or a list of strings.")
    return texts, excluded


def _require_sts_actions(actions: tuple[str, ...]) -> None:
    for action in actions:
        pattern = compile_pattern(action.lower(), {}, variables=False)
        if (
            not action.lower().startswith("sts:")
            or pattern is None
            or not any(matches(pattern, known) for known in _STS_ACTIONS)
        ):
            raise MalformedPolicyError("AssumeRole policy may only specify STS AssumeRole actions.")


def _require_service_prefix(actions: tuple[str, ...]) -> None:
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise MalformedPolicyError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")


def _require_arns(resources: tuple[str, ...]) -> None:
    for resource in resources:
        if resource != "*" and not (resource.startswith("arn:") and resource.count(":") >= 5) and "*" not in resource:
            raise MalformedPolicyError(f'Resource {resource[:200]} must be in ARN format or "*".')


def _principals(row: Mapping[str, object]) -> Principals:
    if ("Principal" in row) == ("NotPrincipal" in row):
        raise MalformedPolicyError("Missing required field Principal")
    excluded = "NotPrincipal" in row
    try:
        return parse_principals(row["NotPrincipal" if excluded else "Principal"], excluded=excluded)
    except ValueError as error:
        raise MalformedPolicyError(str(error)) from None


def _conditions(block: object) -> Iterator[Condition]:
    if not isinstance(block, Mapping):
        raise MalformedPolicyError("Syntax errors in policy: Condition must be an object.")
    for name, keys in block.items():
        parsed = parse_operator(name) if isinstance(name, str) else None
        if parsed is None:
            raise MalformedPolicyError(f"Invalid Condition type : {str(name)[:100]}.")
        if not isinstance(keys, Mapping) or not keys:
            raise MalformedPolicyError("Syntax errors in policy: an operator needs at least one condition key.")
        base, quantifier, if_exists = parsed
        for key, value in keys.items():
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise MalformedPolicyError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            values = tuple(_text(entry) for entry in (value if isinstance(value, list) else [value]))
            if not values:
                raise MalformedPolicyError("Syntax errors in policy: a condition key needs at least one value.")
            yield Condition(base, quantifier, if_exists, key, values)


def _text(value: object) -> str:
    """Return a value as the text that IAM compares: booleans in lower case, numbers as they are written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Numeral):
        return value.text
    if isinstance(value, (int, float)):
        try:
            return str(value)
        except ValueError:  # Python refuses to write numbers of more than 4,300 digits
            raise MalformedPolicyError("Syntax errors in policy: a number is too long.") from None
    raise MalformedPolicyError("Syntax errors in policy: a condition's values are strings, numbers or booleans.")
