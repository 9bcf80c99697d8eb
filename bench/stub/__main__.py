"""`python -m bench.stub`: print one line of JSON (address, the service's key), then serve until standard input ends."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys

from bench.stub.server import serve
from bench.stub.state import State


async def main() -> None:
    """Serve for as long as whoever started this holds our input open: if it is killed, so are we."""
    state = State("AKIA" + secrets.token_hex(8).upper())
    ended = asyncio.Event()

    def ready(url: str) -> None:
        print(json.dumps({"url": url, "access_key_id": state.access_key_id}), flush=True)

    serving = asyncio.create_task(serve(state, ready=ready, ended=ended))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ended.set()
    await serving


if __name__ == "__main__":
    asyncio.run(main())
