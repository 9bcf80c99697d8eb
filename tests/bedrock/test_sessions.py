"""Sessions: who waits, who does not, what is remembered, and what is never shared."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from chalicelib.bedrock.sessions import Grant, Sessions
from chalicelib.bedrock.signing import Credentials
from chalicelib.errors import ServiceError
from chalicelib.identifiers import RoleArn

if TYPE_CHECKING:
    from collections.abc import Callable

ROLE = RoleArn("aws", "444455556666", "/", "RolecallAccess")
GRANT = Grant("acme", "conn-a", 1, ROLE, "rolecall-x", "us-east-1", '{"Statement":[]}')
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)


class FarSts:
    """STS as seen from here: answers AssumeRole, counts, and does what a test asks of it meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls: list[dict[str, Any]] = []
        self.refusal: str | None = None
        self.silent = False
        self.before_answer: Callable[[], object] = lambda: None

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.calls.append(request)
        number = len(self.calls)
        self.before_answer()
        if self.silent:
            raise EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com")
        if self.refusal is not None:
            answer: Any = {
                "Error": {"Code": self.refusal, "Message": "User: x is not authorized to perform: sts:AssumeRole"},
                "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "r"},
            }
            raise ClientError(answer, "AssumeRole")
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{number}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": self._clock() + timedelta(seconds=request["DurationSeconds"]),
            },
            "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:name", "Arn": "arn"},
        }


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def sts(clock: Clock) -> FarSts:
    """Give the far side."""
    return FarSts(clock)


@pytest.fixture
def sessions(clock: Clock, sts: FarSts) -> Sessions:
    """Give an empty cache over the far side."""
    return Sessions([lambda: sts], clock)  # type: ignore[list-item,return-value]


def _wait_until(done: Callable[[], bool]) -> None:
    for _ in range(3000):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within half a minute")


