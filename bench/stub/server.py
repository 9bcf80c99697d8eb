"""HTTP for the stub: one asyncio protocol, without a framework, whose answers are ready octets."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from bench.stub import answers
from bench.stub.state import State, refuses, seconds_to_assume, unique_id
from bench.stub.table import UnknownOperationError
from bench.stub.table import answer as answer_of_table

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

_CHAT: Final = re.compile(r"/model/[^/]+/converse")
_STREAM: Final = re.compile(r"/model/bench\.(stream|paced)-(\d+)(?:-(\d+))?-v1(?:%3A|:)0/converse-stream")
"""Ids of models say what is streamed: so many deltas, and for `paced` the milliseconds before each."""
_SIGNED_AS: Final = {"x-www-form-urlencoded": "sts", "x-amz-json-1.0": "dynamodb"}
_JSON: Final = "application/json"
_CONVERSE: Final = answers.converse()
_MODELS: Final = answers.foundation_models()
_PROFILES: Final = {kind: answers.inference_profiles(kind) for kind in ("SYSTEM_DEFINED", "APPLICATION")}


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, as none of AWS's clients pipelines."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._received = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what a TCP server gives
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Send no more to a client that has gone."""
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        received = self._received
        received += data
        while (head_end := received.find(b"\r\n\r\n")) >= 0:
            first, *lines = received[:head_end].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            end = head_end + 4 + int(headers.get("content-length", "0"))
            if len(received) < end:
                return
            body = bytes(received[head_end + 4 : end])
            del received[:end]
            method, target, _ = first.split(" ")
            self._answer(method, target, headers, body)

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        path, _, query = target.partition("?")
        if path == "/_bench/calls":
            self._tell_calls(method)
            return
        service = _SIGNED_AS.get(headers.get("content-type", "").partition(";")[0].rpartition("/")[2], "bedrock")
        if not self._state.admits(service, headers):
            self._state.calls["refused"] += 1
            self._refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
        elif service == "sts":
            self._sts(parse_qs(body.decode()))
        elif service == "dynamodb":
            self._dynamodb(headers.get("x-amz-target", "").rpartition(".")[2], body)
        else:
            self._bedrock(path, query, body)

    def _bedrock(self, path: str, query: str, body: bytes) -> None:
        calls = self._state.calls
        if path == "/foundation-models":
            calls["ListFoundationModels"] += 1
            self._send(_MODELS)
        elif path == "/inference-profiles":
            calls["ListInferenceProfiles"] += 1
            self._send(_PROFILES[parse_qs(query).get("type", ["SYSTEM_DEFINED"])[0]])
        elif _CHAT.fullmatch(path) and b'"messages"' in body:
            calls["Converse"] += 1
            self._send(_CONVERSE)
        elif (found := _STREAM.fullmatch(path)) and b'"messages"' in body:
            calls["ConverseStream"] += 1
            frames = answers.stream(int(found[2]))
            self._start(self._paced(frames, int(found[3]) / 1000) if found[3] else self._at_once(frames))
        else:
            self._refuse("ValidationException", f"The stub has no {path}.", status=400)

    def _dynamodb(self, operation: str, body: bytes) -> None:
        self._state.calls[operation] += 1
        try:
            document = answer_of_table(self._state.items, operation, json.loads(body))
        except UnknownOperationError:
            self._refuse("UnknownOperationException", f"The stub has no {operation}.", status=400)
            return
        self._send(json.dumps(document).encode(), content_type="application/x-amz-json-1.0")

    def _sts(self, form: Mapping[str, Sequence[str]]) -> None:
        if form["Action"] == ["AssumeRole"] and "ExternalId" in form and "Policy" in form:
            self._start(self._assume(form["RoleArn"][0], form["RoleSessionName"][0], int(form["DurationSeconds"][0])))
        else:
            self._send(
                _xml_error("ValidationError", "The stub takes AssumeRole alone, with ExternalId and Policy."), 400
            )

    async def _assume(self, role_arn: str, name: str, seconds: int) -> None:
        state = self._state
        state.calls["AssumeRole"] += 1
        state.begin_to_assume(role_arn)
        try:
            if wait := seconds_to_assume(role_arn):
                await asyncio.sleep(wait)
        finally:
            state.assuming[role_arn] -= 1
        if refuses(role_arn):
            text = f"User: the service is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            self._send(_xml_error("AccessDenied", text), 403, content_type="text/xml")
            return
        given = state.give(role_arn, seconds)
        session_arn = role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + f"/{name}"
        answer = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
            f"<AssumedRoleUser><AssumedRoleId>{unique_id(role_arn)}:{name}</AssumedRoleId><Arn>{session_arn}</Arn>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>{given.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{given.secret_access_key}</SecretAccessKey><SessionToken>{given.token}</SessionToken>"
            f"<Expiration>{given.expires_at:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult>"
            f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></AssumeRoleResponse>"
        )
        self._send(answer.encode(), content_type="text/xml")

    async def _at_once(self, frames: Sequence[bytes]) -> None:
        self._begin_stream()
        self._transport.write(b"".join(map(_chunk, frames)) + _chunk(b""))

    async def _paced(self, frames: Sequence[bytes], seconds: float) -> None:
        self._begin_stream()
        first, *deltas, stop, message_stop, metadata = frames
        self._transport.write(_chunk(first))
        for frame in deltas:
            await asyncio.sleep(seconds)
            self._transport.write(_chunk(frame))
        self._transport.write(b"".join(map(_chunk, (stop, message_stop, metadata, b""))))

    def _begin_stream(self) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n"
            b"x-amzn-RequestId: " + str(uuid.uuid4()).encode() + b"\r\n\r\n"
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell_calls(self, method: str) -> None:
        state = self._state
        told = {"calls": dict(state.calls), "most_assuming_at_once": state.most_assuming}
        if method == "DELETE":
            state.forget_calls()
        self._send(json.dumps(told).encode())

    def _refuse(self, code: str, text: str, *, status: int = 403) -> None:
        # Each service looks for its code in another place: DynamoDB in __type, Bedrock in the header.
        body = json.dumps({"__type": f"com.amazon.coral.service#{code}", "message": text}).encode()
        self._send(body, status, more=f"x-amzn-ErrorType: {code}\r\n")

    def _send(self, body: bytes, status: int = 200, *, content_type: str = _JSON, more: str = "") -> None:
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nx-amzn-RequestId: {uuid.uuid4()}\r\n{more}\r\n"
        )
        self._transport.write(head.encode() + body)


def _chunk(octets: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(octets), octets)


def _xml_error(code: str, text: str) -> bytes:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{text}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()


async def serve(state: State, *, ready: Callable[[str], None], ended: asyncio.Event) -> None:
    """Serve on any free port of the loopback until `ended`; `ready` is told the address."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", 0)
    ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await ended.wait()
    # Not `async with`: since Python 3.12 that waits for every client to hang up, and clients keep their connections.
    server.close()
