"""The emulator's API Gateway: what reaches the function, what reaches the caller, and what reaches neither."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tools.lambda_emulator import answers
from tools.lambda_emulator.api import Api, Route, from_template
from tools.lambda_emulator.gateway import REQUEST_LIMIT, Gateway
from tools.lambda_emulator.invocation import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tools.lambda_emulator.fleet import Fleet

STREAM = "/v1/chat/completions"
ENVELOPE = '{"error":{"message":$context.error.messageString,"code":"%s","request_id":"$context.requestId"}}'
API = Api(
    {
        STREAM: {"POST": Route(streamed=True, seconds=60)},
        "/whole": {"POST": Route(seconds=30), "GET": Route()},
        "/soon": {"POST": Route(seconds=0.2)},
        "/v1/models/{a}": {"GET": Route()},
        "/v1/models/{a}/{b}": {"GET": Route()},
        "/v1/models/mine": {"GET": Route()},
    },
    {
        "MISSING_AUTHENTICATION_TOKEN": {
            "statusCode": "404",
            "responseTemplates": {"application/json": ENVELOPE % "unknown_route"},
            "responseParameters": {"gatewayresponse.header.X-Request-Id": "context.requestId"},
        },
        "DEFAULT_5XX": {"responseTemplates": {"application/json": ENVELOPE % "internal_error"}},
    },
    frozenset({"image/png"}),
)


class Answer:
    """What came back."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _ask(
    gateway: Gateway, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
    octets = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    with closing(connection):
        connection.request(method, path, octets, dict(headers or {}))
        with connection.getresponse() as answer:
            return Answer(answer)


