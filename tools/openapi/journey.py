"""The journey that the examples are recorded from: administrator, customer and app against the sandbox."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import jwt
import urllib3

from chalicelib.routes import create_app
from chalicelib.services import Services
from sandbox.gateway import LocalGateway
from sandbox.world import REGION
from tools.openapi.examples import Examples, Recorded, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import World

_STREAM: Final = {"Accept": "text/event-stream"}
_ROWS: Final = 3
_LONGEST: Final = 600
_NOVA: Final = "bedrock/amazon.nova-lite-v1:0"
_CLAUDE: Final = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_TITAN: Final = "bedrock/amazon.titan-embed-text-v2:0"


def play(world: World) -> Examples:
    """Play the journey on a sandbox, for a tenant of its own, and return what was answered."""
    tenant = f"examples-{uuid.uuid4()}"
    token = world.issuer.token(tenant)
    clock = _Clock(token)
    services = Services(
        world.settings, session=world.accounts.service_session(world.aws.url, REGION), clock=clock, sleep=clock.sleep
    )
    gateway = LocalGateway(create_app(services))
    gateway.start()
    try:
        journey = _Journey(world, gateway.url, clock, tenant, token)
        journey.of_the_administrator()
        journey.of_the_app()
        journey.of_the_operator()
        journey.of_other_doors()
        journey.of_keys()
        journey.to_the_end()
        journey.of_mistakes()
        return settled(journey.recorded, clock.began, {tenant: "acme", "127.0.0.1": "203.0.113.7"}, _shortened)
    finally:
        gateway.stop()


class _Clock:
    """Stands still within a request: the same journey has the same times."""

    def __init__(self, token: str) -> None:
        # The token tells when its time is over, so the examples begin when it was made; a second one is made later.
        claims = jwt.decode(token, options={"verify_signature": False})
        self.began = datetime.fromtimestamp(claims["iat"], UTC)
        self._now = self.began

    def __call__(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now += timedelta(seconds=seconds)


class _Journey:
    def __init__(self, world: World, url: str, clock: _Clock, tenant: str, token: str) -> None:
        self.recorded: list[Recorded] = []
        self._world = world
        self._url = url
        self._clock = clock
        self._tenant = tenant
        self._token = token
        self._http = urllib3.PoolManager(retries=False)
        self._account = world.accounts.customer.account
        self._iam: Any = world.accounts.customer.session(REGION).client("iam", endpoint_url=world.aws.url)
        self._path = ""
        self._role = ""

    def of_the_administrator(self) -> None:
        """Create, verify, look at everything."""
        self._call("get_health", "GET /health", "It is up")
        self._call("get_setup", "GET /v1/setup", "What customers are asked for")
        body = {"name": "Acme production", "region": REGION, "account_id": self._account}
        guardrail = {"identifier": "gr8acme1prod", "version": "2"}
        scoped = {"name": "Acme chat", "region": REGION, "models": ["amazon.nova-lite-v1:0"], "guardrail": guardrail}
        create = "POST /v1/connections"
        connection = self._call("create_connection", create, "For the whole of Bedrock", body)
        self._path = f"/v1/connections/{connection['id']}"
        self._role = connection["expected_role_arn"]
        self._call("list_connections", "GET /v1/connections?limit=2", "A page")
        self._call("get_connection", f"GET {self._path}", "Not verified yet")
        self._call("create_connection", create, "For one model, with a guardrail", scoped)
        documents = self._call("get_documents", f"GET {self._path}/documents", "All documents")
        for file in documents["files"]:
            self._call("get_document", f"GET {self._path}/documents/{file}", file)
        trust = documents["trust_policy"]
        [statement] = trust["Statement"]
        careless = {**trust, "Statement": [{name: statement[name] for name in statement if name != "Condition"}]}
        self._call(
            "lint_trust_policy",
            f"POST {self._path}/trust-policy",
            "A policy without its condition",
            {"trust_policy": careless},
        )
        self._create_role(careless, documents["permissions_policy"])
        verification, body = f"POST {self._path}/verification", {"role_arn": self._role}
        self._call("verify_connection", verification, "A role that lets strangers in", body)
        self._iam.update_assume_role_policy(RoleName=self._role_name, PolicyDocument=json.dumps(trust))
        self._call("verify_connection", verification, "A role as it must be", body)
        self._call("verify_connection", verification, "The same, as events", body, headers=_STREAM)
        self._call("get_report", f"GET {self._path}/verification", "The last report")
        change = {"name": "Acme production, Europe and America"}
        version = self._call("", f"GET {self._path}", "")["version"]
        self._call(
            "change_connection", f"PATCH {self._path}", "Another name", change, headers={"If-Match": f'"{version}"'}
        )
        self._call("list_availability", f"GET {self._path}/models", "Each model")

    def of_the_app(self) -> None:
        """List the models, chat."""
        self._call("list_models", "GET /v1/models", "The models of the connection")
        claude = {"anthropic-version": "2023-06-01"}
        self._call("list_models", "GET /v1/models?limit=3", "For Anthropic's clients", headers=claude)
        self._call("get_model", "GET /v1/models/amazon.nova-lite-v1:0", "By its bare id")
        self._call("get_model_of_two_parts", f"GET /v1/models/{_NOVA}", "With its provider")
        question = {"role": "user", "content": "Say something about orchards."}
        chat = "POST /v1/chat/completions"
        body: dict[str, Any] = {"model": _NOVA, "messages": [question], "max_tokens": 60}
        self._call("create_chat_completion", chat, "A question", body)
        weather = {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather of a place.",
                "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
            },
        }
        self._call("create_chat_completion", chat, "With a tool on offer", {**body, "tools": [weather]})
        streamed = {**body, "max_tokens": 12, "stream": True, "stream_options": {"include_usage": True}}
        self._call("create_chat_completion", chat, "As a stream", streamed)

    def of_the_operator(self) -> None:
        """Look at what a chat becomes."""
        material = {"context": [{"name": "orchard.txt", "text": "Apples, pears and plums."}]}
        chat = {"model": _NOVA, "messages": [{"role": "user", "content": "What grows there?"}], "rolecall": material}
        self._call("assemble_chat", "POST /v1/chat/completions/assembled", "With material", chat)
        gap = {"prompt": "def add(a, b):\n    ", "suffix": "\n", "max_tokens": 24}
        self._call("create_completion", "POST /v1/completions", "A gap in a function", gap)
        self._call("create_completion", "POST /v1/completions", "As a stream", {**gap, "max_tokens": 8, "stream": True})

    def of_other_doors(self) -> None:
        """Ask Claude in Anthropic's words, and make vectors."""
        question = {"role": "user", "content": "Say something about orchards."}
        body: dict[str, Any] = {"model": _CLAUDE, "max_tokens": 60, "messages": [question]}
        self._call("create_message", "POST /v1/messages", "A question", body)
        self._call("create_message", "POST /v1/messages", "As a stream", {**body, "max_tokens": 12, "stream": True})
        counted = {"model": _CLAUDE, "messages": [question]}
        self._call("count_message_tokens", "POST /v1/messages/count_tokens", "A question", counted)
        texts = {"model": _TITAN, "input": ["An orchard", "A harbour"], "dimensions": 256}
        self._call("create_embeddings", "POST /v1/embeddings", "Two texts", texts)

    def of_keys(self) -> None:
        """Verify keys, and use one."""
        openai = self._world.providers.openai
        verify = "POST /v1/keys/verify"
        shown = {"provider": "openai", "key": "sk-proj-..."}
        for summary, key in (
            ("A good key", openai.key),
            ("A key that the provider does not take", "sk-proj-nobodys"),
            ("An account without credit", openai.key_for("no-credit")),
        ):
            self._call("verify_key", verify, summary, {"provider": "openai", "key": key}, shown=shown)

    def to_the_end(self) -> None:
        """Rotate, delete, prove."""
        self._call("start_rotation", f"POST {self._path}/rotation", "Two external IDs")
        self._call("cancel_rotation", f"DELETE {self._path}/rotation", "The old one alone")
        self._call("list_events", f"GET {self._path}/events?limit=2", "The newest")
        self._call("delete_connection", f"DELETE {self._path}", "Revoked")
        self._call("prove_removal", f"POST {self._path}/removal", "The role is still there")
        for policy in self._iam.list_role_policies(RoleName=self._role_name)["PolicyNames"]:
            self._iam.delete_role_policy(RoleName=self._role_name, PolicyName=policy)
        self._iam.delete_role(RoleName=self._role_name)
        self._call("prove_removal", f"POST {self._path}/removal", "It is gone")

    def of_mistakes(self) -> None:
        """Make the mistakes that callers make most."""
        create, good = "POST /v1/connections", {"name": "Acme", "region": REGION}
        pending = self._call("", create, "", {**good, "account_id": self._account})
        path = f"/v1/connections/{pending['id']}"
        chat = {"model": _NOVA, "messages": [{"role": "user", "content": "Hello"}]}
        for route, body, headers in (
            (create, {**good, "region": "us-esat-1"}, {}),
            (create, {**good, "colour": "red"}, {}),
            (create, {**good, "external_id": "mine"}, {}),
            (create, {"name": "Acme"}, {}),
            (create, {**good, "name": 7}, {}),
            (create, {**good, "account_id": "4444"}, {}),
            ("GET /v1/connections/conn-aaaaaaaaaaaaaaaaaaaa", None, {}),
            ("GET /v1/connections?cursor=x", None, {}),
            ("GET /v1/connections?limit=0", None, {}),
            (f"GET {path}/documents/trust.json", None, {}),
            (f"GET {path}/verification", None, {}),
            (f"PATCH {path}", {"name": "x"}, {}),
            (f"PATCH {path}", {"name": "x"}, {"If-Match": '"7"'}),
            (f"POST {path}/rotation", None, {}),
            (f"DELETE {path}/rotation", None, {}),
            (f"POST {path}/removal", None, {}),
            (f"POST {path}/verification", {"role_arn": "arn:aws:iam::444455556666:user/ann"}, {}),
            (f"POST {path}/verification", {"role_arn": "arn:aws:iam::777788889999:role/Other"}, {}),
            (f"POST {path}/verification", {"role_arn": str(self._world.accounts.service_role)}, {}),
            (f"POST {self._path}/verification", {"role_arn": self._role}, {}),
            ("POST /v1/chat/completions", chat, {}),
            ("POST /v1/chat/completions", chat, {"Rolecall-Connection": pending["id"]}),
            ("GET /v1/models", None, {"Rolecall-Provider-Key": "sk-proj-x"}),
            ("GET /v1/models", None, {"Rolecall-Provider": "openai", "Rolecall-Provider-Key": "sk-proj-nobodys"}),
            ("GET /v1/models", None, {"Rolecall-Provider": "mistral", "Rolecall-Provider-Key": "x"}),
            ("GET /v1/models", None, {"Authorization": "Bearer x"}),
            ("GET /v1/setup", None, {"Authorization": f"Bearer {self._poor_token()}"}),
            ("GET /v1/nothing", None, {}),
        ):
            self._call("", route, "", body, headers=headers)

    def _poor_token(self) -> str:
        return self._world.issuer.token(self._tenant, scopes="models:invoke")

    @property
    def _role_name(self) -> str:
        return self._role.rpartition("/")[2]

    def _create_role(self, trust_policy: object, permissions_policy: object) -> None:
        self._iam.create_role(RoleName=self._role_name, AssumeRolePolicyDocument=json.dumps(trust_policy))
        self._iam.put_role_policy(
            RoleName=self._role_name, PolicyName="Rolecall", PolicyDocument=json.dumps(permissions_policy)
        )

    def _call(
        self,
        operation: str,
        route: str,
        summary: str,
        body: object | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        shown: object | None = None,
    ) -> Any:
        """Make a request, record it, and return the answer; `shown` stands in the record for a body with a secret.

        A call for an operation must succeed, a call for none is recorded only when it is refused.
        """
        self._clock.sleep(60)
        method, path = route.split(" ")
        answer = self._http.request(
            method,
            self._url + path,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **(headers or {})},
        )
        text = answer.data.decode()
        media_type = answer.headers["Content-Type"].partition(";")[0]
        if operation and answer.status >= 400:
            raise AssertionError(f"{route}: {answer.status} {text}")
        content = json.loads(text) if media_type == "application/json" else text
        self.recorded.append(
            Recorded(operation, _name(summary), summary, shown or body, answer.status, media_type, content)
        )
        return content


def _name(summary: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in summary.lower()).split())


def _shortened(value: object) -> Any:
    """Return an answer with long lists and texts cut: an example is to be read. Streams are left whole."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_shortened(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {name: _cut(name, entry) for name, entry in value.items()}


def _cut(name: str, value: object) -> Any:
    if name in {"data", "models", "regions", "permissions"} and isinstance(value, list):
        return [_shortened(entry) for entry in value[:_ROWS]]
    if name == "files" and isinstance(value, dict):
        return {file: text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..." for file, text in value.items()}
    if name == "embedding" and isinstance(value, list):
        return value[:_ROWS]
    return _shortened(value)
