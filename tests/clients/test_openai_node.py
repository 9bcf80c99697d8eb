"""OpenAI's client for JavaScript through the API: text, stream, tools, a refusal, and a stream that breaks off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sandbox.world import World
    from tests.far_customer import Onboarding

HERE: Final = Path(__file__).parent
MODEL = "bedrock/amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the client installed as the lock has it; without Node.js or its registry, skip."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js is not installed: OpenAI's client for JavaScript can't be tried.")
    made = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "openai_node.mjs"):
        shutil.copy(HERE / name, made / name)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=made,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"OpenAI's client for JavaScript can't be installed: {done.stderr[-200:]}")
    return made


def _played(folder: Path, tenant: Onboarding, scene: str) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "openai_node.mjs", scene, f"{tenant.api.url}/v1", str(tenant.api.token), MODEL],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_it_reads_answers(folder: Path, tenant: Onboarding) -> None:
    """Whole and streamed, the same words; usage where it was asked for; the list pages to its end."""
    whole, streamed = _played(folder, tenant, "text"), _played(folder, tenant, "stream")

    assert (whole["finish"], "river" in whole["content"]) == ("stop", True)
    assert (streamed["content"], streamed["tokens"] > 0) == (whole["content"], True)
    assert _played(folder, tenant, "models") == {"known": True, "one": MODEL}


def test_it_calls_tools(folder: Path, tenant: Onboarding) -> None:
    """A whole call with its result sent back, and one that comes in pieces."""
    called, streamed = _played(folder, tenant, "tools"), _played(folder, tenant, "streamedTools")

    assert (called["called"], called["arguments"], "Sunny" in called["content"]) == ("weather", ["city"], True)
    assert (streamed["called"], list(json.loads(streamed["arguments"]))) == ("weather", ["city"])


BROKEN: Final[dict[str, dict[str, Any]]] = {
    "throttled": {"kind": "exception_frame", "code": "throttlingException"},
    "cut": {"kind": "cut", "after_events": 4},
    "a clean end too early": {"kind": "early_end"},
    "half a frame": {"kind": "half_frame"},
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_is_an_error(world: World, folder: Path, tenant: Onboarding, fault: dict[str, Any]) -> None:
    """Not a short answer: the client raises."""
    world.aws.faults.add({"service": "bedrock-runtime", "operation": "ConverseStream", **fault})

    assert _played(folder, tenant, "stream")["error"] == "APIError"


def test_a_refusal_has_its_status_and_code(world: World, folder: Path, tenant: Onboarding) -> None:
    """429 as this client names it, with our code."""
    fault = {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": "ThrottlingException"}
    world.aws.faults.add({**fault, "times": 3})

    assert _played(folder, tenant, "text") == {"error": "RateLimitError", "status": 429, "code": "rate_limit_exceeded"}
