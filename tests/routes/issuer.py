"""Token issuers as tests need them: honest ones, forgers, and a key server that can misbehave."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chalicelib.errors import ServiceError
from chalicelib.routes.auth import Authenticator, Caller
from chalicelib.settings import TokenRules

if TYPE_CHECKING:
    from io import BufferedIOBase

NOW = 1_795_000_000
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example.com/",
    "aud": "rolecall",
    "sub": "person-1",
    "tenant": "acme",
    "scope": "connections:read models:invoke",
    "iat": NOW - 10,
    "exp": NOW + 600,
}


@lru_cache
def ec_key(name: str = "one") -> ec.EllipticCurvePrivateKey:
    """Return a P-256 key, the same for the same name."""
    return ec.generate_private_key(ec.SECP256R1()) if name else ec.generate_private_key(ec.SECP384R1())


@lru_cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return an RSA key."""
    return rsa.generate_private_key(65537, bits)


def pem(key: Any) -> str:
    """Return the public half in PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    """Return the public half as a JSON Web Key."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def token(claims: dict[str, Any] | None = None, key: Any = None, algorithm: str = "ES256", **header: Any) -> str:
    """Return a signed token; what `claims` sets to None is left out."""
    merged = {name: value for name, value in {**CLAIMS, **(claims or {})}.items() if value is not None}
    return jwt.encode(merged, key or ec_key(), algorithm=algorithm, headers=header or None)


def raw(header: dict[str, Any], claims: dict[str, Any] | str, signature: bytes = b"x") -> str:
    """Return a token of any header and payload, signed with any octets."""
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    parts = (json.dumps(header).encode(), payload.encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed(claims: dict[str, Any] | str, key: Any = None, **header: Any) -> str:
    """Return a token of any claims, signed by hand: libraries refuse to write some of those that a service may get."""
    unsigned = raw({"alg": "ES256", **header}, claims).rpartition(".")[0]
    private = key or ec_key()
    size = (private.curve.key_size + 7) // 8
    pair = decode_dss_signature(private.sign(unsigned.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(size, "big") for number in pair)
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


RULES = TokenRules("https://login.example.com/", "rolecall", public_key=pem(ec_key()), algorithms=("ES256",))


def at(seconds: float = 0) -> datetime:
    """Return the time so long after NOW."""
    return datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)


def authenticate(text: str, rules: TokenRules = RULES, seconds: float = 0) -> Caller:
    """Return the caller whom a service with these rules sees, so long after NOW."""
    return Authenticator(rules, clock=lambda: at(seconds)).authenticate([f"Bearer {text}"])


def refusal(text: str, rules: TokenRules = RULES, seconds: float = 0) -> tuple[str, str]:
    """Return code and message of the refusal, and make sure that it repeats nothing of the token."""
    with pytest.raises(ServiceError) as refused:
        authenticate(text, rules, seconds)
    error = refused.value
    told = f"{error.message} {error.fix} {error.param}"
    assert not [part for part in text.split(".") if len(part) > 10 and part[:10] in told]
    return error.code, error.message


class Clock:
    """A clock that tests move."""

    now = at()

    def __call__(self) -> datetime:
        return self.now


def ask(authenticator: Authenticator, **more: Any) -> Caller:
    """Return the caller of a good token, changed by `more`."""
    return authenticator.authenticate([f"Bearer {token(**more)}"])


def code(authenticator: Authenticator, **more: Any) -> str:
    """Return the code of the refusal of a token, changed by `more`."""
    return refused(authenticator, token(**more))


def refused(authenticator: Authenticator, text: str) -> str:
    """Return the code of the refusal of `text`; only an outage says when to come again."""
    with pytest.raises(ServiceError) as refused:
        authenticator.authenticate([f"Bearer {text}"])
    assert (refused.value.retry_after is not None) == (refused.value.code == "keys_unavailable")
    return refused.value.code


def at_once(authenticator: Authenticator, **more: Any) -> set[str]:
    """Return what twenty callers with tokens of their own get who come at the same time: a tenant or a code."""
    barrier = threading.Barrier(20)

    def answer(number: int) -> str:
        barrier.wait()
        try:
            return ask(authenticator, claims={"sub": f"person-{number}"}, **more).tenant
        except ServiceError as error:
            return error.code

    with ThreadPoolExecutor(20) as pool:
        return set(pool.map(answer, range(20)))


class KeyServer:
    """An issuer's key set over HTTP, on the loopback."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        self.keys = keys
        self.fetches = 0
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.seconds = 0.0
        self.go_on = threading.Event()
        self.go_on.set()
        self.dripping = False
        self.dripping_head = False
        self._stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetches += 1
                outer._stopping.wait(outer.seconds)
                outer.go_on.wait(60)
                if outer.dripping_head:
                    with suppress(ConnectionError):
                        outer._drip(self.wfile, b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000)
                body = json.dumps({"keys": outer.keys}).encode() if outer.body is None else outer.body
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):
                    outer._write(self.wfile, body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _write(self, file: BufferedIOBase, body: bytes) -> None:
        if self.dripping:
            self._drip(file, body)
        else:
            file.write(body)

    def _drip(self, file: BufferedIOBase, octets: bytes) -> None:
        for octet in octets:
            if self._stopping.wait(0.2):
                return
            file.write(bytes([octet]))

    def stop(self) -> None:
        """Stop it: afterwards its port refuses connections."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
