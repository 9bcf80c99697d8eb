"""Condition operators: one table from IAM's names to what they compare.

An operator is a base (`StringEquals`), maybe with `ForAllValues:` or `ForAnyValue:` before it and `IfExists` after it.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator as compare
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from chalicelib.trust.patterns import compile_pattern, literal, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.trust.request import Request

    Keys = Mapping[str, tuple[str, ...]]
    Test = Callable[[str, str, Keys, bool], bool]
    """Whether a policy's text (first) fits a request's value (second); the last says whether variables count."""


_VARIABLE_OR_COLON: Final = re.compile(r"\$\{[^{}]*\}|:")
_CIDR: Final = re.compile(r"[0-9A-Fa-f.:]+(/\d{1,3})?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)


def _string_equals(wanted: str, value: str, keys: Keys, variables: bool) -> bool:
    return literal(wanted, keys, variables=variables) == value


def _string_equals_ignoring_case(wanted: str, value: str, keys: Keys, variables: bool) -> bool:
    text = literal(wanted, keys, variables=variables)
    return text is not None and text.lower() == value.lower()


def _string_like(wanted: str, value: str, keys: Keys, variables: bool) -> bool:
    pattern = compile_pattern(wanted, keys, variables=variables)
    return pattern is not None and matches(pattern, value)


def _arn_like(wanted: str, value: str, keys: Keys, variables: bool) -> bool:
    """Compare the six parts of two ARNs one by one: a wildcard never reaches over a colon, but in the last part."""
    wanted_parts, parts = wanted.split(":", 5), value.split(":", 5)
    if variables and "${" in wanted:
        wanted_parts = _split_outside_variables(wanted)
    if len(wanted_parts) != 6 or len(parts) != 6:
        return False
    return all(_string_like(part, have, keys, variables) for part, have in zip(wanted_parts, parts, strict=True))


def _split_outside_variables(arn: str) -> list[str]:
    # The colon of ${aws:username} is none of the ARN's.
    cuts = [found.start() for found in _VARIABLE_OR_COLON.finditer(arn) if found[0] == ":"][:5]
    starts = [0, *(cut + 1 for cut in cuts)]
    return [arn[start:end] for start, end in zip(starts, [*cuts, len(arn)], strict=True)]


def _bool(wanted: str, value: str, keys: Keys, variables: bool) -> bool:
    text = literal(wanted, keys, variables=variables)
    return text is not None and text.lower() == value.lower() and value.lower() in {"true", "false"}


def _binary(wanted: str, value: str, _: Keys, __: bool) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _ip(wanted: str, value: str, _: Keys, __: bool) -> bool:
    if not _CIDR.fullmatch(wanted):
        return False
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _number(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text.strip()):
        return None
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_W3C_DATE: Final = re.compile(r"\d{4}-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?", re.ASCII)


def _date(text: str) -> datetime | None:
    """Return a W3C date (`2026-11-23T12:00:00Z`, or shorter) or a number of seconds since 1970."""
    text = text.strip()
    try:
        if _W3C_DATE.fullmatch(text):
            date = datetime.fromisoformat(text + ("-01" if len(text) == len("2026-11") else ""))
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        return _EPOCH + timedelta(seconds=float(text)) if _SECONDS.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def _ordered(parse: Callable[[str], Decimal | datetime | None], relation: Callable[[Any, Any], bool]) -> Test:
    def test(wanted: str, value: str, _: Keys, __: bool) -> bool:
        # Variables count in texts and ARNs alone (IAM user guide, "Policy variables"). What is no number or date fits
        # nothing.
        limit, have = parse(wanted), parse(value)
        return limit is not None and have is not None and relation(have, limit)

    return test


_RELATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "Equals": compare.eq,
    "LessThan": compare.lt,
    "LessThanEquals": compare.le,
    "GreaterThan": compare.gt,
    "GreaterThanEquals": compare.ge,
}
_POSITIVE: Final[Mapping[str, Test]] = {
    "StringEquals": _string_equals,
    "StringEqualsIgnoreCase": _string_equals_ignoring_case,
    "StringLike": _string_like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _bool,
    "BinaryEquals": _binary,
    "IpAddress": _ip,
    **{f"Numeric{name}": _ordered(_number, relation) for name, relation in _RELATIONS.items()},
    **{f"Date{name}": _ordered(_date, relation) for name, relation in _RELATIONS.items()},
}
_NEGATED: Final[Mapping[str, Test]] = {
    "StringNotEquals": _string_equals,
    "StringNotEqualsIgnoreCase": _string_equals_ignoring_case,
    "StringNotLike": _string_like,
    "ArnNotEquals": _arn_like,
    "ArnNotLike": _arn_like,
    "NotIpAddress": _ip,
    "NumericNotEquals": _POSITIVE["NumericEquals"],
    "DateNotEquals": _POSITIVE["DateEquals"],
}
_BASES: Final = {name.lower(): (name, test, False) for name, test in _POSITIVE.items()} | {
    name.lower(): (name, test, True) for name, test in _NEGATED.items()
}
_QUANTIFIERS: Final = {"": "", "forallvalues": "ForAllValues", "foranyvalue": "ForAnyValue"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key: `{"StringEquals": {"sts:ExternalId": ["a", "b"]}}`. `base` is IAM's name of it."""

    base: str
    quantifier: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, request: Request, *, variables: bool) -> bool:
        """Return whether the request satisfies it."""
        have = request.keys.get(self.key.lower())
        if self.base == "Null":
            return ("true" if have is None else "false") in map(str.lower, self.values)
        _, test, negated = _BASES[self.base.lower()]
        if have is None or (self.quantifier and not any(have)):
            # To set operators empty texts are no values (IAM user guide, "Multivalued context keys").
            # Over no value "for all" is true and "for any" is not; IfExists and negations are true of an absent key.
            return self.quantifier == "ForAllValues" or (not self.quantifier and (self.if_exists or negated))
        if not self.quantifier and len(have) > 1:
            # Without a set operator a key with several values is compared with nothing.
            return False

        def fits(value: str) -> bool:
            return any(test(wanted, value, request.keys, variables) for wanted in self.values) != negated

        return all(map(fits, have)) if self.quantifier == "ForAllValues" else any(map(fits, have))


def parse_operator(name: str) -> tuple[str, str, bool] | None:
    """Return base, quantifier and IfExists of an operator's name, or None when IAM has no such operator."""
    quantifier, colon, rest = name.rpartition(":")
    found = _QUANTIFIERS.get(quantifier.lower())
    if found is None or (colon and not found):
        return None
    folded = rest.lower()
    if folded == "null":
        return None if quantifier else ("Null", "", False)
    if_exists = folded.endswith("ifexists")
    base = _BASES.get(folded.removesuffix("ifexists"))
    return None if base is None else (base[0], found, if_exists)
