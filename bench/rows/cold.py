"""Rows 7 and 9: from the start of a process to its first chat, and the package that is deployed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final, Literal

from bench.aws import CHAT_MODEL, MOST_TOKENS, QUESTION, REGION, role_arn
from bench.measuring import Reading, interleaved, ratios
from bench.rows.row import Row, Target
from bench.service import chat_event, settings_for
from tools.lambda_emulator.fleet import Fleet
from tools.lambda_emulator.package import put_settings, unzip
from tools.lambda_emulator.process import Function
from tools.package import build
from tools.pythons import Python

if TYPE_CHECKING:
    from bench.stage import Stage
    from tools.package import Package

_ROUNDS: Final = 10
_MB: Final = 1_000_000
_ARCHITECTURE: Final = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
_RAW_BOTO3: Final = """
import json, sys
told = json.loads(sys.argv[1])
import boto3
sts = boto3.client("sts", **told["own"])
given = sts.assume_role(**told["role"])["Credentials"]
runtime = boto3.client(
    "bedrock-runtime", region_name=told["own"]["region_name"], endpoint_url=told["own"]["endpoint_url"],
    aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
    aws_session_token=given["SessionToken"],
)
print(runtime.converse(**told["question"])["stopReason"])
"""


@cache
def _package() -> Package:
    """Build what is deployed, for this machine and this Python; once for both rows."""
    python = Python(sys.executable, (sys.version_info.major, sys.version_info.minor))
    return build("prod", _ARCHITECTURE, python, Path(mkdtemp(prefix="rolecall-bench-")))


def _start(stage: Stage) -> list[Reading]:
    root = unzip(_package().zip, Path(mkdtemp(prefix="rolecall-task-")))
    put_settings(root, settings_for(stage.address, stage.rules))
    keys = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": stage.address.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stage.address.secret_access_key,
        "AWS_SESSION_TOKEN": "",
    }
    event = json.dumps(chat_event(stage.token())).encode()

    def ours(runtime: Literal["loop", "managed"]) -> float:
        log = root.with_suffix(".log")
        function = Function(root, "sandboxed.app", runtime, environ=keys, log=log)
        started = time.perf_counter()
        with Fleet(function, processes=1) as fleet:
            answer = fleet.invoke(event).whole()
            taken = time.perf_counter() - started
        if b"chat.completion" not in answer:
            raise AssertionError(log.read_text(encoding="utf-8")[-2000:] or answer[:2000])
        return taken

    told = {
        "own": {
            "region_name": REGION,
            "endpoint_url": stage.address.url,
            "aws_access_key_id": stage.address.access_key_id,
            "aws_secret_access_key": stage.address.secret_access_key,
        },
        "role": {
            "RoleArn": role_arn("Plain-boto3"),
            "RoleSessionName": "bench",
            "ExternalId": "bench",
            "Policy": "{}",
            "DurationSeconds": 3600,
        },
        "question": {
            "modelId": CHAT_MODEL,
            "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
            "inferenceConfig": {"maxTokens": MOST_TOKENS},
        },
    }

    def boto3() -> float:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _RAW_BOTO3, json.dumps(told)], capture_output=True, text=True, check=True
        )
        taken = time.perf_counter() - started
        if done.stdout.strip() != "end_turn":
            raise AssertionError(done.stdout)
        return taken

    blocks = {"loop": lambda: ours("loop"), "managed": lambda: ours("managed"), "boto3": boto3}
    found = interleaved(blocks, _ROUNDS)
    middle = {name: sorted(values)[len(values) // 2] * 1000 for name, values in found.items()}
    return [
        Reading.of(ratios(found[name], found["boto3"]), f"{middle[name]:.0f} ms beside boto3's {middle['boto3']:.0f}")
        for name in ("loop", "managed")
    ]


def _zip(_: Stage) -> list[Reading]:
    return [Reading.exact(_package().zip.stat().st_size / _MB, f"{_ARCHITECTURE}, bytecode and all")]


START: Final = Row(
    7,
    (
        Target("process start to first chat, AssumeRole included, in our runtime loop: time ÷ raw boto3's", 2.0, 1.2),
        Target("the same in the managed runtime's own client", 2.0, 1.2),
    ),
    "The deployed zip, unpacked, started as Lambda does and asked one chat; beside it a program of two boto3 clients.",
    _start,
)
PACKAGE: Final = Row(
    9,
    (Target("deployment zip", must=14, goal=11, unit="MB"),),
    "What `make package` makes for this machine and this Python.",
    _zip,
)
