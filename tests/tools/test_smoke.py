"""The checklist of a first deployment, run against the sandbox's local server; and servers that must not pass it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from chalicelib.routes import create_app
from chalicelib.services import Services
from sandbox.aws.accounts import CUSTOMER_ACCOUNT
from sandbox.gateway import LocalGateway
from tests.far_customer import Onboarding
from tools.smoke import run, table
from tools.smoke_checks import CHECKS, Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

ROOT = Path(__file__).parent.parent.parent
ORIGIN = "https://app.example.com"


@contextmanager
def _served(world: World) -> Iterator[str]:
    """Serve Rolecall with an allowed origin, as a deployment may have it."""
    settings = replace(world.settings, allowed_origin=ORIGIN)
    services = Services(settings, session=world.accounts.service_session(world.aws.url, "us-east-1"))
    gateway = LocalGateway(create_app(services), allowed_origin=ORIGIN)
    gateway.start()
    try:
        yield gateway.url
    finally:
        gateway.stop()


class _HoldsBack(BaseHTTPRequestHandler):
    """A proxy that gives an answer on when all of it is there, as a wrongly made integration would."""

    target = ""

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name: text for name, text in self.headers.items() if name.lower() != "host"}
        with urllib3.PoolManager() as pool:
            answer = pool.request(self.command, self.target + self.path, body=self.rfile.read(length), headers=headers)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = _pass_on  # noqa: N815  http.server's names


@contextmanager
def _server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _slow_model(world: World) -> None:
    world.aws.faults.add(
        {"service": "bedrock-runtime", "operation": "ConverseStream", "kind": "slow", "after_events": 2, "seconds": 0.1}
    )


def test_a_good_deployment_passes_every_check(world: World) -> None:
    """Nothing is skipped when all is given, and the connections that were made for it are deleted."""
    customer = Onboarding(world)
    customer.make_role()
    customer.verify()
    with _served(world) as url:
        _slow_model(world)
        at = Deployment(url, customer.api.token or "", ORIGIN, CUSTOMER_ACCOUNT, customer.connection["id"])
        rows = run(at)

    assert [(name, ended) for name, ended, _ in rows] == [(name, "ok") for name, _ in CHECKS], table(rows)
    assert len(at.made) == 2
    assert {customer.api.get(f"/v1/connections/{made}").json["status"] for made in at.made} == {"revoked"}


def test_what_was_not_given_is_skipped_and_said(world: World) -> None:
    """With a token alone the rest is checked, and the table names what would check more."""
    with _served(world) as url:
        done = subprocess.run(
            [sys.executable, "-m", "tools.smoke", "--url", url],
            cwd=ROOT,
            env={"ROLECALL_TOKEN": world.issuer.token("smoke"), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "needs --connection" in done.stdout
    assert "needs --origin" in done.stdout
    assert done.stdout.endswith("7 ok, 0 failed\n")


def test_a_stream_that_is_held_back_fails(world: World) -> None:
    """All of it at once is what a buffered integration looks like."""
    customer = Onboarding(world)
    customer.make_role()
    customer.verify()
    _slow_model(world)
    handler = type("Handler", (_HoldsBack,), {"target": world.gateway.url})
    with _server(handler) as url:
        rows = run(Deployment(url, customer.api.token or "", connection=customer.connection["id"]))

    ended = {name: (how, seen) for name, how, seen in rows}
    assert ended["chat"][0] == "ok"
    assert ended["stream end to end"][0] == "FAILED"
    assert "came at once" in ended["stream end to end"][1]


class _SomeServer(BaseHTTPRequestHandler):
    """What answers at an address that is not Rolecall's."""

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = b'{"message": "Missing Authentication Token"}'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = _answer  # noqa: N815  http.server's names


def test_another_server_fails_every_check() -> None:
    """No check passes by itself."""
    with _server(_SomeServer) as url:
        rows = run(Deployment(url, "token", ORIGIN, CUSTOMER_ACCOUNT, "conn-x"))

    assert {ended for _, ended, _ in rows} == {"FAILED"}
    assert len(rows) == len(CHECKS)


def test_an_address_where_nobody_is_fails_in_words() -> None:
    """A table all the same, and no traceback."""
    rows = run(Deployment("http://127.0.0.1:9", "token"))

    assert {ended for _, ended, _ in rows} == {"FAILED", "skipped"}


def _smoke(url: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the program, with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "tools.smoke", "--url", url],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_at_the_address_is_said_once() -> None:
    """One line with the address, instead of a table of the same words."""
    # A file that was read with its line's end is no mistake.
    done = _smoke("http://127.0.0.1:9", {"ROLECALL_TOKEN": "a.b.c\r\n"})

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Nobody answers at http://127.0.0.1:9: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_token_does_not_go_on_the_command_line() -> None:
    """The program explains itself, and takes its token from the environment alone."""
    helped = subprocess.run(
        [sys.executable, "-m", "tools.smoke", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "usage: python -m tools.smoke" in helped
    assert "--token" not in helped
    done = _smoke("http://127.0.0.1:9", {})
    assert (done.returncode, "Set ROLECALL_TOKEN" in done.stderr) == (2, True)


def test_what_is_no_token_is_told_and_not_shown() -> None:
    """A token that was broken by copying would end in an HTTP client's error with all of it in the terminal."""
    done = _smoke("http://127.0.0.1:9", {"ROLECALL_TOKEN": "secret.half\nsecret.other"})

    assert (done.returncode, "ROLECALL_TOKEN holds no token" in done.stderr) == (2, True)
    assert "secret" not in done.stdout + done.stderr


def test_a_forgotten_address_is_told_as_such() -> None:
    """`make smoke` without URL names what is missing, in place of a table of failures."""
    done = _smoke("", {"ROLECALL_TOKEN": "x"})
    assert (done.returncode, done.stdout, "make smoke URL=" in done.stderr) == (2, "", True)
