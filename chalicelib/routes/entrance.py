"""Where events enter: Chalice's app, with what Lambda asks of a handler beyond routing."""

from __future__ import annotations

import logging
from typing import Any

from chalice.app import Chalice

from chalicelib import logs
from chalicelib.streaming import is_proxy_event, is_streamed, whole

log = logging.getLogger("rolecall")


class Entrance(Chalice):
    """Answers the events of API Gateway; `on_lambda` says that Lambda sends them, and not a local server or a test."""

    def __init__(self, *, on_lambda: bool) -> None:
        # Chalice notes its version in the environment that it is given; the process's own is left alone.
        super().__init__("rolecall", configure_logs=False, env={})
        self._on_lambda = on_lambda

    def __call__(self, event: object, context: object) -> Any:
        """Return the proxy answer, whose body may be an iterator where the context says that it can be streamed.

        On Lambda without our own loop it is octets for a route that API Gateway streams: the managed runtime posts
        octets as they are, and so the streaming form arrives, if only when it is whole.

        An event that is no request is acknowledged and left alone: whoever sent it would send it again after an error.
        """
        logs.begin(context)
        if not is_proxy_event(event):
            log.warning("an event that is no request was left alone")
            return None
        answer = super().__call__(event, context)
        if self._on_lambda and is_streamed(event) and not getattr(context, "can_stream", False):
            return whole(answer)
        return answer
