"""Rolecall as Lambda runs it: the app's handler over the stub, called with API Gateway's events."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from bench.aws import CHAT_MODEL, CUSTOMER, MOST_TOKENS, QUESTION, REGION, TABLE, Address, role_arn
from bench.stub.state import unique_id
from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn
from chalicelib.onboarding.connection import Connection, Status
from chalicelib.onboarding.items import from_connection
from chalicelib.routes import create_app
from chalicelib.services import Services
from chalicelib.settings import Settings, TokenRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalice.app import Chalice

SERVICE_ROLE: Final = RoleArn.parse("arn:aws:iam::111122223333:role/rolecall-bench")
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a function of its invocation; a runtime that passes chunks on says `can_stream`."""

    can_stream: bool = False
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return fifteen minutes."""
        return 900_000


def settings_for(address: Address, tokens: TokenRules) -> Settings:
    """Return what an operator would set, with the stub for AWS."""
    return Settings(region=REGION, table_name=TABLE, service_role=SERVICE_ROLE, tokens=tokens, aws_endpoint=address.url)


def make_app(address: Address, tokens: TokenRules) -> Chalice:
    """Return the app as app.py makes it. Its log is written as in production, to nowhere."""
    settings = settings_for(address, tokens)
    # The log's handler keeps the stream that was standard error when it was made.
    with contextlib.redirect_stderr(_nowhere()):
        return create_app(Services(settings, session=address.service_session()))


@cache
def _nowhere() -> TextIO:
    """Return where logs go: opened once, as its handler may be asked for it until the process ends."""
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  closed when the process ends
    atexit.register(nowhere.close)
    return nowhere


class Rolecall:
    """One process's service: its caches are empty at first, as after a cold start."""

    def __init__(self, address: Address, tokens: TokenRules) -> None:
        self.app = make_app(address, tokens)

    def chat(self, event: Event) -> None:
        """Have a chat answered, whole. Raises AssertionError for anything but an answer."""
        answer = self.app(event, Context())
        if answer["statusCode"] != 200:
            raise AssertionError(answer["body"])

    def refusal(self, event: Event) -> str:
        """Have a chat refused, and return the body."""
        answer = self.app(event, Context())
        if answer["statusCode"] != 403:
            raise AssertionError(answer["body"])
        return str(answer["body"])

    def lines(self, event: Event) -> Iterator[str]:
        """Have a chat streamed, and return the lines of the answer as the runtime would pass them on."""
        answer = self.app(event, Context(can_stream=True))
        if answer["statusCode"] != 200:
            raise AssertionError(answer["body"])
        lines: Iterator[str] = answer["body"]
        return lines

    def list_models(self, event: Event) -> None:
        """Have the models listed."""
        answer = self.app(event, Context())
        if answer["statusCode"] != 200 or '"object": "model"' not in answer["body"]:
            raise AssertionError(answer["body"])


def chat_event(token: str, *, model: str = CHAT_MODEL, stream: bool = False) -> Event:
    """Return API Gateway's event of a chat of about 1 KB, as OpenAI's Python client sends it."""
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": QUESTION}],
        "model": f"bedrock/{model}",
        "max_tokens": MOST_TOKENS,
    }
    if stream:
        body["stream"] = True
    return _event("POST", "/v1/chat/completions", token, json.dumps(body))


def models_event(token: str) -> Event:
    """Return API Gateway's event of a list of models."""
    return _event("GET", "/v1/models", token, None)


def connect(address: Address, tenants: Sequence[str], *, kind: str = "Plain") -> None:
    """Store an active connection for each tenant, as a verification leaves it. The role's name says how STS behaves."""
    table = address.session().client("dynamodb", endpoint_url=address.url)
    now = datetime.now(UTC)
    for tenant in tenants:
        arn = role_arn(f"{kind}-{tenant}")
        connection = Connection(
            tenant=tenant,
            id=ConnectionId.generate(secrets.token_bytes),
            name="Bench",
            external_id=ExternalId.generate(secrets.token_bytes),
            region=REGION,
            status=Status.ACTIVE,
            version=3,
            created_at=now,
            updated_at=now,
            expires_at=None,
            account_id=CUSTOMER,
            role_arn=RoleArn.parse(arn),
            role_unique_id=unique_id(arn),
            verified_at=now,
            usable=True,
        )
        table.put_item(TableName=TABLE, Item=from_connection(connection))


def _event(method: str, path: str, token: str, body: str | None) -> Event:
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "OpenAI/Python 2.8.1",
        "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "X-Stainless-Arch": "x64",
        "X-Stainless-Async": "false",
        "X-Stainless-Lang": "python",
        "X-Stainless-OS": "Linux",
        "X-Stainless-Package-Version": "2.8.1",
        "X-Stainless-Retry-Count": "0",
        "X-Stainless-Runtime": "CPython",
        "X-Stainless-Runtime-Version": "3.13.0",
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "111122223333",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "OpenAI/Python 2.8.1"},
            "path": f"/api{path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "requestTime": "10/Mar/2026:10:00:00 +0000",
            "requestTimeEpoch": 1_773_136_800_000,
            "resourceId": "abc123",
            "resourcePath": path,
            "stage": "api",
        },
        "body": body,
        "isBase64Encoded": False,
    }
