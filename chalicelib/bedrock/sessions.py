"""Sessions in customers' roles: the one AssumeRole of this code base, and the cache of what it gave.

What was verified is what runs: the verification's checks and every model call come through `assume`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.sts_meanings import IDENTITY_CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_sts import STSClient

    from chalicelib.identifiers import RoleArn

log = logging.getLogger(__name__)

StsClients: TypeAlias = "Sequence[Callable[[], STSClient]]"
"""STS where it is asked: at home first, then where an account can't have switched it off."""

SESSION_SECONDS: Final = 3600
"""The most that role chaining allows, and Lambda's own role makes every session a chained one."""
PROBE_SECONDS: Final = 900
"""The least that STS gives."""
REFUSAL_LIFE: Final = timedelta(seconds=30)
_EARLY: Final = timedelta(minutes=10)
_LAST_MOMENT: Final = timedelta(minutes=1)
_CAPACITY: Final = 1000
_REGION_DISABLED: Final = "RegionDisabledException"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """All that is needed to act in a customer's account, and whose it is.

    `key` is a hash of every field: two grants that differ in anything never share a session.
    """

    tenant: str
    connection_id: str
    version: int
    role_arn: RoleArn
    external_id: str
    region: str
    session_policy: str
    role_unique_id: str | None = None
    """IAM's AROA... id of the role that was verified: a role deleted and made anew has another. None: not known yet."""
    key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Hash the fields as a JSON list: joined by a separator, `a/b` + `c` and `a` + `b/c` would be one key."""
        owner = [self.tenant, self.connection_id, self.version]
        role = [str(self.role_arn), self.role_unique_id, self.external_id]
        digest = hashlib.sha256(json.dumps([*owner, *role, self.region, self.session_policy]).encode()).digest()
        object.__setattr__(self, "key", digest)


@dataclass(frozen=True, slots=True)
class Session:
    """What STS gave: credentials, when they end, and the unique id (AROA...) of the role that they are of.

    `sts_region` is where STS gave it: another region than this service's own when the account has STS off there.
    """

    credentials: Credentials
    expires_at: datetime
    role_unique_id: str
    sts_region: str


def assume(
    sts: StsClients, role_arn: RoleArn, external_id: str | None, *, session_policy: str, name: str, seconds: int
) -> Session:
    """Call AssumeRole. Raises `AwsError` or `Unreachable`.

    `name` becomes the session's name in the customer's CloudTrail: a connection and a purpose, nothing personal.
    `external_id` None sends none at all, which only a probe may want. A region's STS must be active in the account of
    the role, not in ours (IAM guide, "Activate STS in a Region"): where it is not, the next client is asked.
    """
    for client in sts[:-1]:
        try:
            return _assume_at(client(), role_arn, external_id, session_policy, name, seconds)
        except AwsError as failure:
            if failure.code != _REGION_DISABLED:
                raise
    return _assume_at(sts[-1](), role_arn, external_id, session_policy, name, seconds)


def _assume_at(
    sts: STSClient, role_arn: RoleArn, external_id: str | None, session_policy: str, name: str, seconds: int
) -> Session:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  loaded with the client, not before

    try:
        if external_id is None:
            answer = sts.assume_role(
                RoleArn=str(role_arn), RoleSessionName=name, Policy=session_policy, DurationSeconds=seconds
            )
        else:
            answer = sts.assume_role(
                RoleArn=str(role_arn),
                RoleSessionName=name,
                Policy=session_policy,
                DurationSeconds=seconds,
                ExternalId=external_id,
            )
    except ClientError as error:
        raise AwsError.from_client_error("sts", "AssumeRole", error) from None
    except BotoCoreError as error:
        raise Unreachable.from_botocore("sts", "AssumeRole", error) from error
    given = answer["Credentials"]
    return Session(
        Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]),
        # botocore gives each time a time zone object of its own, half a kilobyte for each session held.
        given["Expiration"].astimezone(UTC),
        answer["AssumedRoleUser"]["AssumedRoleId"].partition(":")[0],
        sts.meta.region_name,
    )


class _Entry:
    """What is known of one grant. `lock` is held by whoever asks STS for it, and never for another grant."""

    __slots__ = ("connection_id", "lock", "refreshing", "refusal", "refused_until", "session")

    def __init__(self, connection_id: str) -> None:
        self.connection_id = connection_id
        self.lock = threading.Lock()
        self.session: Session | None = None
        self.refreshing = False
        self.refusal: AwsError | None = None
        self.refused_until = _LONG_AGO


class Sessions:
    """Sessions by grant: bounded, one AssumeRole at a time for a grant, refreshed before anyone has to wait for it.

    1. A session with more than ten minutes left is used as it is.
    2. Later than that it is still used, while one thread fetches the next beside the call.
    3. In its last minute, or without one, callers wait for one AssumeRole between them.
    4. A refusal is remembered for 30 seconds, so that a role that refuses us costs STS one call, not one for each chat.
    5. `forget` drops all that a connection has; an AssumeRole under way then ends in an entry that nobody reads.
    """

    def __init__(self, sts: StsClients, clock: Callable[[], datetime], capacity: int = _CAPACITY) -> None:
        self._sts = sts
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def credentials(self, grant: Grant) -> Credentials:
        """Return credentials for the grant. Raises `ServiceError` when the role refuses us or STS can't be reached."""
        entry = self._entry(grant)
        session = entry.session
        if session is not None:
            left = session.expires_at - self._clock()
            if left > _EARLY:
                return session.credentials
            if left > _LAST_MOMENT:
                self._refresh_beside(entry, grant)
                return session.credentials
        with entry.lock:
            return self._wait_for_session(entry, grant).credentials

    def forget(self, connection_id: str) -> None:
        """Drop the sessions and the refusals of a connection."""
        with self._lock:
            for key in [key for key, entry in self._entries.items() if entry.connection_id == connection_id]:
                del self._entries[key]

    def _entry(self, grant: Grant) -> _Entry:
        with self._lock:
            entry = self._entries.get(grant.key)
            if entry is None:
                entry = self._entries[grant.key] = _Entry(grant.connection_id)
                if len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
            else:
                self._entries.move_to_end(grant.key)
            return entry

    def _wait_for_session(self, entry: _Entry, grant: Grant) -> Session:
        now = self._clock()
        if entry.session is not None and entry.session.expires_at - now > _LAST_MOMENT:
            return entry.session
        if entry.refusal is not None and now < entry.refused_until:
            raise explain(entry.refusal)
        try:
            entry.session = self._assume(grant)
        except AwsError as failure:
            if not failure.passing:
                entry.refusal, entry.refused_until = failure, self._clock() + REFUSAL_LIFE
            raise explain(failure) from failure
        except Unreachable as failure:
            raise explain(failure) from failure
        entry.refusal = None
        return entry.session

    def _assume(self, grant: Grant) -> Session:
        try:
            session = self._assume_for(grant, SESSION_SECONDS)
        except AwsError as failure:
            if explain(failure).code != "session_too_long":
                raise
            # IAM sets no role's longest session below an hour today; should one come, a shorter session still works.
            session = self._assume_for(grant, PROBE_SECONDS)
        if grant.role_unique_id is not None and session.role_unique_id != grant.role_unique_id:
            # Whoever can delete and make roles in the account may not be whoever had this one verified.
            raise AwsError("sts", "AssumeRole", 403, IDENTITY_CHANGED, "The role is not the one that was verified.", "")
        return session

    def _assume_for(self, grant: Grant, seconds: int) -> Session:
        return assume(
            self._sts,
            grant.role_arn,
            grant.external_id,
            session_policy=grant.session_policy,
            name=f"{grant.connection_id}.invoke",
            seconds=seconds,
        )

    def _refresh_beside(self, entry: _Entry, grant: Grant) -> None:
        with self._lock:
            if entry.refreshing or self._clock() < entry.refused_until:
                return
            entry.refreshing = True
        threading.Thread(target=self._refresh, args=(entry, grant), name="session-refresh", daemon=True).start()

    def _refresh(self, entry: _Entry, grant: Grant) -> None:
        try:
            with entry.lock:
                entry.session = self._assume(grant)
        except (AwsError, Unreachable) as failure:
            # The session in use stays good until it ends; the next try is not before this mark.
            entry.refused_until = self._clock() + REFUSAL_LIFE
            log.warning("session not refreshed", extra={"connection": grant.connection_id, "reason": str(failure)})
        finally:
            entry.refreshing = False
