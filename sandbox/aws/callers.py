"""Who is calling: the keys of users and of sessions, as moto's IAM keeps them, and the policies that bound them now."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from moto.iam.models import Role, User, iam_backends

from chalicelib.trust import Decision, PermissionsPolicy, Request, decide
from sandbox.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moto.sts.models import AssumedRole

PARTITION: Final = "aws"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, or a session of a role, with all policies that bound it now."""

    arn: str
    account: str
    user_id: str
    role_arn: str | None
    identity_policies: tuple[PermissionsPolicy, ...]
    session_policies: tuple[PermissionsPolicy, ...]

    @property
    def is_session(self) -> bool:
        """Whether it is a session of a role: what it assumes is role chaining."""
        return self.role_arn is not None

    def session_allows(self, request: Request) -> bool:
        """Whether the session's own policy, where it has one, allows a request too."""
        return not self.session_policies or decide(self.session_policies, request) is Decision.ALLOWED

    def require(
        self, service: str, action: str, resources: Iterable[str], context: Mapping[str, str] | None = None
    ) -> None:
        """Raise AWS's AccessDenied unless the caller's policies allow the action on every one of the resources."""
        for resource in resources:
            request = Request(action, resource, self.arn, context or {}, self.role_arn)
            own = decide(self.identity_policies, request)
            session = decide(self.session_policies, request) if self.session_policies else Decision.ALLOWED
            if own is Decision.ALLOWED and session is Decision.ALLOWED:
                continue
            if own is Decision.EXPLICIT_DENY:
                why = "with an explicit deny in an identity-based policy"
            elif session is Decision.EXPLICIT_DENY:
                why = "with an explicit deny in a session policy"
            else:
                kind = "session" if own is Decision.ALLOWED else "identity-based"
                why = f"because no {kind} policy allows the {action} action"
            # A call that concerns no resource is refused without naming one, as ListFoundationModels was seen to be.
            on = "" if resource == "*" else f" on resource: {resource}"
            code = "AccessDenied" if service in {"sts", "iam"} else "AccessDeniedException"
            raise AwsError(code, f"User: {self.arn} is not authorized to perform: {action}{on} {why}", 403)


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs: an access key, its secret, and for a session its token and end."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Session:
    keys: Keys
    account: str
    arn: str
    role_arn: str
    role_id: str
    policies: tuple[PermissionsPolicy, ...]


class Callers:
    """Finds who owns an access key. Sessions are remembered here, by key, with the unique id of their role."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def remember(self, issued: AssumedRole, role: Role, policies: tuple[PermissionsPolicy, ...]) -> None:
        """Take note of a session that STS has just given."""
        expires_at = issued.expiration
        keys = Keys(
            issued.access_key_id,
            issued.secret_access_key,
            issued.session_token,
            expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC),
        )
        session = _Session(keys, issued.account_id, issued.arn, role.arn, role.id, policies)
        with self._lock:
            self._sessions[keys.access_key_id] = session

    def keys(self, access_key_id: str) -> tuple[str, Keys] | None:
        """Return the account and the keys behind an access key id, or None when there is no such key."""
        session = self._sessions.get(access_key_id)
        if session is not None:
            return session.account, session.keys
        for account, backends in list(iam_backends.items()):
            key = backends[PARTITION].access_keys.get(access_key_id)
            if key is not None and key.status == "Active":
                return account, Keys(access_key_id, key.secret_access_key)
        return None

    def caller(self, account: str, access_key_id: str) -> Caller:
        """Return who owns a key. A session of a role that was deleted since has no permission left."""
        session = self._sessions.get(access_key_id)
        if session is None:
            user = iam_backends[account][PARTITION].get_user_from_access_key_id(access_key_id)
            if user is None:
                raise LookupError(f"no user owns {access_key_id}")
            return Caller(user.arn, account, user.id, None, _policies(user), ())
        role = find_role(session.role_arn)
        living = role if role is not None and role.id == session.role_id else None
        return Caller(
            session.arn,
            account,
            f"{session.role_id}:{session.arn.rpartition('/')[2]}",
            session.role_arn,
            () if living is None else _policies(living),
            session.policies,
        )


CALLERS: Final = Callers()


def find_role(arn: str) -> Role | None:
    """Return a role by its ARN, path included, from whichever account it is in."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[1] != PARTITION or parts[4] not in iam_backends:
        return None
    roles: Iterable[Role] = list(iam_backends[parts[4]][PARTITION].roles.values())
    return next((role for role in roles if role.arn == arn), None)


def _policies(owner: Role | User) -> tuple[PermissionsPolicy, ...]:
    managed = [
        version.document
        for policy in owner.managed_policies.values()
        for version in policy.versions
        if version.is_default
    ]
    return tuple(_parsed(document) for document in [*owner.policies.values(), *managed])


@lru_cache(maxsize=512)
def _parsed(document: str) -> PermissionsPolicy:
    return PermissionsPolicy.parse(document)
