"""The Principal element: whom a statement is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chalicelib.trust.request import Request

_NAME: Final = r"[\w+=,.@/-]+"
_AWS: Final = re.compile(
    rf"\*|\d{{12}}"
    rf"|arn:aws(-[a-z-]+)?:iam::\d{{12}}:(root|(role|user)/{_NAME})"
    rf"|arn:aws(-[a-z-]+)?:sts::\d{{12}}:(assumed-role/{_NAME}/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)"
    rf"|A(IDA|ROA|GPA|NPA)[A-Z0-9]{{12,}}",
    re.ASCII,
)
_KINDS: Final = ("AWS", "Service", "Federated", "CanonicalUser")


@dataclass(frozen=True, slots=True)
class Principals:
    """The principals of a statement by kind; `excluded` means NotPrincipal."""

    aws: frozenset[str]
    services: frozenset[str]
    others: frozenset[str]
    everyone: bool
    excluded: bool

    def covers(self, request: Request) -> bool:
        """Return whether the statement is about who makes the request."""
        return self._names(request) != self.excluded

    def names_directly(self, request: Request) -> bool:
        """Return whether the caller itself is named, or everyone: not only its account."""
        return self.everyone or bool(self.aws & {request.principal, request.principal_arn})

    def _names(self, request: Request) -> bool:
        if self.everyone:
            return True
        if request.account is None:
            return request.principal in self.services
        whole_account = {request.account, f"arn:{request.partition}:iam::{request.account}:root"}
        return bool(self.aws & {request.principal, request.principal_arn, *whole_account})


def parse_principals(block: object, *, excluded: bool) -> Principals:
    """Return the principals of an element. Raises `ValueError` with AWS's text.

    An account number with another partition's ARN is another account: partitions share nothing.
    """
    if block == "*":
        return Principals(frozenset(), frozenset(), frozenset(), everyone=True, excluded=excluded)
    if not isinstance(block, Mapping) or not block:
        raise ValueError("Syntax errors in policy: Principal must be * or an object.")
    named: dict[str, frozenset[str]] = {}
    for kind, value in block.items():
        if kind not in _KINDS:
            raise ValueError(f"Syntax errors in policy: unknown kind of principal {str(kind)[:100]}.")
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError("Syntax errors in policy: a principal must be a string or a list of strings.")
        for text in texts:
            if not text or (kind == "AWS" and not _AWS.fullmatch(text)):
                raise ValueError(f'Invalid principal in policy: "{kind}":"{text[:200]}"')
        named[kind] = frozenset(texts)
    aws = named.get("AWS", frozenset())
    others = named.get("Federated", frozenset()) | named.get("CanonicalUser", frozenset())
    return Principals(aws, named.get("Service", frozenset()), others, everyone="*" in aws, excluded=excluded)