def test_a_session_is_fetched_once_for_its_life(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """For fifty minutes of its hour a session costs one AssumeRole."""
    for _ in range(49):
        assert sessions.credentials(GRANT).access_key == "ASIA1"
        clock.pass_time(minutes=1)

    assert len(sts.calls) == 1


def test_a_refresh_delays_nobody(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """Past the early mark callers get the session that they have, while one thread fetches the next."""
    sessions.credentials(GRANT)
    clock.pass_time(minutes=51)
    gate = threading.Event()
    sts.before_answer = lambda: gate.wait(20)

    assert [sessions.credentials(GRANT).access_key for _ in range(20)] == ["ASIA1"] * 20
    gate.set()
    _wait_until(lambda: sessions.credentials(GRANT).access_key == "ASIA2")
    assert len(sts.calls) == 2


def test_a_failed_refresh_keeps_the_session_and_waits(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """While the session in use is good, a refusal costs nobody anything but one call in thirty seconds."""
    sessions.credentials(GRANT)
    clock.pass_time(minutes=51)
    sts.refusal = "AccessDenied"
    sessions.credentials(GRANT)
    _wait_until(lambda: len(sts.calls) == 2)
    time.sleep(0.05)

    assert [sessions.credentials(GRANT).access_key for _ in range(5)] == ["ASIA1"] * 5
    assert len(sts.calls) == 2


def test_a_refresh_is_tried_again_after_half_a_minute(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """And after each hour: neither a failed one nor one that went well is the last."""
    sessions.credentials(GRANT)
    clock.pass_time(minutes=51)
    sts.refusal = "AccessDenied"
    sessions.credentials(GRANT)
    _wait_until(lambda: "session-refresh" not in {thread.name for thread in threading.enumerate()})
    sts.refusal = None
    clock.pass_time(seconds=31)
    _wait_until(lambda: sessions.credentials(GRANT).access_key == "ASIA3")
    clock.pass_time(minutes=51)

    _wait_until(lambda: sessions.credentials(GRANT).access_key == "ASIA4")


def test_in_its_last_minute_a_session_is_replaced_first(sessions: Sessions, clock: Clock) -> None:
    """A session that may end during the call is not handed out."""
    sessions.credentials(GRANT)
    clock.pass_time(minutes=59, seconds=30)

    assert sessions.credentials(GRANT).access_key == "ASIA2"


def test_a_refresh_that_failed_holds_up_nobody_who_waits(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """It says nothing against the role: who needs a session moments later asks STS, and gets one."""
    sessions.credentials(GRANT)
    clock.pass_time(minutes=58, seconds=55)
    sts.silent = True
    assert sessions.credentials(GRANT).access_key == "ASIA1"
    _wait_until(lambda: "session-refresh" not in {thread.name for thread in threading.enumerate()})
    sts.silent = False
    clock.pass_time(seconds=20)

    assert sessions.credentials(GRANT).access_key == "ASIA3"


def test_an_sts_that_does_not_answer_is_no_refusal(sessions: Sessions, sts: FarSts) -> None:
    """Callers hear that it did not, and the next asks again."""
    sts.silent = True
    for _ in range(2):
        with pytest.raises(ServiceError) as told:
            sessions.credentials(GRANT)
        assert told.value.code == "upstream_unreachable"
    sts.silent = False

    assert sessions.credentials(GRANT).access_key == "ASIA3"


def test_a_role_made_anew_is_not_the_one_that_was_verified(sessions: Sessions, sts: FarSts) -> None:
    """Whoever can delete and make roles in an account may not be whoever had this one verified."""
    assert sessions.credentials(replace(GRANT, role_unique_id="AROAEXAMPLE")).access_key == "ASIA1"
    with pytest.raises(ServiceError) as refused:
        sessions.credentials(replace(GRANT, role_unique_id="AROAOTHER"))

    assert refused.value.code == "role_identity_changed"


def test_threads_share_one_assume_role(sessions: Sessions, sts: FarSts) -> None:
    """Thirty-two callers of a cold role cause one AssumeRole."""
    sts.before_answer = lambda: time.sleep(0.05)
    with ThreadPoolExecutor(32) as pool:
        keys = {future.result().access_key for future in [pool.submit(sessions.credentials, GRANT) for _ in range(32)]}

    assert (keys, len(sts.calls)) == ({"ASIA1"}, 1)


def test_another_roles_hanging_call_holds_nobody_up(sessions: Sessions, sts: FarSts) -> None:
    """One tenant whose STS call hangs does not stand in another's way."""
    gate = threading.Event()
    sts.before_answer = lambda: gate.wait(20) if sts.calls[-1]["ExternalId"] == "rolecall-slow" else None
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(sessions.credentials, replace(GRANT, external_id="rolecall-slow"))
        _wait_until(lambda: len(sts.calls) == 1)
        assert sessions.credentials(GRANT).access_key == "ASIA2"
        assert not slow.done()
        gate.set()


def test_a_refusal_is_remembered_for_thirty_seconds(sessions: Sessions, sts: FarSts, clock: Clock) -> None:
    """A role that refuses us costs one STS call in thirty seconds, and each caller hears why."""
    sts.refusal = "AccessDenied"
    for _ in range(10):
        with pytest.raises(ServiceError) as refused:
            sessions.credentials(GRANT)
        assert refused.value.code == "assume_role_denied"
    assert len(sts.calls) == 1

    clock.pass_time(seconds=31)
    sts.refusal = None
    assert sessions.credentials(GRANT).access_key == "ASIA2"


def test_being_throttled_is_no_refusal(sessions: Sessions, sts: FarSts) -> None:
    """What may pass by itself is asked again."""
    sts.refusal = "Throttling"
    with pytest.raises(ServiceError):
        sessions.credentials(GRANT)
    sts.refusal = None

    assert sessions.credentials(GRANT).access_key == "ASIA2"


def test_forgetting_a_connection_drops_sessions_and_refusals(sessions: Sessions, sts: FarSts) -> None:
    """After a change the next call asks STS anew, whatever was remembered."""
    sessions.credentials(GRANT)
    sts.refusal = "AccessDenied"
    other = replace(GRANT, version=2)
    with pytest.raises(ServiceError):
        sessions.credentials(other)
    sessions.forget("conn-a")
    sts.refusal = None

    assert [sessions.credentials(GRANT).access_key, sessions.credentials(other).access_key] == ["ASIA3", "ASIA4"]


def test_an_answer_that_comes_after_forgetting_is_used_by_nobody_else(sessions: Sessions, sts: FarSts) -> None:
    """An AssumeRole under way when a connection is dropped does not bring its session back."""
    gate = threading.Event()
    sts.before_answer = lambda: gate.wait(20)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(sessions.credentials, GRANT)
        _wait_until(lambda: len(sts.calls) == 1)
        sessions.forget("conn-a")
        gate.set()
        assert under_way.result().access_key == "ASIA1"

    assert sessions.credentials(GRANT).access_key == "ASIA2"


@pytest.mark.parametrize("between", ["/", ":", ",", "|", "\n", "\0", '", "', "', '", "#", " "])
def test_grants_that_read_alike_when_joined_share_nothing(between: str) -> None:
    """A key of joined texts is one for `a/b` and `c`, and for `a` and `b/c`: one tenant's session for another."""
    one = replace(GRANT, tenant=f"a{between}b", connection_id="c")
    other = replace(GRANT, tenant="a", connection_id=f"b{between}c")

    assert one.key != other.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(GRANT, tenant="globex"), id="tenant"),
        pytest.param(replace(GRANT, connection_id="conn-b"), id="connection"),
        pytest.param(replace(GRANT, version=2), id="version"),
        pytest.param(replace(GRANT, role_arn=replace(ROLE, name="Other")), id="role"),
        pytest.param(replace(GRANT, external_id="rolecall-y"), id="external ID"),
        pytest.param(replace(GRANT, region="eu-west-1"), id="region"),
        pytest.param(replace(GRANT, session_policy="{}"), id="session policy"),
        pytest.param(replace(GRANT, role_unique_id="AROAEXAMPLE"), id="the role's unique id"),
    ],
)
def test_grants_that_differ_in_anything_share_nothing(sessions: Sessions, sts: FarSts, other: Grant) -> None:
    """The key holds everything that decides the answer."""
    assert sessions.credentials(GRANT) != sessions.credentials(other)
    assert len(sts.calls) == 2


def test_no_separator_makes_two_grants_one(sessions: Sessions) -> None:
    """Role `a` with ID `b/c` and role `a/b` with ID `c` are two grants, as they were not in a known gateway."""
    one = replace(GRANT, role_arn=replace(ROLE, name="a"), external_id="b/c")
    two = replace(GRANT, role_arn=replace(ROLE, path="/a/", name="b"), external_id="c")

    assert sessions.credentials(one) != sessions.credentials(two)


def test_the_cache_is_bounded(clock: Clock, sts: FarSts) -> None:
    """The session used longest ago makes room."""
    sessions = Sessions([lambda: sts], clock, capacity=3)  # type: ignore[list-item,return-value]
    grants = [replace(GRANT, external_id=f"rolecall-{n}") for n in range(4)]
    for grant in grants:
        sessions.credentials(grant)

    assert [sessions.credentials(grant).access_key for grant in grants[1:]] == ["ASIA2", "ASIA3", "ASIA4"]
    assert sessions.credentials(grants[0]).access_key == "ASIA5"


def test_credentials_do_not_show_their_secret() -> None:
    """What lands in a log or a traceback by accident gives nothing away."""
    credentials = Credentials("ASIAEXAMPLE", "canary-secret", "canary-token")

    assert "canary" not in f"{credentials} {credentials!r}"


def test_a_role_with_short_sessions_gets_a_short_session(clock: Clock) -> None:
    """Asked for longer than the role allows, STS refuses instead of giving less: once more, for the least there is."""
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    asked = {
        "RoleArn": str(ROLE),
        "RoleSessionName": "conn-a.invoke",
        "Policy": GRANT.session_policy,
        "ExternalId": "rolecall-x",
    }
    text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    expires = START + timedelta(seconds=900)
    given = {"AccessKeyId": "ASIA" + "X" * 16, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}
    user = {"AssumedRoleId": "AROAEXAMPLEEXAMPLE:conn-a.invoke", "Arn": "arn:aws:sts::444455556666:assumed-role/a/b"}
    with Stubber(client) as stub:
        stub.add_client_error(
            "assume_role", "ValidationError", text, 400, expected_params=asked | {"DurationSeconds": 3600}
        )
        stub.add_response(
            "assume_role", {"Credentials": given, "AssumedRoleUser": user}, asked | {"DurationSeconds": 900}
        )
        assert Sessions([lambda: client], clock).credentials(GRANT).token == "t"
        stub.assert_no_pending_responses()
