"""What is measured in a process of its own: `python -m bench.child <what>`, with a JSON object on standard input."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parent.parent
_CHATS: Final = 40
_STREAMS: Final = 5
_STREAM_MODEL: Final = "bench.stream-200-v1:0"


@contextmanager
def started(what: str, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Start a child and give the line that it prints; it ends with the context."""
    program = [sys.executable, "-m", "bench.child", what]
    with subprocess.Popen(program, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  pipes were asked for
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        yield json.loads(process.stdout.readline())
        process.communicate(timeout=30)


def _serve(told: dict[str, Any]) -> None:
    """Serve the app on a port until standard input ends."""
    from bench.aws import Address  # noqa: PLC0415  a child loads what it measures, and nothing besides
    from bench.service import make_app  # noqa: PLC0415
    from chalicelib.settings import TokenRules  # noqa: PLC0415
    from sandbox.gateway import LocalGateway  # noqa: PLC0415

    gateway = LocalGateway(make_app(Address(**told["address"]), TokenRules(**told["rules"])))
    gateway.start()
    print(json.dumps({"url": gateway.url}), flush=True)
    sys.stdin.read()
    gateway.stop()


def _load_ours(told: dict[str, Any]) -> None:
    from bench.aws import Address  # noqa: PLC0415
    from bench.service import Rolecall, chat_event  # noqa: PLC0415
    from chalicelib.settings import TokenRules  # noqa: PLC0415

    rolecall = Rolecall(Address(**told["address"]), TokenRules(**told["rules"]))
    chat = chat_event(told["token"])
    streamed = chat_event(told["token"], model=_STREAM_MODEL, stream=True)
    _under_load(lambda: rolecall.chat(chat), lambda: sum(1 for _ in rolecall.lines(streamed)))


def _load_boto3(told: dict[str, Any]) -> None:
    from bench.aws import Address, RawBoto3  # noqa: PLC0415

    boto3 = RawBoto3(Address(**told["address"]))
    _under_load(boto3.chat, lambda: sum(1 for _ in boto3.events(_STREAM_MODEL)))


def _under_load(chat: Any, stream: Any) -> None:
    """Have sixteen clients chat and stream, then print the most memory that the process had, in octets."""
    from bench.measuring import side_by_side  # noqa: PLC0415

    def several() -> float:
        for number in range(_CHATS):
            chat()
            if number % (_CHATS // _STREAMS) == 0:
                stream()
        return 0.0

    side_by_side(several)
    print(json.dumps({"peak": _peak()}), flush=True)


def _peak() -> int:
    """Return the largest resident size. Linux's own count for getrusage begins with that of the process's parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    {"serve": _serve, "ours": _load_ours, "boto3": _load_boto3}[sys.argv[1]](json.loads(sys.stdin.readline()))
