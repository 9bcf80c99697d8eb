"""Reading ahead of a provider's stream: silence is told, errors arrive, and whoever goes away ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.logs import JsonFormatter
from chalicelib.providers.ahead import ReadAhead
from chalicelib.providers.base import ChatStream

if TYPE_CHECKING:
    from collections.abc import Generator


class _Far:
    """A provider that says a word, is silent until it is told to go on, and may break off."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self._failure = failure
        self.stream = ChatStream(self._chunks(), self.go_on.set)

    def _chunks(self) -> Generator[dict[str, Any], None, None]:
        try:
            yield {"n": 1}
            self.go_on.wait(60)
            if self._failure is not None:
                raise self._failure
            yield {"n": 2}
        finally:
            self.ended.set()


def test_silence_is_told() -> None:
    """None for each while in which nothing came, then what came after all."""
    far = _Far()
    ahead = ReadAhead(far.stream)
    ahead.first()
    chunks = ahead.within(0.01)
    before = [next(chunks), next(chunks), next(chunks)]
    far.go_on.set()

    assert before == [{"n": 1}, None, None]
    assert [chunk for chunk in chunks if chunk is not None] == [{"n": 2}]


def test_what_breaks_a_stream_off_arrives(caplog: pytest.LogCaptureFixture) -> None:
    """As the error it is; one that nobody foresaw as one of ours, without its text, and logged by type and frames."""
    for failure, code in (
        (ServiceError("upstream_error", "Cut."), "upstream_error"),
        (KeyError("sk-1"), "internal_error"),
    ):
        far = _Far(failure)
        ahead = ReadAhead(far.stream)
        far.go_on.set()
        with pytest.raises(ServiceError) as raised:
            list(ahead.within(5))

        assert raised.value.code == code
        assert "sk-1" not in str(raised.value)
    assert [record.getMessage() for record in caplog.records] == ["unexpected KeyError"]
    logged = JsonFormatter().format(caplog.records[0])
    assert "in _chunks" in logged
    assert "sk-1" not in logged


def test_whoever_goes_away_ends_the_call() -> None:
    """Under a read that may take minutes; the reader then ends as well."""
    far = _Far()
    ahead = ReadAhead(far.stream)
    ahead.first()
    ahead.close()

    assert far.ended.wait(60)


def test_a_slow_client_does_not_fill_the_memory() -> None:
    """The reader waits after a bounded number of chunks, and ends when the client has gone."""
    made: list[int] = []
    ended = threading.Event()

    def chunks() -> Generator[dict[str, Any], None, None]:
        try:
            for number in range(10_000):
                made.append(number)
                yield {"n": number}
        finally:
            ended.set()

    ahead = ReadAhead(ChatStream(chunks(), lambda: None))
    ahead.first()
    ended.wait(0.2)
    reached = len(made)
    ahead.close()

    assert reached < 100
    assert ended.wait(60)


def test_an_answer_that_nobody_fetches_ends_by_itself() -> None:
    """A client that goes before the first line leaves a generator that never began, and closing that runs nothing."""
    ended = threading.Event()

    def chunks() -> Generator[dict[str, Any], None, None]:
        try:
            while True:
                yield {"n": 1}
        finally:
            ended.set()

    ahead = ReadAhead(ChatStream(chunks(), lambda: None), seconds=0.2)
    ahead.first()

    assert ended.wait(60)
    with pytest.raises(ServiceError) as told:
        list(ahead.within(0.05))
    assert told.value.code == "upstream_timeout"
