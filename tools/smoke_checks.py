"""What only a real deployment can show: each check asks it over HTTPS and says what it saw."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOO_LARGE: Final = 10 * 1024 * 1024 + 1024
"""Octets: more than API Gateway takes, so it answers by itself."""
_ENVELOPE: Final = {"message", "type", "code", "param", "request_id"}
_MODEL: Final = "amazon.nova-lite-v1:0"


class Failed(Exception):  # noqa: N818  what it is
    """A check did not see what it must; the message says what it saw."""


class Skipped(Exception):  # noqa: N818  what it is
    """A check needs what was not given; the message says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when: seconds from the request to each piece of the body."""

    status: int
    headers: Mapping[str, str]
    text: str
    arrivals: tuple[float, ...] = ()

    def json(self) -> Any:  # any JSON document
        """Return the body. Raises `Failed` when it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise Failed(f"status {self.status}, and no JSON: {self.text[:80]!r}") from None

    def refusal(self, status: int, code: str) -> Answer:
        """Return the answer if it is this refusal in the API's envelope. Raises `Failed`."""
        body = self.json()
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict) or not set(error) >= _ENVELOPE:
            raise Failed(f"status {self.status}, not in the envelope: {self.text[:80]}")
        if (self.status, error["code"]) != (status, code):
            raise Failed(f"{self.status} {error['code']} instead of {status} {code}")
        if not error["request_id"] or str(error["request_id"]).startswith("$"):
            raise Failed("no request id in the error")
        return self

    def success(self, status: int = 200) -> Any:
        """Return the JSON of an answer that has this status. Raises `Failed`."""
        if self.status != status:
            raise Failed(f"{self.status} instead of {status}: {self.text[:120]}")
        return self.json()


@dataclass(slots=True)
class Deployment:
    """A deployment, and what was given to check it with. `made` are the connections to be deleted at the end."""

    url: str
    token: str
    origin: str = ""
    customer_account: str = ""
    connection: str = ""
    model: str = _MODEL
    made: list[str] = field(default_factory=list)
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=120))

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None, **headers: str) -> Answer:
        """Send a request; `_` in a header's name stands for `-`. `token` "" sends none."""
        sent = urllib3.HTTPHeaderDict({name.replace("_", "-"): text for name, text in headers.items()})
        bearer = self.token if token is None else token
        if bearer:
            sent.add("Authorization", f"Bearer {bearer}")
        return self.send(method, path, body, sent)

    def send(self, method: str, path: str, body: object, headers: urllib3.HTTPHeaderDict) -> Answer:
        """Send a request with exactly these headers, and note when each piece of the answer comes."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        begun = time.monotonic()
        response = self.pool.request(method, self.url + path, body=data, headers=headers, preload_content=False)
        pieces, arrivals = [], []
        while piece := response.read1(65536):
            pieces.append(piece)
            arrivals.append(time.monotonic() - begun)
        response.release_conn()
        return Answer(response.status, response.headers, b"".join(pieces).decode("utf-8", "replace"), tuple(arrivals))

    def new_connection(self) -> Any:
        """Make a connection, to be deleted at the end."""
        body: dict[str, object] = {"name": "smoke", "region": "us-east-1"}
        regions = self.ask("GET", "/v1/setup").success()["regions"]
        if body["region"] not in regions:
            body["region"] = regions[0]
        if self.customer_account:
            body["account_id"] = self.customer_account
        made = self.ask("POST", "/v1/connections", body).success(201)
        self.made.append(made["id"])
        return made

    def chosen(self) -> dict[str, str]:
        """Return the header that names the active connection. Raises `Skipped` without one."""
        if not self.connection:
            raise Skipped("needs --connection: an active one of the token's tenant")
        return {"Rolecall_Connection": self.connection}


def health(at: Deployment) -> str:
    """Check that the function answers without a token."""
    return str(at.ask("GET", "/health", token="").success()["version"])


def unknown_route(at: Deployment) -> str:
    """Check that API Gateway's own refusal of a path, with a token in the header, is our 404."""
    at.ask("GET", "/no/such/route").refusal(404, "unknown_route")
    at.ask("GET", "/no/such/route", token="").refusal(404, "unknown_route")
    return "404 unknown_route"


def unknown_method(at: Deployment) -> str:
    """Check that a method that a path has not reaches the function, which says so."""
    at.ask("PUT", "/health", token="").refusal(405, "method_not_allowed")
    return "405 method_not_allowed"


def no_token(at: Deployment) -> str:
    """Check that the function refuses who has no token."""
    at.ask("GET", "/v1/connections", token="").refusal(401, "missing_token")
    return "401 missing_token"


def two_tokens(at: Deployment) -> str:
    """Check that both of two Authorization headers reach the function."""
    headers = urllib3.HTTPHeaderDict()
    headers.add("Authorization", f"Bearer {at.token}")
    headers.add("Authorization", "Bearer another")
    at.send("GET", "/v1/connections", None, headers).refusal(400, "several_authorization_headers")
    return "400 several_authorization_headers"


