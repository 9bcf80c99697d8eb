"""AWS's real errors, and what each is to us: a table of texts that AWS's users have reported, with where they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.meanings import ROWS
from chalicelib.routes.codes import CODES

ERRORS = json.loads((Path(__file__).parent.parent / "cases" / "aws_errors.json").read_text())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error['code']}: {error['message'][:60]}")
def test_an_error_of_aws_is_known_for_what_it_is(error: dict[str, Any]) -> None:
    """Service, code and a phrase of the text decide; what to do, and whether to try again, comes with it."""
    failure = AwsError(
        error["service"], error["operation"], error["http_status"], error["code"], error["message"], "request-1"
    )
    refusal = explain(failure)

    assert (refusal.code, refusal.should_retry, refusal.retry_after) == (
        error["expected"],
        error["should_retry"],
        error["retry_after"],
    )
    assert (refusal.aws_code, refusal.aws_request_id) == (error["code"], "request-1")
    assert refusal.fix
    assert refusal.code in CODES


def test_a_text_that_nobody_has_seen_is_not_guessed_at() -> None:
    """An unknown refusal is called that, and carries AWS's code and request id for whoever asks AWS."""
    refusal = explain(AwsError("bedrock", "Converse", 418, "TeapotException", "short and stout", "request-1"))

    assert (refusal.code, refusal.aws_code, refusal.aws_request_id) == ("unrecognised", "TeapotException", "request-1")
    assert "TeapotException: short and stout" in refusal.message


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limit_exceeded"), (500, "upstream_error"), (599, "upstream_error")]
)
def test_an_unknown_code_is_judged_by_its_status(status: int, code: str) -> None:
    """Busy and broken are told by the status where the code is new."""
    refusal = explain(AwsError("bedrock", "Converse", status, "NewException", "", ""))

    assert (refusal.code, refusal.should_retry) == (code, True)


def test_the_wait_that_aws_names_is_the_one_we_name() -> None:
    """`try again after 15 minutes` becomes 900 seconds."""
    text = (
        "Model access is denied due to aws-marketplace. If you recently fixed this issue, try again after 15 minutes."
    )
    assert explain(AwsError("bedrock", "Converse", 403, "AccessDeniedException", text, "")).retry_after == 900


def test_a_foreign_text_is_bounded_and_plain() -> None:
    """What AWS, or whoever answers in its place, writes can't fill a log or steer a terminal."""
    message = explain(
        AwsError("bedrock", "Converse", 400, "ValidationException", "\x1b[31m\r\n" + "x" * 9000, "")
    ).message

    assert len(message) < 600
    assert message.isprintable()


@pytest.mark.parametrize(
    ("kind", "code", "retry"),
    [
        ("dns", "upstream_unreachable", True),
        ("connect", "upstream_unreachable", True),
        ("tls", "upstream_unreachable", True),
        ("cut", "upstream_unreachable", True),
        ("timeout", "upstream_timeout", False),
    ],
)
def test_no_answer_is_no_refusal(kind: str, code: str, retry: bool) -> None:
    """A far side that did not answer says nothing about roles; a long job is not asked to be run again."""
    refusal = explain(Unreachable("bedrock", "Converse", kind))

    assert (refusal.code, refusal.should_retry, refusal.aws_code) == (code, retry, "")


def test_every_code_of_the_table_has_its_status() -> None:
    """No row leads to a code that the API can't answer."""
    assert {row.meaning.code for row in ROWS} - set(CODES) == set()
