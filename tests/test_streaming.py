"""Routes that stream: one list of them, and the form that API Gateway asks of their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.routes.boundary import Route
from chalicelib.streaming import STREAM_ROUTES, is_proxy_event, is_streamed, pieces, prelude, whole

if TYPE_CHECKING:
    from sandbox.world import World


def test_each_view_that_may_stream_is_on_the_list(world: World) -> None:
    """A view that may return events, on a route that API Gateway does not stream, would be cut at 29 seconds."""
    streams = {
        (method, path)
        for path, methods in world.app.routes.items()
        for method, entry in methods.items()
        if isinstance(route := entry.view_function, Route) and "EventStream" in route.view.__annotations__["return"]
    }

    assert streams == STREAM_ROUTES


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="no context"),
        pytest.param({"requestContext": None}, id="an empty context"),
        pytest.param({"requestContext": {"http": {}}}, id="an event of payload format 2.0"),
        pytest.param({"requestContext": {"resourcePath": "/v1/chat/completions"}}, id="no method"),
    ],
)
def test_what_is_no_request_is_not_streamed(event: object) -> None:
    """Whatever Lambda may be sent is looked at without an exception."""
    assert not is_proxy_event(event)
    assert not is_streamed(event)


@pytest.mark.parametrize(
    ("method", "path", "streamed"),
    [
        ("POST", "/v1/chat/completions", True),
        ("OPTIONS", "/v1/chat/completions", False),
        ("POST", "/v1/connections/{connection_id}/verification", True),
        ("GET", "/v1/connections/{connection_id}/verification", False),
    ],
)
def test_method_and_path_decide(method: str, path: str, *, streamed: bool) -> None:
    """The preflight and the last report of the same path are whole answers."""
    assert is_streamed({"requestContext": {"httpMethod": method, "resourcePath": path}}) is streamed


def test_the_form_of_an_answer() -> None:
    """Status, headers, eight NUL octets, body; text in UTF-8, base64 decoded, pieces as they come."""
    answer: dict[str, Any] = {"statusCode": 400, "headers": {"A": "b"}, "multiValueHeaders": {}, "body": "é"}
    head, _, body = whole(answer).partition(b"\0" * 8)

    assert json.loads(head) == {"statusCode": 400, "headers": {"A": "b"}}
    assert body == "é".encode()
    assert b"".join(pieces({**answer, "body": "AAE=", "isBase64Encoded": True})) == b"\0\1"
    assert list(pieces({**answer, "body": iter(["a", "\ud83d", "é"])})) == [b"a", b"?", "é".encode()]
    assert json.loads(prelude({**answer, "multiValueHeaders": {"C": ["d"]}})[:-8])["multiValueHeaders"] == {"C": ["d"]}
