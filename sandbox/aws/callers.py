"""Who is calling: the keys of users and of sessions, as moto's IAM keeps them, and the policies that bound them now."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from moto.iam.models import Role, User, iam_backends

from chalicelib.trust import Decision, PermissionsPolicy, Request, decide
from sandbox.aws.errors import WORDS, AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moto.iam.models import ManagedPolicy
    from moto.sts.models import AssumedRole

PARTITION: Final = "aws"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, or a session of a role, with all policies that bound it now.

    `boundary` is the role's permissions boundary; empty like `session_policies` when there is none. `exists` is false
    for a session whose role was deleted since.
    """

    arn: str
    account: str
    user_id: str
    role_arn: str | None
    identity_policies: tuple[PermissionsPolicy, ...]
    session_policies: tuple[PermissionsPolicy, ...]
    boundary: tuple[PermissionsPolicy, ...] = ()
    exists: bool = True

    @property
    def is_role(self) -> bool:
        """Whether it is a session of a role: what it assumes is role chaining."""
        return self.role_arn is not None

    def is_within_limits(self, request: Request) -> bool:
        """Whether the boundary and the session's own policy, where there are such, allow a request."""
        limits = [policies for policies in (self.boundary, self.session_policies) if policies]
        return all(decide(policies, request) is Decision.ALLOWED for policies in limits)

    def require(self, service: str, action: str, resources: Iterable[str], context: Mapping[str, str]) -> None:
        """Raise AWS's AccessDenied unless the caller's policies allow the action on every one of the resources."""
        for resource in resources:
            why = self.refusal_of(Request(action, resource, self.arn, context, self.role_arn))
            if why is None:
                continue
            # A call that concerns no resource is refused without naming one, as ListFoundationModels was seen to be.
            on = "" if resource == "*" else f" on resource: {resource}"
            words = WORDS[service]
            raise AwsError(
                words.denied, f"User: {self.arn} is not authorized to perform: {action}{on} {why}", words.status
            )

    def refusal_of(self, request: Request) -> str | None:
        """Return the end of AWS's sentence, or None when all kinds of policy allow the request."""
        layers = [("identity-based policy", self.identity_policies)]
        layers += [("permissions boundary", self.boundary)] if self.boundary else []
        layers += [("session policy", self.session_policies)] if self.session_policies else []
        decisions = [(kind, decide(policies, request)) for kind, policies in layers]
        for kind, decision in decisions:
            if decision is Decision.EXPLICIT_DENY:
                return f"with an explicit deny in {'an' if kind.startswith('i') else 'a'} {kind}"
        for kind, decision in decisions:
            if decision is not Decision.ALLOWED:
                return f"because no {kind} allows the {request.action} action"
        return None


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
        self._api_keys: dict[str, str] = {}

    def remember_api_key(self, api_key: str, access_key_id: str) -> None:
        """Take note of a Bedrock API key, and of an access key of the user whom it stands for."""
        with self._lock:
            self._api_keys[api_key] = access_key_id

    def of_api_key(self, api_key: str) -> str | None:
        """Return the access key id that stands for the same user, or None when there is no such Bedrock API key."""
        return self._api_keys.get(api_key)

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

    def forget_all(self) -> None:
        """End every session, and every Bedrock API key."""
        with self._lock:
            self._sessions.clear()
            self._api_keys.clear()

    def keys(self, access_key_id: str) -> tuple[str, Keys] | None:
        """Return the account and the keys behind an access key id, or None when there is no such key.

        A key whose user was deleted, or that was made inactive, is no key.
        """
        session = self._sessions.get(access_key_id)
        if session is not None:
            return session.account, session.keys
        for account, backends in list(iam_backends.items()):
            backend = backends[PARTITION]
            key = backend.access_keys.get(access_key_id)
            if key is not None and key.status == "Active" and key.user_name in backend.users:
                return account, Keys(access_key_id, key.secret_access_key)
        return None

    def caller(self, account: str, access_key_id: str) -> Caller:
        """Return who owns a key that `keys` knows. A session whose role was deleted since has no permission left."""
        session = self._sessions.get(access_key_id)
        if session is None:
            backend = iam_backends[account][PARTITION]
            user = backend.users[str(backend.access_keys[access_key_id].user_name)]
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
            () if living is None else managed_policies(account, [living.permissions_boundary_arn]),
            exists=living is not None,
        )


CALLERS: Final = Callers()


def find_role(arn: str) -> Role | None:
    """Return a role by its ARN, path included, from whichever account it is in."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[1] != PARTITION or parts[4] not in iam_backends:
        return None
    roles: Iterable[Role] = list(iam_backends[parts[4]][PARTITION].roles.values())
    return next((role for role in roles if role.arn == arn), None)


def managed_policies(account: str, arns: Iterable[str | None]) -> tuple[PermissionsPolicy, ...]:
    """Return those of an account's managed policies, as their default versions have them now."""
    known = iam_backends[account][PARTITION].managed_policies
    return tuple(_parsed(document) for arn in arns if arn in known for document in _default(known[arn]))


def _policies(owner: Role | User) -> tuple[PermissionsPolicy, ...]:
    managed = [document for policy in list(owner.managed_policies.values()) for document in _default(policy)]
    return tuple(_parsed(document) for document in [*list(owner.policies.values()), *managed])


def _default(policy: ManagedPolicy) -> list[str]:
    return [version.document for version in policy.versions if version.is_default]


@lru_cache(maxsize=512)
def _parsed(document: str) -> PermissionsPolicy:
    return PermissionsPolicy.parse(document)
