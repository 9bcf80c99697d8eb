"""The rows, in order of their numbers. Another is added by naming it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.rows import calls, chats, cold, local_server, memory, models, sessions, streams, tenants

if TYPE_CHECKING:
    from bench.rows.row import Row

ROWS: Final[tuple[Row, ...]] = (
    chats.ONE_CLIENT,
    chats.SIXTEEN_CLIENTS,
    streams.TOTAL,
    streams.CPU,
    streams.FIRST_TOKEN,
    models.LIST,
    cold.START,
    memory.PEAK,
    cold.PACKAGE,
    sessions.ASSUMED,
    sessions.REFUSED,
    tenants.HELD,
    tenants.HANGING,
    local_server.BESIDE_A_SLOW_STREAM,
    calls.WARM_CHAT,
)
