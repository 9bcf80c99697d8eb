"""The stub from outside: its process, what it was called for, and raw boto3 on it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
import botocore.session
import urllib3
from botocore.config import Config

if TYPE_CHECKING:
    from types import TracebackType

REGION: Final = "us-east-1"
TABLE: Final = "rolecall-bench"
CUSTOMER: Final = "444455556666"
CHAT_MODEL: Final = "bench.chat-v1:0"
QUESTION: Final = "When does the contract with the supplier end, and what happens then? " * 14
"""About 1 KB."""
MOST_TOKENS: Final = 400


@dataclass(frozen=True, slots=True)
class Address:
    """Where the stub is, and the key that it takes from the service."""

    url: str
    access_key_id: str
    secret_access_key: str = "bench"  # noqa: S105  the stub looks at the key and the token

    def session(self) -> boto3.Session:
        """Return a boto3 session of the service's own account."""
        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=REGION,
        )

    def service_session(self) -> botocore.session.Session:
        """Return the same account's session as the service takes it."""
        session = botocore.session.get_session()
        session.set_credentials(self.access_key_id, self.secret_access_key)
        return session

    def fields(self) -> dict[str, str]:
        """Return what another process makes the same address of."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Calls:
    """What the stub was called for: how often each operation, and how many AssumeRole for one role at a time."""

    counts: dict[str, int]
    most_assuming_at_once: int


class Stub:
    """The stub in its own process, as a context manager."""

    address: Address

    def __enter__(self) -> Self:
        """Start it."""
        with ExitStack() as stack:
            program = [sys.executable, "-m", "bench.stub"]
            root = Path(__file__).parent.parent
            self._process = subprocess.Popen(
                program, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.enter_context(self._process)
            stack.callback(self._process.communicate)
            assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
            self.address = Address(**json.loads(self._process.stdout.readline()))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: it serves for as long as its input is open."""
        self._stack.close()

    def calls(self, *, forget: bool = False) -> Calls:
        """Return the calls so far, or with `forget` begin to count anew."""
        answer = urllib3.request(
            "DELETE" if forget else "GET", f"{self.address.url}/_bench/calls", retries=False
        ).json()
        return Calls(answer["calls"], answer["most_assuming_at_once"])


def role_arn(name: str) -> str:
    """Return the ARN of a customer's role; `bench.stub.state` says what its name means."""
    return f"arn:aws:iam::{CUSTOMER}:role/{name}"


class RawBoto3:
    """AWS's SDK as its guide shows it: AssumeRole once, one client kept, shared by threads."""

    def __init__(self, address: Address) -> None:
        self._config = Config(max_pool_connections=32)
        self._url = address.url
        sts = address.session().client("sts", endpoint_url=address.url)
        given = sts.assume_role(
            RoleArn=role_arn("Plain-boto3"),
            RoleSessionName="bench",
            ExternalId="bench",
            Policy="{}",
            DurationSeconds=3600,
        )["Credentials"]
        self._session = boto3.Session(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=REGION
        )
        self.runtime = self._client("bedrock-runtime")
        self._bedrock = self._client("bedrock")

    def another_client(self) -> Any:
        """Return one more client, used once: what each role of many would need."""
        made = self._client("bedrock-runtime")
        made.converse(**_question(CHAT_MODEL))
        return made

    def _client(self, service: Any) -> Any:
        return self._session.client(service, endpoint_url=self._url, config=self._config)

    def chat(self) -> None:
        """Ask a question and read its answer."""
        answer = self.runtime.converse(**_question(CHAT_MODEL))
        if answer["stopReason"] != "end_turn":
            raise AssertionError(answer)

    def events(self, model: str) -> Any:
        """Return the events of a stream."""
        return self.runtime.converse_stream(**_question(model))["stream"]

    def list_models(self) -> None:
        """List what can be called: models, and profiles of both kinds, as the catalog asks."""
        found = len(self._bedrock.list_foundation_models()["modelSummaries"])
        for kind in ("SYSTEM_DEFINED", "APPLICATION"):
            answer = self._bedrock.list_inference_profiles(typeEquals=kind, maxResults=1000)
            found += len(answer["inferenceProfileSummaries"])
        if not found:
            raise AssertionError("no models")


def _question(model: str) -> dict[str, Any]:
    return {
        "modelId": model,
        "messages": [{"role": "user", "content": [{"text": QUESTION}]}],
        "inferenceConfig": {"maxTokens": MOST_TOKENS},
    }
