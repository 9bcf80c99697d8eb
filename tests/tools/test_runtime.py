"""Our runtime loop, run as Lambda runs it: through the wrapper script, against the Runtime API."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.handlers import CANARY
from tools.lambda_emulator.fleet import Throttled
from tools.lambda_emulator.invocation import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.lambda_emulator.fleet import Fleet

RUNTIMES = pytest.mark.parametrize("runtime", ["loop", "managed"])


def _event(**body: object) -> bytes:
    """Return a request to a route that is streamed; our loop asks for no more of it than this."""
    context = {"resourcePath": "/v1/chat/completions", "httpMethod": "POST"}
    return json.dumps({"requestContext": context, "body": json.dumps(body)}).encode()


def _done(fleet: Fleet, event: bytes, **more: Any) -> tuple[bytes, str | None]:
    """Return the whole answer to an event and the type of its failure."""
    invocation = fleet.invoke(event, **more)
    answer = invocation.whole()
    return answer, None if invocation.failure is None else invocation.failure.type


def _log(fleet: Fleet) -> str:
    assert fleet.function.log is not None
    return fleet.function.log.read_text()


@RUNTIMES
def test_a_handler_is_told_what_lambda_tells(start: Callable[..., Fleet], runtime: str) -> None:
    """Id, function, deadline, trace, client context and identity are as the managed runtime gives them."""
    fleet = start("handlers.context", runtime=runtime, seconds=30)
    client = json.dumps({"client": {"installation_id": "i"}, "custom": {"a": "b"}, "env": {}})
    identity = json.dumps({"cognitoIdentityId": "c", "cognitoIdentityPoolId": "p"})
    invocation = fleet.invoke(b'{"x": "\xc3\xa9"}', client_context=client, identity=identity)
    told: dict[str, Any] = json.loads(invocation.whole())

    assert 20_000 < told.pop("left") <= 30_000
    assert told.pop("trace").startswith("Root=1-")
    assert told == {
        "event": {"x": "é"},
        "request_id": invocation.id,
        "arn": "arn:aws:lambda:us-east-1:000000000000:function:rolecall",
        "name": "rolecall",
        "version": "$LATEST",
        "memory": "1769",
        "custom": {"a": "b"},
        "identity": "c",
    }


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"a": [1, "é", "\U0001f600"]}, id="letters beyond ASCII"),
        pytest.param("\ud83d", id="half of a surrogate pair"),
    ],
)
def test_an_answer_arrives_as_it_was(start: Callable[..., Fleet], value: object) -> None:
    """What the handler returns is what is posted."""
    fleet = start("handlers.misbehave")

    assert json.loads(fleet.invoke(json.dumps({"return": value}).encode()).whole()) == value


def test_a_failure_is_told_without_its_text(start: Callable[..., Fleet]) -> None:
    """Type and frames leave the process; the text, which may hold a secret, is in neither answer nor log."""
    fleet = start("handlers.misbehave")
    invocation = fleet.invoke(b'{"raise": 1}')
    invocation.whole()

    assert invocation.failure is not None
    assert invocation.failure.type == "Runtime.KeyError"
    assert invocation.failure.message == "The handler failed: KeyError. The log has its frames."
    line = json.loads(_log(fleet))
    assert line["lambda_request_id"] == invocation.id
    assert "in misbehave" in line["frames"]
    assert CANARY not in _log(fleet).replace("CANARY", "")


def test_one_failure_does_not_end_the_process(start: Callable[..., Fleet]) -> None:
    """After an exception, an event that is no JSON and a bad client context the same process serves on."""
    fleet = start("handlers.misbehave")
    assert json.loads(fleet.invoke(b'{"return": 1}').whole()) == 1
    (process,) = fleet.processes

    assert _done(fleet, b'{"raise": 1}')[1] == "Runtime.KeyError"
    assert _done(fleet, b"not JSON")[1] == "Runtime.JSONDecodeError"
    assert _done(fleet, b"{}", client_context="[]")[1] == "Runtime.ValueError"
    assert _done(fleet, b'{"return": 2}') == (b"2", None)
    assert fleet.processes == [process]


def test_the_connection_is_kept(start: Callable[..., Fleet]) -> None:
    """Whole answers, streams and errors go over one connection to the Runtime API."""
    fleet = start("handlers.answer")
    for body in ({"size": 9}, {"break": "not"}, {"break": "raise"}, {"raw": 1, "size": 9}) * 3:
        fleet.invoke(_event(**body)).whole()
    (process,) = fleet.processes

    assert process.api.connections == 1


def test_a_stream_has_the_form_that_the_gateway_asks_for(start: Callable[..., Fleet]) -> None:
    """Prelude with status and headers, eight NUL octets, body; a whole answer of the same route too."""
    fleet = start("handlers.answer")
    prelude = b'{"statusCode": 200, "headers": {"Content-Type": "text/event-stream"}}' + b"\0" * 8

    stream = fleet.invoke(_event(**{"break": "not"}))
    assert list(stream.read()) == [prelude, b"data: first\n\n", b"data: last\n\n"]
    assert stream.streamed
    whole = fleet.invoke(_event(size=3))
    assert whole.whole() == prelude + b"xxx"
    assert whole.streamed


def test_a_stream_that_breaks_off_says_so(start: Callable[..., Fleet]) -> None:
    """An exception after the first octet arrives as trailers, without its text, and the iterator is closed."""
    fleet = start("handlers.answer")
    invocation = fleet.invoke(_event(**{"break": "raise"}))

    assert invocation.whole().endswith(b"data: first\n\n")
    assert invocation.failure is not None
    assert invocation.failure.type == "Runtime.KeyError"
    assert "The answer broke off" in invocation.failure.message
    assert "the iterator was closed" in _log(fleet)
    assert CANARY not in _log(fleet).replace("CANARY", "") + invocation.failure.message


def test_no_answer_to_a_request_that_has_no_form(start: Callable[..., Fleet]) -> None:
    """On a streamed route an answer without a status can't be sent; the caller gets an error, the process serves on."""
    fleet = start("handlers.answer")

    assert _done(fleet, _event(raw={"a": 1})) == (b"", "Runtime.KeyError")
    assert _done(fleet, _event(size=1))[0].endswith(b"x")


