"""The Principal element: whom a statement is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chalicelib.trust.request import Request

_NAME: Final = r"[\w+=,.@-]+"
_AWS: Final = re.compile(
    rf"\*|\d{{12}}"
    rf"|arn:aws(-[a-z-]+)?:iam::\d{{12}}:(root|(role|user)/([!-)+-.0->@-~]+/)*{_NAME})"
    rf"|arn:aws(-[a-z-]+)?:sts::\d{{12}}:(assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME})"
    rf"|A(IDA|ROA)[A-Z0-9]{{12,}}",
    re.ASCII,
)
"""What a principal of kind AWS looks like. A path takes any visible character, yet `*` and `?` are no part of a name
here, as wildcards are refused in principals. `AROA...` and `AIDA...` are unique ids of roles and users."""
_SERVICE: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_KINDS: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_ROLE: Final = re.compile(r"(arn:[^:]+:iam::\d+:role/).*/([^/]+)")


@dataclass(frozen=True, slots=True)
class Principals:
    """The principals of a statement by kind; `excluded` means NotPrincipal."""

    aws: frozenset[str]
    services: frozenset[str]
    others: frozenset[str]
    everyone: bool
    excluded: bool

    def covers(self, request: Request, *, denies: bool = False) -> bool:
        """Return whether the statement is about who makes the request. `denies`: it is a Deny.

        A Deny with NotPrincipal spares only those of whom it names the account too: AWS looks at the account first,
        then at the user or role in it (IAM user guide, "NotPrincipal with Deny").
        """
        if not self.excluded:
            return self._names(request)
        if denies and not self.everyone and request.account is not None:
            return not (self._names_account(request) and self._names_caller(request))
        return not self._names(request)

    def names_directly(self, request: Request) -> bool:
        """Return whether the caller itself is named, or everyone: not only its account."""
        return self.everyone or self.excluded or self._names_caller(request)

    def _names(self, request: Request) -> bool:
        if self.everyone:
            return True
        if request.account is None:
            return request.principal in self.services
        return self._names_account(request) or self._names_caller(request)

    def _names_account(self, request: Request) -> bool:
        root = f"arn:{request.partition}:iam::{request.account}:root"
        return request.account in self.aws or root in self.aws

    def _names_caller(self, request: Request) -> bool:
        if self.aws & {request.principal, request.principal_arn, *request.unique_ids}:
            return True
        # A session's ARN leaves its role's path out, and names of roles are unique in an account whatever the path.
        return request.role_arn is None and any(_ROLE.sub(r"\1\2", arn) == request.principal_arn for arn in self.aws)


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
            if not _is_valid(kind, text):
                shown = "SERVICE" if kind == "Service" else kind
                raise ValueError(f'Invalid principal in policy: "{shown}":"{text[:200]}"')
        named[kind] = frozenset(texts)
    aws = named.get("AWS", frozenset())
    others = named.get("Federated", frozenset()) | named.get("CanonicalUser", frozenset())
    return Principals(aws, named.get("Service", frozenset()), others, everyone="*" in aws, excluded=excluded)


def _is_valid(kind: str, text: str) -> bool:
    if kind == "AWS":
        return _AWS.fullmatch(text) is not None
    if kind == "Service":
        return _SERVICE.fullmatch(text) is not None
    return text != ""
