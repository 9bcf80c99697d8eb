"""ConverseStream as it reaches a client: frames one by one, and each way in which a stream can break."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import urllib3.exceptions
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import EventStreamError
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.switches import FAULTS
from sandbox.bedrock.frames import event_frame
from sandbox.bedrock.stream import STREAMS
from tests.sandbox.bedrock_world import NOVA, US_HAIKU, WEATHER, BedrockWorld, Customer, play, refusal, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOO_MANY = (
    "Too many requests, please wait before trying again. You have sent too many requests.  Wait before trying again."
)


@pytest.fixture(scope="module")
def customer() -> Iterator[Customer]:
    """Give an administrator of an account on a running local AWS."""
    with BedrockWorld() as world:
        yield world.customer()


@pytest.fixture(autouse=True)
def no_faults() -> Iterator[None]:
    """Leave no fault to the next test."""
    yield
    FAULTS.clear()


@pytest.fixture
def opened(customer: Customer) -> Iterator[Callable[..., Any]]:
    """Give what opens a stream; all of them are closed in the end."""
    streams = []

    def opening(read_timeout: float = 10, **request: Any) -> Any:
        runtime = customer.client("bedrock-runtime", read_timeout=read_timeout)
        answer = runtime.converse_stream(**{"modelId": NOVA, "messages": [said("hello")], **request})
        streams.append(answer["stream"])
        return answer["stream"]

    yield opening
    for stream in streams:
        stream.close()


def names(events: list[dict[str, Any]]) -> list[str]:
    """Return the kind of each event."""
    return [next(iter(event)) for event in events]


def until(condition: Callable[[], bool]) -> bool:
    """Wait up to twenty seconds for another thread to get there."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_a_stream_holds_what_the_whole_answer_holds(customer: Customer, opened: Callable[..., Any]) -> None:
    """The pieces make the same text, stop reason and usage; text has no contentBlockStart, as at AWS."""
    events = list(opened())
    whole = customer.client("bedrock-runtime").converse(modelId=NOVA, messages=[said("hello")])

    kinds = names(events)
    assert (kinds[0], kinds[-3:]) == ("messageStart", ["contentBlockStop", "messageStop", "metadata"])
    assert set(kinds[1:-3]) == {"contentBlockDelta"}
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events[1:-3])
    assert [{"text": text}] == whole["output"]["message"]["content"]
    assert events[-2]["messageStop"] == {"stopReason": whole["stopReason"]}
    assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_tool_calls_are_streamed_in_pieces(customer: Customer, opened: Callable[..., Any]) -> None:
    """Each call is a block with a start that names it and an input that is JSON once joined."""
    request = {"modelId": US_HAIKU, "messages": [said("both")], "toolConfig": {"tools": [WEATHER]}}
    events = list(opened(**request))
    whole = customer.client("bedrock-runtime").converse(**request)

    calls = []
    for index in (0, 1):
        start = next(
            e["contentBlockStart"] for e in events if e.get("contentBlockStart", {}).get("contentBlockIndex") == index
        )
        deltas = [
            e["contentBlockDelta"] for e in events if e.get("contentBlockDelta", {}).get("contentBlockIndex") == index
        ]
        joined = "".join(delta["delta"]["toolUse"]["input"] for delta in deltas)
        calls.append({"toolUse": {**start["start"]["toolUse"], "input": json.loads(joined)}})
        assert len(deltas) > 2
    assert calls == whole["output"]["message"]["content"]
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