@pytest.mark.parametrize(
    ("handler", "environ", "kind", "said"),
    [
        pytest.param("nowhere.app", {}, "Runtime.ModuleNotFoundError", "No module named 'nowhere'", id="no module"),
        pytest.param("handlers.nothing", {}, "Runtime.AttributeError", "can't be loaded", id="no such handler"),
        pytest.param("app", {}, "Runtime.ValueError", "can't be loaded", id="a name without a dot"),
        pytest.param(
            "broken.app", {"PYTHONPATH": "{root}/broken"}, "Runtime.RuntimeError", "can't be loaded", id="an exception"
        ),
    ],
)
def test_an_init_error_says_what_is_wrong(
    start: Callable[..., Fleet], root: Any, handler: str, environ: dict[str, str], kind: str, said: str
) -> None:
    """The operator reads settings and imports that fail; any other text is left out, as it may hold a secret."""
    (root / "broken").mkdir()
    (root / "broken" / "broken.py").write_text(f"raise RuntimeError({CANARY!r}[:])\n")
    given = {name: text.format(root=root) for name, text in environ.items()}
    fleet = start(handler, environ=given)
    invocation = fleet.invoke(b"{}")
    invocation.whole()

    assert invocation.failure is not None
    assert invocation.failure.type == kind
    assert said in invocation.failure.message
    assert CANARY not in invocation.failure.message
    assert kind.removeprefix("Runtime.") in _log(fleet)


