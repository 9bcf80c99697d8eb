"""Catalogs by grant, remembered for minutes: editors list the models at every start, and AWS wants three calls."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.bedrock.catalog import list_models
from chalicelib.bedrock.failures import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.catalog import Catalog
    from chalicelib.bedrock.sessions import Grant, Sessions
    from chalicelib.bedrock.signing import Credentials
    from chalicelib.bedrock.wire import Wire

LIFE_SECONDS: Final = 300.0
_CAPACITY: Final = 100


class _Kept(NamedTuple):
    catalog: Catalog
    credentials: Credentials
    at: float


class Catalogs:
    """What each grant can call. A catalog lives as long as the session that it was asked for with, minutes at most.

    So whatever drops a session, a change of the connection or a role that refuses us, drops the catalog as well.
    """

    def __init__(self, wire: Wire, sessions: Sessions, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._wire = wire
        self._sessions = sessions
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def of(self, grant: Grant, *, within: float = LIFE_SECONDS) -> Catalog:
        """Return the catalog, as it was `within` these seconds. Raises `ServiceError` when nothing could be listed.

        One that lacks a half, because listing it failed, is not remembered.
        """
        credentials = self._sessions.credentials(grant)
        with self._lock:
            kept = self._kept.get(grant.key)
        if kept is not None and kept.credentials == credentials and self._clock() < kept.at + within:
            return kept.catalog
        catalog = list_models(self._wire, credentials, grant.region)
        if catalog.failures:
            if not catalog.models:
                raise explain(catalog.failures[0])
            return catalog
        with self._lock:
            self._kept[grant.key] = _Kept(catalog, credentials, self._clock())
            self._kept.move_to_end(grant.key)
            if len(self._kept) > _CAPACITY:
                self._kept.popitem(last=False)
        return catalog