def test_a_call_without_arguments_streams_no_input(opened: Callable[..., Any]) -> None:
    """Its block closes with an empty text alone: a client has to make {} of it."""
    tool = {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object"}}}}
    events = list(opened(toolConfig={"tools": [tool]}))

    assert names(events)[1:4] == ["contentBlockStart", "contentBlockDelta", "contentBlockStop"]
    assert events[2]["contentBlockDelta"]["delta"] == {"toolUse": {"input": ""}}


def test_frames_arrive_one_by_one(opened: Callable[..., Any]) -> None:
    """With pauses between events the first are there long before the last, and the whole takes all the pauses."""
    play(kind="slow", seconds=0.5, after_events=1)
    began = time.monotonic()
    events = opened(inferenceConfig={"maxTokens": 10})
    count = 1 + sum(1 for _ in events)

    # On a busy machine a reader is kept waiting and finds several frames at once, so only the whole can be told.
    assert count >= 10
    assert time.monotonic() - began > 0.25 * count


@pytest.mark.parametrize(
    ("code", "shown", "message"),
    [
        ("throttlingException", "throttlingException", TOO_MANY),
        ("ThrottlingException", "throttlingException", TOO_MANY),
        (
            "internalServerException",
            "internalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        ("serviceUnavailableException", "serviceUnavailableException", "Bedrock is unable to process your request."),
    ],
)
def test_an_exception_frame_is_raised_by_boto3(opened: Callable[..., Any], code: str, shown: str, message: str) -> None:
    """After HTTP 200 and as many events as asked, the stream ends with an exception in lower camel case."""
    play(kind="exception_frame", code=code, after_events=2)
    stream = iter(opened())

    seen = [next(stream), next(stream)]
    with pytest.raises(EventStreamError) as raised:
        next(stream)

    assert names(seen) == ["messageStart", "contentBlockDelta"]
    assert raised.value.response["Error"] == {"Code": shown, "Message": message}


@pytest.mark.parametrize("kind", ["early_end", "half_frame"])
def test_a_stream_that_only_ends_raises_nothing_in_boto3(opened: Callable[..., Any], kind: str) -> None:
    """A clean end before messageStop, and half a frame, look finished to boto3: a client must miss messageStop."""
    play(kind=kind, after_events=4)

    assert names(list(opened())) == ["messageStart"] + ["contentBlockDelta"] * 3


@pytest.mark.parametrize("kind", ["early_end", "half_frame", "cut"])
def test_a_fault_strikes_before_message_stop_at_the_latest(opened: Callable[..., Any], kind: str) -> None:
    """A position past the end of the answer is its end: no such stream ever says that it is complete."""
    play(kind=kind, after_events=10_000)
    seen = []
    try:
        for event in opened():
            seen.append(event)  # noqa: PERF402  what came before the break is looked at
    except urllib3.exceptions.ProtocolError:
        assert kind == "cut"

    assert "messageStop" not in names(seen)


def test_a_cut_is_a_protocol_error_of_urllib3(opened: Callable[..., Any]) -> None:
    """The connection breaks off in mid-stream."""
    play(kind="cut", after_events=2)

    with pytest.raises(urllib3.exceptions.ProtocolError):
        list(opened())


def test_silence_is_a_read_timeout_of_urllib3(opened: Callable[..., Any]) -> None:
    """Nothing comes for longer than the client waits."""
    play(kind="silence", after_events=2, seconds=5)

    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        list(opened(read_timeout=0.2))


def test_after_a_short_silence_the_stream_goes_on(opened: Callable[..., Any]) -> None:
    """A client that waits long enough gets the whole answer."""
    play(kind="silence", after_events=2, seconds=0.1)

    assert names(list(opened()))[-1] == "metadata"


def test_a_fault_is_used_up(opened: Callable[..., Any]) -> None:
    """One fault breaks one stream."""
    play(kind="early_end")

    assert names(list(opened()))[-1] != "metadata"
    assert names(list(opened()))[-1] == "metadata"


def test_a_refusal_before_the_stream_leaves_the_fault_alone(opened: Callable[..., Any]) -> None:
    """What is refused with a status never opens a stream."""
    play(kind="early_end")
    refusal(lambda: opened(modelId="acme.none-v1:0"))

    assert names(list(opened()))[-1] != "metadata"


def test_a_client_that_leaves_is_noticed(opened: Callable[..., Any]) -> None:
    """Closing mid-stream ends the work for it, in the middle of a wait too, and is counted."""
    assert until(lambda: STREAMS.counts()["open"] == 0)
    before = STREAMS.counts()
    play(kind="silence", after_events=2, seconds=30)
    stream = opened()
    first = next(iter(stream))
    assert names([first]) == ["messageStart"]
    assert STREAMS.counts()["open"] == 1

    stream.close()

    assert until(lambda: STREAMS.counts()["open"] == 0)
    assert STREAMS.counts()["abandoned"] == before["abandoned"] + 1
    assert STREAMS.counts()["finished"] == before["finished"]


def test_a_stream_read_to_its_end_is_counted_as_finished(opened: Callable[..., Any]) -> None:
    """Whole streams and those that a fault ended are ours, not the client's."""
    assert until(lambda: STREAMS.counts()["open"] == 0)
    before = STREAMS.counts()
    list(opened())
    play(kind="half_frame")
    list(opened())

    assert until(lambda: STREAMS.counts()["finished"] == before["finished"] + 2)
    assert STREAMS.counts()["abandoned"] == before["abandoned"]


@given(st.text(), st.text())
def test_frames_are_read_back_by_botocore(key: str, text: str) -> None:
    """Lengths and both checksums are right for any payload."""
    buffer = EventStreamBuffer()
    buffer.add_data(event_frame("contentBlockDelta", {"delta": {key: text}}))
    message: Any = next(iter(buffer))

    assert message.headers[":event-type"] == "contentBlockDelta"
    assert json.loads(message.payload)["delta"] == {key: text}
