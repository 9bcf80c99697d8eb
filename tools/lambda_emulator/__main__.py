r"""Serve a package of Rolecall as API Gateway and Lambda would, on a port of this machine.

examples:
  the repository on a local AWS, with a token to try it with:
      python -m tools.lambda_emulator --sandbox
  a package that was made for this machine, on a local AWS, under the runtime that Lambda itself has:
      python -m tools.lambda_emulator --package build/prod/rolecall.zip --template build/prod/stack.json \
          --runtime managed --sandbox
  a package with settings of its own, against real AWS (credentials as settings too):
      python -m tools.lambda_emulator --package DIR --env TABLE_NAME=rolecall-dev --env JWT_ISSUER=... --env ...

What it has of AWS: one process for each request under way and 500 when there are no more; 10 MB requests, 6 MB events
and answers, 29 s on routes that do not stream, 200 MB on those that do; 502 for an answer in the wrong form; routes,
gateway responses, binary types and throttle of the template. The function never learns that a client has gone.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from tools.lambda_emulator import package
from tools.lambda_emulator.api import Api, CannotLoadError, from_app, from_template
from tools.lambda_emulator.fleet import Fleet
from tools.lambda_emulator.gateway import Gateway
from tools.lambda_emulator.process import Function


def _arguments() -> argparse.Namespace:
    lines = str(__doc__).split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="python -m tools.lambda_emulator",
        description=lines[0],
        epilog=lines[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--package", type=Path, help="zip, or directory of an unpacked one; default: the repository")
    parser.add_argument("--template", type=Path, help="packaged CloudFormation template; default: ask the app")
    parser.add_argument("--handler", default="app.app", help="what is called; default: app.app")
    parser.add_argument(
        "--runtime",
        choices=("loop", "managed"),
        default="loop",
        help="our own loop, which streams, or awslambdaric, which Lambda runs without our wrapper; default: loop",
    )
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that runs the function; default: this one"
    )
    parser.add_argument("--sandbox", action="store_true", help="start a local AWS, and serve the app on it")
    parser.add_argument("--port", type=int, default=8000, help="where the gateway listens; 0 for any; default: 8000")
    parser.add_argument("--processes", type=int, default=4, help="reserved concurrency; default: 4")
    parser.add_argument("--timeout", type=float, default=300.0, help="the function's timeout in seconds; default: 300")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of the function")
    arguments = parser.parse_args()
    if wrong := _wrong(arguments):
        parser.error(wrong)
    return arguments


def _wrong(given: argparse.Namespace) -> str:
    """Return what is wrong with the arguments, or "": each would end in a traceback elsewhere."""
    if given.package is not None and not (given.package.is_dir() or zipfile.is_zipfile(given.package)):
        return f"--package: {given.package} is neither a zip nor a directory"
    if given.template is not None and not given.template.is_file():
        return f"--template: there is no file {given.template}"
    if shutil.which(given.python) is None:
        return f"--python: there is no program {given.python}"
    if not 0 <= given.port <= 65535:
        return "--port: give 0 to 65535"
    if given.processes < 1 or given.timeout <= 0:
        return "--processes and --timeout: with less than one, or no time, nothing is answered"
    nameless = [pair for pair in given.env if "=" not in pair.lstrip("=")]
    return f"--env: write NAME=VALUE, not {nameless[0]}" if nameless else ""


def _api(template: Path | None, function: Function) -> Api:
    if template is None:
        try:
            return from_app(function)
        except CannotLoadError as error:
            sys.exit(f"{error}\n\n--env NAME=VALUE gives it settings; --sandbox gives it all of them, and a local AWS.")
    try:
        return from_template(template)
    except (ValueError, LookupError, TypeError) as error:
        sys.exit(f"{template} is no stack as tools.package writes it: {error}")


def main() -> int:
    """Serve until interrupted."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lambda-emulator-"))) / "task"
        if arguments.package is None:
            package.link_repository(root)
        elif arguments.package.is_dir():
            shutil.copytree(arguments.package, root, symlinks=True)
        else:
            package.unzip(arguments.package, root)
        function = Function(
            root,
            handler=arguments.handler,
            runtime=arguments.runtime,
            # The function starts elsewhere.
            python=os.path.abspath(arguments.python) if os.sep in arguments.python else arguments.python,  # noqa: PTH100  links stay
            environ=dict(pair.partition("=")[::2] for pair in arguments.env),
            seconds=arguments.timeout,
        )
        shell = ""
        if arguments.sandbox:
            from sandbox.world import TENANT, World  # noqa: PLC0415  only where a local AWS is asked for

            world = stack.enter_context(World())
            shell = f"token: {world.issuer.token(TENANT)}\nthe customer's administrator:\n{world.exports()}"
            given = package.put_on_sandbox(root, world)
            function = dataclasses.replace(function, handler="sandboxed.app", environ={**given, **function.environ})
        api = _api(arguments.template, function)
        fleet = stack.enter_context(Fleet(function, arguments.processes))
        try:
            gateway = stack.enter_context(Gateway(fleet, api, arguments.port))
        except OSError as error:
            sys.exit(f"Port {arguments.port} can't be had: {error.strerror}. Give another with --port.")
        print(gateway.url, flush=True)
        if shell:
            print(shell, flush=True)
        try:
            # A signal that another thread is given wakes no longer wait of this one.
            while True:
                time.sleep(0.5)
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
