"""The service as it is deployed, but for AWS: gateway, processes, either runtime; the sandbox is the other side."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import openai
import pytest

from chalicelib.streaming import STREAM_ROUTES
from tests.far_customer import Api as Caller
from tests.far_customer import Onboarding
from tools.lambda_emulator.api import Api, from_app, from_template
from tools.lambda_emulator.fleet import Fleet
from tools.lambda_emulator.gateway import Gateway
from tools.lambda_emulator.package import link_repository, put_on_sandbox, unzip
from tools.lambda_emulator.process import Function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World
    from tools.package import Package

ROOT = Path(__file__).parents[2]
CHUNKS = 200
CHAT: dict[str, Any] = {
    "model": "bedrock/amazon.nova-lite-v1:0",
    "messages": [{"role": "user", "content": "Tell me of the river and the two mills beside it."}],
}
OWN_KEY = {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": "sk-proj-" + "a" * 48}


class InStep:
    """OpenAI, as far as a stream goes: each chunk is sent once the reader of the one before says so."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for number in range(CHUNKS):
                    self._event(json.dumps(outer.chunk(str(number), None)))
                    if not outer.go.acquire(timeout=60):
                        return
                self._event(json.dumps(outer.chunk("", "stop")))
                self._event("[DONE]")
                self.wfile.write(b"0\r\n\r\n")

            def _event(self, text: str) -> None:
                octets = f"data: {text}\n\n".encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(octets), octets))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def chunk(self, text: str, reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": reason}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Deployed:
    """Gateway and function on the sandbox, under one of the runtimes."""

    def __init__(self, function: Function, api: Api, fleet: Fleet, gateway: Gateway, openai_: InStep) -> None:
        self.function = function
        self.api = api
        self.fleet = fleet
        self.gateway = gateway
        self.openai = openai_

    @property
    def log(self) -> list[dict[str, Any]]:
        """The JSON lines of the function's log."""
        assert self.function.log is not None
        return [json.loads(line) for line in self.function.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def deployed_at(
    root: Path, world: World, stack: Path | None = None, *, processes: int = 2, **more: Any
) -> Iterator[Deployed]:
    """Serve what is at `root` as Lambda and API Gateway would; `more` is the function's."""
    with InStep() as fake:
        addresses = {**world.settings.local_addresses, "api.openai.com": fake.url}
        environ = put_on_sandbox(root, world, local_addresses=addresses, log_level="INFO")
        function = Function(
            root,
            handler="sandboxed.app",
            environ=environ,
            log=root.parent / "log",
            init_seconds=60,
            stop_seconds=30,
            **more,
        )
        api = from_app(function) if stack is None else from_template(stack)
        with Fleet(function, processes) as fleet, Gateway(fleet, api) as gateway:
            yield Deployed(function, api, fleet, gateway, fake)


@pytest.fixture(scope="module", params=["repository-loop", "package-loop", "package-managed"])
def service(request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the service: the repository itself, and the package that is deployed under each runtime, with its stack."""
    content, _, runtime = request.param.partition("-")
    root = tmp_path_factory.mktemp(content) / "task"
    if content == "repository":
        with deployed_at(link_repository(root), world) as made:
            yield made
        return
    package: Package = request.getfixturevalue("runnable")
    unzip(package.zip, root)
    # Under the loop by an interpreter that has no packages: what the zip lacks, nothing else lends it.
    python = sys.executable if runtime == "managed" else str(Path(sys.base_prefix) / "bin" / "python3")
    with deployed_at(root, world, package.stack, runtime=runtime, python=python) as made:
        yield made


def test_every_route_answers(service: Deployed, world: World) -> None:
    """Each method of each path: no answer is the gateway's own, and each has our headers."""
    caller = Caller(service.gateway.url, world.issuer.token("routes"))
    routes = [(method, path) for path, methods in service.api.routes.items() for method in methods]
    for method, path in routes:
        body: object = {} if method in {"POST", "PATCH"} else None
        sent = "PUT" if method == "ANY" else method
        answer = caller.call(sent, path.replace("{", "").replace("}", ""), body)

        assert (answer.status == 405) is (method == "ANY"), (method, path, answer.text)
        assert answer.status < 500, (method, path, answer.text)
        assert "x-amzn-ErrorType" not in answer.headers
        assert answer.headers["X-Request-Id"]
        # An answer in the streaming form is passed on in chunks, a 400 too.
        assert ("Transfer-Encoding" in answer.headers) is ((method, path) in STREAM_ROUTES), (method, path)
    assert len(routes) > 40
    assert service.gateway.faults == []


def test_a_customer_is_onboarded(service: Deployed, world: World) -> None:
    """Connection, role and verification; its checks come as events where they are asked for."""
    made = Onboarding(world, url=service.gateway.url)
    made.make_role()
    assert made.verify()["usable"]
    events = made.api.call(
        "POST", f"{made.path}/verification", {"role_arn": made.role_arn}, headers={"Accept": "text/event-stream"}
    )

    assert events.headers["Content-Type"].startswith("text/event-stream")
    assert events.text.count("event: check\n") == 7
    assert events.text.count("event: report\n") == 1
    assert service.gateway.faults == []


def test_a_chat_is_the_same_whole_and_streamed(service: Deployed, tenant: Onboarding) -> None:
    """OpenAI's client reads the same words in both forms, under both runtimes."""
    with openai.OpenAI(base_url=f"{service.gateway.url}/v1", api_key=tenant.api.token, max_retries=0) as client:
        whole = client.chat.completions.create(**CHAT)
        stream = client.chat.completions.create(**CHAT, stream=True)
        words = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]

    assert "".join(words) == whole.choices[0].message.content
    assert len(words) > 10


def test_two_hundred_chunks(service: Deployed, world: World) -> None:
    """Streamed, each arrives before the next is made; buffered, all arrive at once. In order, and with an end."""
    live = service.function.runtime == "loop"
    if not live:
        service.openai.go.release(CHUNKS)
    connection = http.client.HTTPConnection(service.gateway.url.removeprefix("http://"), timeout=60)
    with closing(connection):
        body = json.dumps({"model": "openai/gpt-4o", "messages": CHAT["messages"], "stream": True})
        headers = {"Authorization": f"Bearer {world.issuer.token('chunks')}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, {**headers, **OWN_KEY})
        answer = connection.getresponse()
        for number in range(CHUNKS):
            chunk = json.loads(answer.readline().removeprefix(b"data: "))
            assert answer.readline() == b"\n"
            assert chunk["choices"][0]["delta"]["content"] == str(number)
            if live:
                service.openai.go.release()
        end = answer.read().split(b"\n\n")

    assert json.loads(end[0].removeprefix(b"data: "))["choices"][0]["finish_reason"] == "stop"
    assert end[1:] == [b"data: [DONE]", b""]
    assert service.openai.go.acquire(blocking=False) is False


def test_log_lines_carry_lambdas_request_id(service: Deployed, world: World) -> None:
    """A request is found in Lambda's log by its id, whoever runs the app: their formatter is not asked."""
    request_id = Caller(service.gateway.url, None).get("/health").headers["X-Request-Id"]
    lines = [line for line in service.log if line.get("request_id") == request_id]

    assert [line["message"] for line in lines] == ["request"]
    assert len(lines[0]["lambda_request_id"]) == 36
    assert lines[0]["lambda_request_id"] != request_id


def test_what_is_no_request_is_left_alone(service: Deployed) -> None:
    """An event that the app does not know is acknowledged: after an error, Lambda would send it again."""
    for event in (b"{}", b"[]", b'"x"', b'{"requestContext": {"http": {"method": "GET"}}}', b'{"Records": [{}]}'):
        invocation = service.fleet.invoke(event)

        assert invocation.whole() == b"null"
        assert invocation.failure is None
    assert len([line for line in service.log if line["message"].startswith("an event that is no request")]) == 5


@pytest.mark.parametrize("runtime", ["loop", "managed"])
def test_the_scheduled_function_runs(world: World, tmp_path: Path, runtime: str) -> None:
    """Its work does not depend on the event that wakes it; it answers with what it did."""
    root = link_repository(tmp_path / "task")
    environ = put_on_sandbox(root, world)
    function = Function(root, "sandboxed.reverify", runtime, environ=environ, init_seconds=60)  # type: ignore[arg-type]
    with Fleet(function, 1) as fleet:
        for event in (b"{}", b'{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}'):
            invocation = fleet.invoke(event)

            assert set(json.loads(invocation.whole()).values()) <= set(range(100))
            assert invocation.failure is None


def test_a_stream_ends_before_the_deadline(world: World, tenant: Onboarding, tmp_path: Path) -> None:
    """A model falls silent: five seconds before Lambda would kill the process, the stream ends with an error event."""
    world.aws.faults.add(
        {
            "service": "bedrock-runtime",
            "operation": "ConverseStream",
            "kind": "silence",
            "after_events": 3,
            "seconds": 60,
        }
    )
    try:
        with deployed_at(link_repository(tmp_path / "task"), world, runtime="loop", seconds=15) as deployed:
            answer = Caller(deployed.gateway.url, tenant.api.token).post(
                "/v1/chat/completions", {**CHAT, "stream": True}
            )
            assert deployed.gateway.faults == []
    finally:
        world.aws.faults.clear()
    events = answer.text.strip().split("\n\n")

    assert answer.status == 200
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "upstream_timeout"
    assert "[DONE]" not in answer.text


def test_the_service_ends_well(world: World, tmp_path: Path) -> None:
    """SIGTERM between two requests ends the process of the whole service, connections to AWS and all."""
    with deployed_at(link_repository(tmp_path / "task"), world, runtime="loop") as deployed:
        Caller(deployed.gateway.url, world.issuer.token("end")).get("/v1/connections")

        assert deployed.fleet.close() == [0]


def test_an_app_without_settings_is_told_what_it_lacks() -> None:
    """Whoever tries the program first sees that, and what to do, instead of frames."""
    program = [sys.executable, "-m", "tools.lambda_emulator", "--port", "0"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "TABLE_NAME is not set." in done.stderr
    assert "--sandbox" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--package", "/nowhere.zip"), "--package: /nowhere.zip is neither", id="no package"),
        pytest.param(("--package", "README.md"), "--package: README.md is neither", id="no zip"),
        pytest.param(("--template", "/nowhere.json"), "--template: there is no file", id="no template"),
        pytest.param(("--template", "README.md"), "README.md is no stack", id="no stack"),
        pytest.param(("--template", ".chalice/resources.json"), "resources.json is no stack", id="a stack without API"),
        pytest.param(("--python", "/nowhere/python"), "--python: there is no program", id="no Python"),
        pytest.param(("--port", "99999"), "--port: give 0 to 65535", id="no port"),
        pytest.param(("--processes", "0"), "--processes and --timeout", id="no process"),
        pytest.param(("--env", "TABLE_NAME"), "--env: write NAME=VALUE, not TABLE_NAME", id="no value"),
    ],
)
def test_wrong_arguments_are_told_in_words(arguments: tuple[str, ...], told: str) -> None:
    """The one that is wrong, and no frames of whatever it was handed to."""
    program = [sys.executable, "-m", "tools.lambda_emulator", "--port", "0", *arguments]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(world: World) -> None:
    """Instead of a socket's traceback."""
    taken = world.gateway.url.rpartition(":")[2]
    program = [sys.executable, "-m", "tools.lambda_emulator", "--sandbox", "--port", taken]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert f"Port {taken} can't be had" in done.stderr
    assert "Traceback" not in done.stderr
