"""The wire on bad days: bounded in tries, time and size, and half an answer is none."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM, LIST_FOUNDATION_MODELS
from chalicelib.bedrock.signing import ApiKey, Credentials
from chalicelib.bedrock.wire import Answer, Wire
from tests.bedrock.far_side import A_MINUTE_CUT_SHORT, OK, FarSide, Step, error
from tests.bedrock.test_eventstream import frame

if TYPE_CHECKING:
    from tests.bedrock.conftest import Start

CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "TOKEN/with+chars==")
BODY = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


def _call(far: FarSide, seconds: float = 5.0) -> Answer:
    operation = replace(CONVERSE, seconds=seconds)
    return Wire(endpoint=far.url).call(CREDENTIALS, "us-east-1", operation, model="amazon.nova-lite-v1:0", body=BODY)


@pytest.mark.parametrize("kind", ["answer", "chunked", "until_close"])
def test_an_answer_is_its_object_and_aws_request_id(start: Start, kind: str) -> None:
    """However its end is marked, a whole body is read."""
    assert _call(start(Step(kind=kind))) == Answer({"fine": True}, "request-1")


def test_a_redirect_is_not_followed(start: Start) -> None:
    """It would carry the session's token to another host."""
    other = start()
    far = start(Step(307, b"", {"Location": f"{other.url}/model/x/converse"}))

    with pytest.raises(AwsError) as refused:
        _call(far)
    assert (refused.value.status, other.requests, len(far.requests)) == (307, [], 1)


@pytest.mark.parametrize(("kind", "named"), [("event", "messageStart"), ("exception", "internalServerException")])
def test_a_frame_nested_too_deeply_is_told_at_once(start: Start, kind: str, named: str) -> None:
    """The thread that reads tells whoever waits for it, instead of dying and leaving them to the deadline."""
    octets = frame({":message-type": kind, f":{kind}-type": named}, b"[" * 100_000)
    wire = Wire(endpoint=start(Step(body=octets), Step(body=octets)).url)
    with pytest.raises((Unreachable, AwsError)) as told:
        wire.stream(CREDENTIALS, "us-east-1", CONVERSE_STREAM, model="amazon.nova-lite-v1:0", body=BODY, seconds=30)

    assert getattr(told.value, "kind", "cut") == "cut"


RETRIED = [
    pytest.param(error(429, "ThrottlingException"), id="throttled"),
    pytest.param(error(500, "InternalServerException"), id="an internal error"),
    pytest.param(error(503, "ServiceUnavailableException"), id="unavailable"),
    pytest.param(Step(502, b"<html>"), id="a gateway's own page"),
    pytest.param(Step(kind="reset"), id="a reset connection"),
]


