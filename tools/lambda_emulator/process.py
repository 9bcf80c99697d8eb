"""One process of the function, started in its package with the environment that Lambda gives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tools.lambda_emulator.invocation import Failure, Invocation
from tools.lambda_emulator.runtime_api import RuntimeApi
from tools.package import WRAPPER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Function:
    """What is run. `root` is its unzipped package, which is /var/task on Lambda.

    `runtime` is `loop` for our own runtime loop, through the wrapper script in the package, or `managed` for
    awslambdaric, the client in Lambda's own runtime, which `python` must then be able to import.
    """

    root: Path
    handler: str = "app.app"
    runtime: Literal["loop", "managed"] = "loop"
    python: str = sys.executable
    environ: Mapping[str, str] = field(default_factory=dict)
    name: str = "rolecall"
    memory: int = 1769
    seconds: float = 300.0
    """The function's timeout."""
    init_seconds: float = 10.0
    """How long it may take to start: Lambda's limit."""
    stop_seconds: float = 2.0
    """How long it may take to end after SIGTERM: Lambda's limit."""
    log: Path | None = None
    """Where its output goes; None for this process's own."""

    @property
    def arn(self) -> str:
        """Its ARN, in an account that does not exist."""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}"

    def environment(self, runtime_api: str) -> dict[str, str]:
        """Return the whole environment of a process; nothing of this process's own but the search path."""
        given = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": "/tmp",  # noqa: S108  as on Lambda
            "_HANDLER": self.handler,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "emulator",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info[:2]),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "emulator",
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "AWS_SESSION_TOKEN": "emulator",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LAMBDA_TASK_ROOT": str(self.root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            # /var/task can't be written to: no bytecode is left there.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self.runtime == "loop":
            given["AWS_LAMBDA_EXEC_WRAPPER"] = f"/var/task/{WRAPPER}"
        return {**given, **self.environ}

    def command(self) -> list[str]:
        """Return the command line: Lambda's own, which goes to the wrapper as arguments where there is one."""
        managed = [self.python, "-m", "awslambdaric", self.handler]
        return [str(self.root / WRAPPER), *managed] if self.runtime == "loop" else managed


class Process:
    """A running copy of the function. `on_idle` is called when it can take an event, `on_exit` when it is gone."""

    def __init__(
        self, function: Function, on_idle: Callable[[Process], None], on_exit: Callable[[Process], None]
    ) -> None:
        self.function = function
        self.served = False
        """Whether it has asked for an event before."""
        self.api = RuntimeApi(function.arn, lambda: on_idle(self))
        self._on_exit = on_exit
        self._output = None if function.log is None else function.log.open("ab")
        self.started_at = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603  the package that is to be run
            function.command(),
            cwd=function.root,
            env=function.environment(self.api.address),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        self._watch = threading.Thread(target=self._wait, name="process", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs, negative for a signal."""
        return self._process.poll()

    @property
    def init_ms(self) -> float:
        """Milliseconds from the start to the first question for an event; not a number before it."""
        return (self.api.asked_at - self.started_at) * 1000

    def wait_ready(self) -> Failure | None:
        """Wait until it can take an event; returns why it can't."""
        seconds = self.function.init_seconds
        if not self.api.settled.wait(seconds):
            self.kill()
            return Failure("Sandbox.Timedout", f"Init timed out after {seconds:.2f} seconds")
        return self.api.init_failure

    def invoke(self, invocation: Invocation) -> None:
        """Give it an event; it must be idle."""
        invocation.on_timeout = lambda _: self.kill()
        self.api.give(invocation)
        if self.exit_code is not None:
            # It has gone between being idle and this; the one who watches may have looked already.
            invocation.end(self._exit_failure())

    def stop(self) -> int:
        """End it as Lambda ends an idle one: SIGTERM, and later SIGKILL. Returns the exit code."""
        self._process.terminate()
        try:
            self._process.wait(self.function.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._watch.join()
        return self._process.wait()

    def kill(self) -> None:
        """End it at once, as Lambda does at a deadline."""
        self._process.kill()

    def _wait(self) -> None:
        self._process.wait()
        current = self.api.current
        if current is not None:
            current.end(self._exit_failure())
        if not self.api.settled.is_set():
            self.api.init_failure = self._exit_failure()
            self.api.settled.set()
        self._on_exit(self)
        self.api.close()
        if self._output is not None:
            self._output.close()

    def _exit_failure(self) -> Failure:
        code = self._process.returncode
        how = f"signal: {-code}" if code < 0 else f"exit status {code}"
        return Failure("Runtime.ExitError", f"Runtime exited with error: {how}")
