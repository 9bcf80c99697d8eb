"""The rows, in order of their numbers. Another is added by naming it here; 7 and 9 are of the deployed zip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.rows import calls, chats, local_server, memory, models, sessions, streams, tenants

if TYPE_CHECKING:
    from bench.rows.row import Row

ROWS: Final[tuple[Row, ...]] = (
    chats.ONE_CLIENT,
    chats.SIXTEEN_CLIENTS,
    streams.TOTAL,
    streams.CPU,
    streams.FIRST_TOKEN,
    models.LIST,
    memory.PEAK,
    sessions.ASSUMED,
    sessions.REFUSED,
    tenants.HELD,
    tenants.HANGING,
    local_server.BESIDE_A_SLOW_STREAM,
    calls.WARM_CHAT,
)