@contextmanager
def _gate() -> Iterator[socket.socket]:
    """Give the port at which a handler asks whether it may go on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def test_chunks_arrive_as_they_are_made(start: Callable[..., Fleet]) -> None:
    """The function makes a chunk only after the caller has read the one before: nothing on the way holds one back."""
    with start("handlers.answer") as fleet, Gateway(fleet, API) as gateway, _gate() as gate:
        connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
        connection.request("POST", STREAM, json.dumps({"gate": gate.getsockname()[1], "chunks": 200}))
        reader = gate.accept()[0]
        answer = connection.getresponse()
        for number in range(200):
            assert answer.readline() == f"data: {number}\n".encode()
            assert answer.readline() == b"\n"
            reader.sendall(b"+")

        assert answer.read() == b""
        reader.close()
        connection.close()


def test_the_function_never_learns_that_a_client_has_gone(start: Callable[..., Fleet]) -> None:
    """It goes on to its end, as on Lambda; then its process, the only one, serves the next caller."""
    with start("handlers.answer") as fleet, Gateway(fleet, API) as gateway, _gate() as gate:
        connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
        connection.request("POST", STREAM, json.dumps({"gate": gate.getsockname()[1], "chunks": 50}))
        reader = gate.accept()[0]
        connection.getresponse().readline()
        connection.close()
        for _ in range(50):
            reader.sendall(b"+")
        assert reader.recv(1) == b""
        reader.close()

        # The handler has read its last word; until its process has told so, Lambda refuses the next event.
        answer, end = _ask(gateway, "POST", STREAM, {"size": 3}), time.monotonic() + 30
        while answer.status == 500 and time.monotonic() < end:
            answer = _ask(gateway, "POST", STREAM, {"size": 3})
        assert answer.body == b"xxx"
        assert len(fleet.init_ms) == 1
        assert [fault for fault in gateway.faults if "LAMBDA_THROTTLED" not in fault] == []


@pytest.mark.parametrize("how", ["raise", "exit"])
def test_a_stream_that_breaks_off_is_not_taken_for_whole(start: Callable[..., Fleet], how: str) -> None:
    """The body ends without its last chunk, whether the handler failed or its process ended."""
    with start("handlers.answer") as fleet, Gateway(fleet, API) as gateway:
        with pytest.raises(http.client.IncompleteRead) as broken:
            _ask(gateway, "POST", STREAM, {"break": how})
        whole = _ask(gateway, "POST", STREAM, {"break": "not"})

        assert broken.value.partial == b"data: first\n\n"
        assert whole.body == b"data: first\n\ndata: last\n\n"
        assert len(gateway.faults) == 1


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        pytest.param(STREAM, {"raw": [1]}, "Runtime.TypeError", id="a streamed answer that has no form"),
        pytest.param("/whole", {"raw": {"body": "x"}}, "no statusCode", id="no status"),
        pytest.param("/whole", {"raw": {"statusCode": "200"}}, "statusCode is '200'", id="a status that is text"),
        pytest.param("/whole", {"raw": {"statusCode": 200, "body": {}}}, "body is {}", id="a body that is an object"),
        pytest.param("/whole", {"raw": [1]}, "not an object", id="a list"),
        pytest.param("/whole", {"raw": {"statusCode": 200, "headers": {"A": 5}}}, "headers: A is 5", id="a number"),
        pytest.param(
            "/whole", {"raw": {"statusCode": 200, "headers": {"A": "b\r\nC: d"}}}, "headers: A is", id="a line break"
        ),
        pytest.param("/whole", {"size": PAYLOAD_LIMIT}, "Function.ResponseSizeTooLarge", id="more than 6 MB"),
    ],
)
def test_an_answer_in_the_wrong_form_is_a_502(
    start: Callable[..., Fleet], path: str, body: object, reason: str
) -> None:
    """The caller gets the gateway's own response, in the form that the template gives it, and no word of the cause."""
    with start("handlers.answer") as fleet, Gateway(fleet, API) as gateway:
        answer = _ask(gateway, "POST", path, body)

        assert (answer.status, answer.json["error"]["code"]) == (502, "internal_error")
        assert answer.json["error"]["message"] == "Internal server error"
        assert reason in gateway.faults[0]
        assert reason not in answer.body.decode()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b'{"statusCode": 200, "headers": {}, "body": "x"}', id="a plain proxy answer"),
        pytest.param(b'{"statusCode": 200}' + b"\0" * 7 + b"x", id="seven NUL octets"),
        pytest.param(b"[]" + b"\0" * 8, id="a prelude that is a list"),
        pytest.param(b'{"statusCode": true}' + b"\0" * 8, id="a status that is true"),
        pytest.param(b'{"statusCode": 99}' + b"\0" * 8, id="a status below 100"),
        pytest.param(b'{"status": 200}' + b"\0" * 8, id="an unknown field"),
        pytest.param(b'{"headers": {"A": ["b"]}}' + b"\0" * 8, id="a list for a value"),
        pytest.param(b'{"multiValueHeaders": {"A": "b"}}' + b"\0" * 8, id="a value for a list"),
        pytest.param(b" " * (16 * 1024 + 1) + b'{"statusCode": 200}' + b"\0" * 8, id="a prelude of more than 16 KB"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_prelude_is_read_strictly(octets: bytes) -> None:
    """What API Gateway would not take is refused, however it was cut into pieces."""
    for pieces in ([octets], [octets[at : at + 1000] for at in range(0, len(octets), 1000)]):
        with pytest.raises(answers.Malformed):
            answers.streamed(iter(pieces))


def test_a_prelude_may_come_in_pieces() -> None:
    """Pieces of the answer and chunks of HTTP have nothing to do with each other."""
    octets = b'{"statusCode": 201, "headers": {"A": "b"}, "multiValueHeaders": {"C": ["d", "e"]}}' + b"\0" * 8 + b"xy"
    head, rest = answers.streamed(octets[at : at + 1] for at in range(len(octets)))

    assert (head.status, b"".join(rest)) == (201, b"xy")
    assert head.headers == [("A", "b"), ("C", "d"), ("C", "e"), ("Content-Type", "application/json")]


def test_limits_of_time(start: Callable[..., Fleet]) -> None:
    """A route that does not stream is given up on; its process is busy until the function is done."""
    with start("handlers.answer") as fleet, Gateway(fleet, API) as gateway:
        late = _ask(gateway, "POST", "/soon", {"sleep": 4.0})
        busy = _ask(gateway, "POST", "/whole", {})

        assert (late.status, late.json["error"]["code"]) == (504, "internal_error")
        # Lambda's throttling reaches the caller as a 500.
        assert (busy.status, busy.json["error"]["code"]) == (500, "internal_error")
        until = time.monotonic() + 30
        while (again := _ask(gateway, "POST", "/whole", {})).status == 500 and time.monotonic() < until:
            time.sleep(0.1)
        assert again.body == b"xxxxx"


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(5_000_000, 200, id="what fits into an event"),
        pytest.param(PAYLOAD_LIMIT, 413, id="what does not fit into an event"),
        pytest.param(REQUEST_LIMIT + 1, 413, id="what the gateway does not take"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_limits_of_size(start: Callable[..., Fleet], size: int, status: int, *, chunked: bool) -> None:
    """Ten megabytes for the gateway, six for the event that Lambda is given."""
    with start("handlers.misbehave") as fleet, Gateway(fleet, API) as gateway:
        host = gateway.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=60)
        octets = b" " * size
        body: Any = (octets[at : at + 1_000_000] for at in range(0, size, 1_000_000)) if chunked else octets
        with closing(connection):
            try:
                connection.request("POST", "/whole", body, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                # A body without a length is not read to its end.
                assert (status, chunked) == (413, True)
                return
            answer = connection.getresponse()
            answer.read()

        # This handler answers null, which is no answer to a request, but it was asked.
        assert answer.status == (502 if status == 200 else status)


def test_too_many_requests_are_refused(start: Callable[..., Fleet]) -> None:
    """The stage's throttle lets a burst in, and then as many as its rate."""
    with start("handlers.echo") as fleet, Gateway(fleet, Api(API.routes, rate=0.001, burst=2)) as gateway:
        found = [_ask(gateway, "GET", "/whole") for _ in range(3)]

        assert [answer.status for answer in found] == [200, 200, 429]
        assert found[-1].json == {"message": "Too Many Requests"}


def test_an_unknown_route_never_reaches_the_function(start: Callable[..., Fleet]) -> None:
    """Path or method: the gateway answers, with status, headers and body of the template."""
    with start("handlers.echo") as fleet, Gateway(fleet, API) as gateway:
        for method, path in (("GET", "/nowhere"), ("PUT", "/whole"), ("GET", "/v1/models/"), ("GET", "/whole/")):
            answer = _ask(gateway, method, path)

            assert answer.status == 404
            assert answer.json["error"]["code"] == "unknown_route"
            assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"] != ""
        assert fleet.init_ms == []


def test_a_request_becomes_an_event(start: Callable[..., Fleet]) -> None:
    """Path and parameters as they were sent, the query decoded, every value of what was sent twice."""
    with start("handlers.echo") as fleet, Gateway(fleet, API) as gateway:
        headers = {"Accept": "a", "User-Agent": "test", "Content-Type": "application/json; charset=utf-8"}
        event = _ask(gateway, "GET", "/v1/models/a%2Fb/c%20d?x=1&x=%C3%A9&y", b"\xff{}", headers).json

    assert event["resource"] == event["requestContext"]["resourcePath"] == "/v1/models/{a}/{b}"
    assert event["path"] == "/v1/models/a%2Fb/c%20d"
    assert event["pathParameters"] == {"a": "a%2Fb", "b": "c%20d"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "é"], "y": [""]}
    assert event["queryStringParameters"] == {"x": "é", "y": ""}
    assert event["multiValueHeaders"]["Accept"] == ["a"]
    assert event["requestContext"]["identity"]["userAgent"] == "test"
    assert (event["body"], event["isBase64Encoded"]) == ("\ufffd{}", False)


def test_a_fixed_segment_wins_over_a_name(start: Callable[..., Fleet]) -> None:
    """As API Gateway chooses among paths that fit."""
    with start("handlers.echo") as fleet, Gateway(fleet, API) as gateway:
        assert _ask(gateway, "GET", "/v1/models/mine").json["resource"] == "/v1/models/mine"
        assert _ask(gateway, "GET", "/v1/models/other").json["resource"] == "/v1/models/{a}"


def test_binary_bodies(start: Callable[..., Fleet]) -> None:
    """Octets go in as base64 for a binary type, and come out as octets where the caller accepts one first."""
    with start("handlers.echo") as fleet, Gateway(fleet, API) as gateway:
        event = _ask(gateway, "POST", "/whole", b"\x89PNG", {"Content-Type": "image/png"}).json
    with start("handlers.binary") as fleet, Gateway(fleet, API) as gateway:
        octets = _ask(gateway, "GET", "/whole", headers={"Accept": "image/png, */*"})
        text = _ask(gateway, "GET", "/whole", headers={"Accept": "*/*"})

    assert (event["body"], event["isBase64Encoded"]) == ("iVBORw==", True)
    assert (octets.body, text.body) == (b"\x89PNG", b"iVBORw==")
    assert octets.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_the_template_says_what_the_gateway_does(tmp_path: Path) -> None:
    """Routes, transfer mode, timeouts, gateway responses, binary types and throttle stand in it."""

    def integration(**more: object) -> dict[str, Any]:
        return {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": {"Fn::Sub": "..."}, **more}}

    body = {
        "paths": {
            "/a": {"get": integration(), "parameters": []},
            "/b": {"post": integration(responseTransferMode="STREAM", timeoutInMillis=900000)},
        },
        "x-amazon-apigateway-binary-media-types": ["image/png"],
        "x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": "429"}},
    }
    limits = {"HttpMethod": "*", "ThrottlingRateLimit": {"Ref": "Rate"}, "ThrottlingBurstLimit": 100}
    template = tmp_path / "stack.json"
    template.write_text(
        json.dumps(
            {
                "Parameters": {"Rate": {"Type": "Number", "Default": 50}},
                "Resources": {
                    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
                    "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"MethodSettings": [limits]}},
                },
            }
        )
    )

    assert from_template(template) == Api(
        {"/a": {"GET": Route()}, "/b": {"POST": Route(streamed=True, seconds=900)}},
        {"THROTTLED": {"statusCode": "429"}},
        frozenset({"image/png"}),
        rate=50.0,
        burst=100,
    )


def test_callers_are_served_side_by_side(start: Callable[..., Fleet]) -> None:
    """Each request under way has a process of its own."""
    with start("handlers.answer", processes=3) as fleet, Gateway(fleet, API) as gateway:
        found: list[int] = []
        callers = [
            threading.Thread(target=lambda: found.append(_ask(gateway, "POST", "/whole", {"sleep": 1.5}).status))
            for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

        assert found == [200, 200, 200]
        assert len(fleet.init_ms) == 3
