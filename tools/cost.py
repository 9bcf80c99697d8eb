"""What a month costs, by formula: the table of docs/cost.md, made of the prices that it states."""

from __future__ import annotations

from typing import Final

GB_SECOND: Final = 0.0000133334
"""Lambda, arm64, the first 7.5 thousand million GB-seconds of a month."""
INVOCATION: Final = 0.0000002
GATEWAY_REQUEST: Final = 0.0000035
"""A REST API, the first 333 million requests of a month."""
READ_UNIT: Final = 0.000000125
WRITE_UNIT: Final = 0.000000625
LOG_GB: Final = 0.50
SECONDS: Final = 4.0
"""How long a chat lasts: Lambda counts the whole time that a model answers."""
GB: Final = 1769 / 1024
LOG_OCTETS: Final = 1000
"""Two lines for each request: the service's own, and API Gateway's."""
VOLUMES: Final = (1_000, 1_000_000, 100_000_000)
CONNECTIONS: Final = 100
"""Active connections, each verified again four times a day."""
_RUN_SECONDS: Final = 3.0
_RUN_WRITES: Final = 12
_RUN_READS: Final = 6
_WAKES: Final = 30 * 24 * 6


def month(requests: int) -> dict[str, float]:
    """Return the dollars of a month with so many chats, by what they are paid for."""
    runs = CONNECTIONS * 4 * 30
    seconds = requests * SECONDS + runs * _RUN_SECONDS
    return {
        "Lambda": seconds * GB * GB_SECOND + (requests + _WAKES) * INVOCATION,
        "API Gateway": requests * GATEWAY_REQUEST,
        "DynamoDB": (requests + runs * _RUN_READS) * READ_UNIT + runs * _RUN_WRITES * WRITE_UNIT,
        "Logs": requests * LOG_OCTETS / 1e9 * LOG_GB,
    }


def table() -> str:
    """Return the table in Markdown."""
    columns = list(month(0))
    lines = [f"| chats a month | {' | '.join(columns)} | together |", "|" + "---:|" * (len(columns) + 2)]
    for requests in VOLUMES:
        dollars = month(requests)
        cells = [f"${value:,.2f}" for value in (*dollars.values(), sum(dollars.values()))]
        lines.append(f"| {requests:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