@pytest.mark.parametrize("step", RETRIED)
def test_what_may_pass_is_tried_once_more(start: Start, step: Step) -> None:
    """Two tries in all: the client has its own on top."""
    far = start(step)
    assert _call(far).body == {"fine": True}
    assert len(far.requests) == 2
    assert len({sent["body"] for sent in far.requests}) == 1

    stubborn = start(*[step] * 5)
    with pytest.raises((AwsError, Unreachable)):
        _call(stubborn)
    assert len(stubborn.requests) == 2


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(error(400, "ValidationException"), id="invalid"),
        pytest.param(error(403, "AccessDeniedException"), id="denied"),
        pytest.param(error(403, "ExpiredTokenException"), id="expired"),
        pytest.param(error(404, "ResourceNotFoundException"), id="not found"),
        pytest.param(error(408, "ModelTimeoutException"), id="the model took too long"),
        pytest.param(error(424, "ModelErrorException"), id="the model failed"),
        pytest.param(error(429, "ThrottlingException", "Too many tokens per day"), id="the day's quota is used up"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(start: Start, step: Step) -> None:
    """A refusal is one call."""
    far = start(step, step)
    with pytest.raises(AwsError) as refused:
        _call(far)

    assert len(far.requests) == 1
    assert (refused.value.status, refused.value.request_id) == (step.status, "request-1")


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        (error(403, "AccessDeniedException", "why"), "AccessDeniedException", "why"),
        (Step(400, b'{"__type": "com.amazon.coral#Bad", "Message": "why"}'), "Bad", "why"),
        (Step(400, b'{"code": "Bad", "message": "why"}'), "Bad", "why"),
        (Step(400, b'{"Code": "Bad:http://x/", "message": null, "Message": "why"}'), "Bad", "why"),
        (Step(400, b'{"code": ["Bad"], "message": {"x": 1}}'), "", ""),
        (Step(403, b"not json"), "", ""),
        (Step(403, b"[]"), "", ""),
        (error(400, "B\x7fad\tness", "why"), "Badness", "why"),
        (error(400, "B" * 500), "B" * 100, "no"),
    ],
)
def test_an_errors_code_and_text_are_where_aws_puts_them(start: Start, step: Step, code: str, message: str) -> None:
    """Header or body, `message` or `Message`, with a name space or an address behind it; a code is a name, bounded."""
    with pytest.raises(AwsError) as refused:
        _call(start(step))

    assert (refused.value.code, refused.value.message) == (code, message)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0", 2), ("99999", 2), ("9999", 3600), ("soon", 2), ("-1", 2), ("٣", 2)]
)
def test_the_time_that_aws_asks_for_is_told(start: Start, header: str, seconds: int) -> None:
    """Retry-After comes before our own guess when it is a number of seconds, and is an hour at most."""
    throttled = error(429, "ThrottlingException", retry_after=header.encode().decode("latin-1"))
    with pytest.raises(AwsError) as refused:
        _call(start(throttled, throttled))

    assert explain(refused.value).retry_after == seconds


@pytest.mark.parametrize("request_id", ["a b", "x" * 101, "é", "a\r\n b"])
def test_a_request_id_that_is_none_is_left_out(start: Start, request_id: str) -> None:
    """It is handed on in a header, so it is nothing but letters, digits and hyphens."""
    assert _call(start(Step(headers={"x-amzn-requestid": request_id}, kind="until_close"))).request_id == ""


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        pytest.param(Step(kind="cut"), "cut", id="a body cut short of its length"),
        pytest.param(Step(kind="chunked_cut"), "cut", id="chunks without the last"),
        pytest.param(Step(body=b'{"fine": tr', kind="until_close"), "cut", id="a body that ends with the connection"),
        pytest.param(Step(body=b""), "cut", id="nothing"),
        pytest.param(Step(body=b"[1]"), "cut", id="no object"),
        pytest.param(Step(body=b'{"a":' * 100_000), "cut", id="a hundred thousand objects"),
        pytest.param(
            Step(body=gzip.compress(OK), headers={"Content-Encoding": "gzip"}), "cut", id="a coding not asked for"
        ),
        pytest.param(Step(body=b" " * (26 * 1024 * 1024)), "too_large", id="26 MB"),
        pytest.param(Step(body=b" " * (26 * 1024 * 1024), kind="chunked"), "too_large", id="26 MB in chunks"),
    ],
)
def test_half_an_answer_is_none_and_is_not_asked_for_again(start: Start, step: Step, kind: str) -> None:
    """Botocore takes a cut body for an empty success. Here it fails, and the customer pays for one run."""
    far = start(step, step)
    with pytest.raises(Unreachable) as failed:
        _call(far, seconds=60)

    assert (failed.value.kind, failed.value.passing, len(far.requests)) == (kind, False, 1)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Step(kind="hang", seconds=60), id="silence"),
        pytest.param(Step(kind="stall", seconds=0.3), id="silence in mid body"),
        pytest.param(Step(kind="trickle", body=b" " * 1200, seconds=0.05), id="a trickle"),
        pytest.param(Step(kind="trickle_until_close", body=b" " * 1200, seconds=0.05), id="a trickle without length"),
    ],
)
def test_an_answer_that_does_not_come_ends_with_the_calls_time(start: Start, step: Step) -> None:
    """Each receive has the time that is left, not the time that the call began with; and there is no second try."""
    far = start(step, step)
    started = time.monotonic()
    with pytest.raises(Unreachable) as failed:
        _call(far, seconds=0.6)

    assert (failed.value.kind, failed.value.passing, len(far.requests)) == ("timeout", False, 1)
    assert time.monotonic() - started < A_MINUTE_CUT_SHORT