def test_settings_are_refused_with_one_list(start: Callable[..., Fleet]) -> None:
    """All that is wrong with the settings is in the init error and in the log, not only the first thing."""
    fleet = start("app.app")
    invocation = fleet.invoke(b"{}")
    invocation.whole()

    assert invocation.failure is not None
    assert invocation.failure.type == "Runtime.SettingsError"
    for name in ("TABLE_NAME", "SERVICE_ROLE_ARN", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_JWKS_URL"):
        assert name in invocation.failure.message
        assert name in _log(fleet)


@RUNTIMES
def test_a_crash_is_an_error_and_another_process_serves_on(start: Callable[..., Fleet], runtime: str) -> None:
    """What the function does to its process reaches one caller."""
    fleet = start("handlers.misbehave", runtime=runtime)
    crashed = fleet.invoke(b'{"exit": 3}')
    crashed.whole()

    assert crashed.failure is not None
    assert (crashed.failure.type, crashed.failure.message) == (
        "Runtime.ExitError",
        "Runtime exited with error: exit status 3",
    )
    assert fleet.invoke(b'{"return": 1}').whole() == b"1"
    assert len(fleet.init_ms) == 2


def test_the_deadline_ends_the_process(start: Callable[..., Fleet]) -> None:
    """A handler that takes too long is killed; the next event has a fresh process."""
    fleet = start("handlers.misbehave", seconds=5)
    late = fleet.invoke(b'{"sleep": 60}')
    late.whole()

    assert late.failure is not None
    assert late.failure.message == "Task timed out after 5.00 seconds"
    assert fleet.invoke(b'{"return": 1}').whole() == b"1"


def test_sigterm_ends_an_idle_process_at_once(start: Callable[..., Fleet]) -> None:
    """It leaves the question for the next event and ends well; Lambda would kill it two seconds later."""
    fleet = start("handlers.misbehave")
    fleet.invoke(b"{}").whole()

    assert fleet.close() == [0]
    assert _log(fleet) == ""


def test_sigterm_lets_an_event_come_to_its_end(start: Callable[..., Fleet]) -> None:
    """An answer that is under way is posted, then the process ends."""
    fleet = start("handlers.misbehave")
    fleet.invoke(b"{}").whole()
    (process,) = fleet.processes
    under_way = fleet.invoke(b'{"sleep": 4, "return": 1}')
    time.sleep(1)

    assert process.stop() == 0
    assert under_way.whole() == b"1"


@pytest.mark.parametrize("over", [False, True], ids=["the largest", "one octet more"])
def test_an_answer_over_six_megabytes_is_refused(start: Callable[..., Fleet], *, over: bool) -> None:
    """Lambda's own limit; the process is told, says so in its log, and serves on."""
    fleet = start("handlers.misbehave")
    size = PAYLOAD_LIMIT - len('""') + over
    refused = "Function.ResponseSizeTooLarge" if over else None

    assert _done(fleet, json.dumps({"size": size}).encode())[1] == refused
    assert _done(fleet, b'{"return": 1}') == (b"1", None)
    assert ("Lambda refused response: 413" in _log(fleet)) is over
    assert len(fleet.processes) == 1


def test_a_stream_may_be_larger(start: Callable[..., Fleet]) -> None:
    """Six megabytes bind what is posted whole."""
    fleet = start("handlers.answer")
    invocation = fleet.invoke(_event(size=PAYLOAD_LIMIT + 1))

    assert len(invocation.whole()) > PAYLOAD_LIMIT
    assert invocation.failure is None


def test_a_process_serves_one_event_at_a_time(start: Callable[..., Fleet]) -> None:
    """Two events under way need two processes, and a third is throttled when there may be no more."""
    fleet = start("handlers.misbehave", processes=2)
    under_way = [fleet.invoke(b'{"sleep": 1, "return": 1}') for _ in range(2)]

    with pytest.raises(Throttled):
        fleet.invoke(b"{}")
    assert [invocation.whole() for invocation in under_way] == [b"1", b"1"]
    assert fleet.invoke(b'{"return": 2}').whole() == b"2"
    assert len(fleet.processes) == 2