def too_large(at: Deployment) -> str:
    """Check that API Gateway's own refusal of a large body is our 413."""
    at.ask("POST", "/v1/connections", b" " * TOO_LARGE).refusal(413, "body_too_large")
    return "413 body_too_large"


def cross_origin(at: Deployment) -> str:
    """Check that a browser of the allowed origin may read every kind of answer, the gateway's own included."""
    if not at.origin:
        raise Skipped("needs --origin: the value of ALLOWED_ORIGIN")
    preflight = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    answers = {
        "an answer": at.ask("GET", "/health", Origin=at.origin),
        "a preflight": at.ask("OPTIONS", "/v1/chat/completions", token="", Origin=at.origin, **preflight),
        "the function's refusal": at.ask("GET", "/v1/connections", token="", Origin=at.origin),
        "the gateway's refusal": at.ask("GET", "/no/such/route", Origin=at.origin),
    }
    for what, answer in answers.items():
        allowed = answer.headers.get("access-control-allow-origin")
        if allowed != at.origin:
            raise Failed(f"{what} allows {allowed!r}")
    return "allowed on all four kinds of answer"


def principal(at: Deployment) -> str:
    """Check that the documents name the role that the service says it runs as."""
    role = at.ask("GET", "/v1/setup").success()["principal"]["role_arn"]
    connection = at.new_connection()
    documents = at.ask("GET", f"/v1/connections/{connection['id']}/documents").success()
    if role not in json.dumps(documents["trust_policy"]):
        raise Failed(f"the trust policy does not name {role}")
    return str(role)


def real_denial(at: Deployment) -> str:
    """Ask for a role that is not there: STS itself must say AccessDenied, to our role's own sts:AssumeRole."""
    if not at.customer_account:
        raise Skipped("needs --customer-account: an account of yours that is not the service's")
    connection = at.new_connection()
    partition = at.ask("GET", "/v1/setup").success()["partition"]
    role = f"arn:{partition}:iam::{at.customer_account}:role/RolecallSmokeNoSuchRole"
    report = at.ask("POST", f"/v1/connections/{connection['id']}/verification", {"role_arn": role}).success()
    codes = [finding["code"] for finding in report["findings"]]
    if report["verdict"] != "refused" or "assume_role_denied" not in codes:
        raise Failed(f"{report['verdict']}, findings: {', '.join(codes) or 'none'}")
    return "AccessDenied from STS"


def models(at: Deployment) -> str:
    """List the catalog in the customer's account; an id comes through the path as it was sent."""
    named = at.chosen()
    listed = at.ask("GET", "/v1/models", **named).success()["data"]
    if not listed:
        raise Failed("no model")
    one = at.ask("GET", f"/v1/models/{quote(listed[0]['id'], safe='/')}", **named).success()
    if one["id"] != listed[0]["id"]:
        raise Failed(f"asked for {listed[0]['id']}, got {one['id']}")
    return f"{len(listed)} models"


def chat(at: Deployment) -> str:
    """Get a whole answer from the customer's Bedrock."""
    question = _question(at)
    begun = time.monotonic()
    answer = at.ask("POST", "/v1/chat/completions", question, **at.chosen()).success()
    if not answer["choices"][0]["message"]["content"]:
        raise Failed("an empty answer")
    return f"{time.monotonic() - begun:.1f} s"


def stream(at: Deployment) -> str:
    """Check that pieces arrive as they are made, through Lambda and API Gateway, and that the end is an end."""
    answer = at.ask("POST", "/v1/chat/completions", {**_question(at), "stream": True}, **at.chosen())
    kind = answer.headers.get("content-type", "")
    if answer.status != 200 or not kind.startswith("text/event-stream"):
        raise Failed(f"{answer.status} {kind}: {answer.text[:120]}")
    if not answer.text.endswith("data: [DONE]\n\n"):
        raise Failed(f"ended with {answer.text[-80:]!r}")
    first, last = answer.arrivals[0], answer.arrivals[-1]
    if len(answer.arrivals) < 3 or last - first < 0.02:
        raise Failed(f"all of it came at once, after {first:.2f} s: something on the way holds answers back")
    return f"first piece after {first:.2f} s, last after {last:.2f} s, {len(answer.arrivals)} pieces"


def _question(at: Deployment) -> dict[str, object]:
    text = "Count from one to sixty in words."
    return {"model": at.model, "messages": [{"role": "user", "content": text}], "max_tokens": 400}


CHECKS: Final[tuple[tuple[str, Callable[[Deployment], str]], ...]] = (
    ("the function answers", health),
    ("gateway: unknown route", unknown_route),
    ("gateway: unknown method", unknown_method),
    ("gateway: body too large", too_large),
    ("no token", no_token),
    ("two Authorization headers", two_tokens),
    ("CORS", cross_origin),
    ("principal in the documents", principal),
    ("real AssumeRole denial", real_denial),
    ("models of a customer", models),
    ("chat", chat),
    ("stream end to end", stream),
)
"""In order; each by itself, so that one run shows all that is wrong."""


def clean_up(at: Deployment) -> list[str]:
    """Delete the connections that were made; return those that could not be."""
    return [one for one in at.made if at.ask("DELETE", f"/v1/connections/{one}").status >= 300]