def test_both_tries_share_one_deadline(start: Start) -> None:
    """A retry does not get the time of a call of its own."""
    now = [0.0]
    steps = iter([error(503, "ServiceUnavailableException"), Step(kind="hang", seconds=60)])

    def slow_first(_: object) -> Step:
        now[0] = 59.0
        return next(steps)

    far = start(choose=slow_first)
    wire = Wire(endpoint=far.url, clock=lambda: now[0])
    started = time.monotonic()
    with pytest.raises(Unreachable) as failed:
        wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS, seconds=60)

    assert (failed.value.kind, len(far.requests)) == ("timeout", 2)
    assert time.monotonic() - started < A_MINUTE_CUT_SHORT


def test_without_time_left_there_is_no_second_try(start: Start) -> None:
    """A pause that would end after the deadline is not begun."""
    far = start(*[error(429, "ThrottlingException")] * 2)
    with pytest.raises(AwsError):
        _call(far, seconds=0.04)

    assert len(far.requests) == 1


def test_nobody_there_is_told_as_such() -> None:
    """A closed port and a name that does not resolve are two kinds of silence."""
    with pytest.raises(Unreachable) as closed:
        Wire(endpoint="http://127.0.0.1:1").call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)
    with pytest.raises(Unreachable) as unknown:
        Wire(endpoint="http://nobody.invalid").call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)

    assert (closed.value.kind, unknown.value.kind) == ("connect", "dns")


def test_a_failed_call_leaves_the_pool_as_it_was(start: Start) -> None:
    """Cut, oversized and refused answers take no connection with them: the next calls are answered."""
    far = start(
        Step(kind="cut"), Step(body=b" " * (26 * 1024 * 1024)), error(403, "AccessDeniedException"), Step(kind="reset")
    )
    wire = Wire(endpoint=far.url)
    for _ in range(3):
        with pytest.raises((AwsError, Unreachable)):
            wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)

    assert [wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS).body for _ in range(5)] == [{"fine": True}] * 5


def test_one_connection_serves_calls_of_different_tenants(start: Start) -> None:
    """The pool belongs to all; each call carries its own session's key and token."""
    far = start()
    wire = Wire(endpoint=far.url)
    for tenant in ("a", "b", "a"):
        wire.call(Credentials(f"AKID{tenant}", "secret", f"token-{tenant}"), "us-east-1", LIST_FOUNDATION_MODELS)

    assert [sent["headers"]["X-Amz-Security-Token"] for sent in far.requests] == ["token-a", "token-b", "token-a"]
    assert len({sent["port"] for sent in far.requests}) == 1


def test_many_calls_run_side_by_side(start: Start) -> None:
    """Nobody waits for a slot of the pool: eighty calls to one host, more than it keeps, end together."""
    far = start(choose=lambda _: Step(kind="trickle", body=OK, seconds=0.01))
    wire = Wire(endpoint=far.url)
    answers: list[Answer] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)), daemon=True
        )
        for _ in range(80)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [answer.body for answer in answers] == [{"fine": True}] * 80


def test_the_signer_logs_no_secret(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG botocore.auth would write the session token; it is held above that, whatever level is asked for."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="botocore")
    _call(start())

    assert CREDENTIALS.token not in caplog.text
    assert CREDENTIALS.secret_key not in caplog.text


def test_credentials_show_no_secret() -> None:
    """A trace or a log line that holds them says which key it is, and nothing that signs."""
    assert f"{CREDENTIALS} {CREDENTIALS!r}" == " ".join(["Credentials(access_key='AKIDEXAMPLE')"] * 2)


def test_an_api_key_is_sent_as_a_bearer_and_shown_nowhere(start: Start) -> None:
    """Nothing is signed with it, and no text of the value holds it."""
    far = start()
    key = ApiKey("ABSKsecret")
    Wire(endpoint=far.url).call(key, "us-east-1", LIST_FOUNDATION_MODELS)

    headers = {name.lower(): value for name, value in far.requests[0]["headers"].items()}
    assert headers["authorization"] == "Bearer ABSKsecret"
    assert "x-amz-date" not in headers
    assert "ABSKsecret" not in f"{key!r} {key}"
