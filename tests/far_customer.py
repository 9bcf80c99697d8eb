"""A customer and an administrator, played from outside: plain boto3 and plain HTTP."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

from tests.contract import contract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import World

_tenants = itertools.count()


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str

    @classmethod
    def sent(cls, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send one request with these headers and no other, and return what came back."""
        request = urllib.request.Request(url, data=data, method=method, headers=dict(headers))  # noqa: S310  loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  the loopback
                return cls(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return cls(error.code, dict(error.headers), error.read().decode())

    @property
    def json(self) -> Any:  # any JSON document
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        """The error of the envelope."""
        found: dict[str, Any] = self.json["error"]
        return found


@dataclass(frozen=True)
class Api:
    """Rolecall's API with one token."""

    url: str
    token: str | None
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; `raw` sends octets as they are. The answer must be one that the OpenAPI document tells."""
        answer = self._sent(method, path, body, raw, headers)
        contract().check(method, path, answer.status, answer.headers.get("Content-Type", ""), answer.text)
        return answer

    def _sent(
        self, method: str, path: str, body: object | None, raw: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        return Answer.sent(method, self.url + path, data, {**sent, **self.headers, **(headers or {})})

    def get(self, path: str) -> Answer:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str, body: object) -> Answer:
        """POST a JSON body."""
        return self.call("POST", path, body)


@dataclass(frozen=True)
class Customer:
    """The administrator of an AWS account, with plain boto3."""

    aws_url: str
    account: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str) -> Any:  # boto3 makes its clients at run time
        """Return a boto3 client with the administrator's key."""
        return boto3.client(  # type: ignore[call-overload]  # the service is a variable
            service,
            region_name="us-east-1",
            endpoint_url=self.aws_url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def create_role(self, name: str, trust_policy: object, permissions_policy: object | None) -> str:
        """Create a role with an inline policy and return its ARN; policies as objects or as text."""
        iam = self.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_text(trust_policy))["Role"]
        if permissions_policy is not None:
            iam.put_role_policy(RoleName=name, PolicyName="Rolecall", PolicyDocument=_text(permissions_policy))
        return str(role["Arn"])

    def replace_trust_policy(self, role_arn: str, trust_policy: object) -> None:
        """Put another trust policy on a role."""
        self.client("iam").update_assume_role_policy(
            RoleName=role_arn.rpartition("/")[2], PolicyDocument=_text(trust_policy)
        )


def _text(policy: object) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)


class Onboarding:
    """A tenant's connection, its documents, and the customer who makes the role of them, rightly or not."""

    def __init__(self, world: World, *, tenant: str | None = None, url: str | None = None, **more: object) -> None:
        keys = world.accounts.customer
        self.world = world
        self.tenant = tenant or f"tenant-{next(_tenants)}"
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.api = Api(url or world.gateway.url, world.issuer.token(self.tenant))
        body = {"name": "Acme", "region": "us-east-1", "account_id": keys.account, **more}
        self.connection: dict[str, Any] = self.api.post("/v1/connections", body).json
        self.path = f"/v1/connections/{self.connection['id']}"
        self.role_arn: str = self.connection["expected_role_arn"]

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def trust_policy(self) -> dict[str, Any]:
        """The trust policy of the documents."""
        return self._document("trust_policy")

    @property
    def permissions_policy(self) -> dict[str, Any]:
        """The permissions policy of the documents."""
        return self._document("permissions_policy")

    def _document(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = self.api.get(f"{self.path}/documents").json[name]
        return document

    def make_role(self, trust_policy: object | None = None, permissions_policy: object | None = None) -> None:
        """Create the role; what is not given is as the documents have it."""
        self.customer.create_role(
            self.role_name, trust_policy or self.trust_policy, permissions_policy or self.permissions_policy
        )

    def put_permissions(self, policy: object, name: str = "Rolecall") -> None:
        """Put an inline policy on the role."""
        self.customer.client("iam").put_role_policy(
            RoleName=self.role_name, PolicyName=name, PolicyDocument=_text(policy)
        )

    def replace_trust_policy(self, policy: object | None = None) -> None:
        """Put another trust policy on the role; by default that of the documents."""
        self.customer.replace_trust_policy(self.role_arn, policy or self.trust_policy)

    def paste(self, edit: Mapping[str, Any]) -> None:
        """Do with an edit of a finding what its title says."""
        if edit["document"] == "trust-policy.json":
            self.replace_trust_policy(edit["json"])
        elif edit["document"] == "permissions-policy.json":
            self.put_permissions(edit["json"])
        else:
            raise ValueError(edit["document"])

    def verify(self, role_arn: str | None = None, **more: object) -> dict[str, Any]:
        """Verify the role and return the report."""
        answer = self.api.post(f"{self.path}/verification", {"role_arn": role_arn or self.role_arn, **more})
        if answer.status != 200:
            raise AssertionError(answer.text)
        report: dict[str, Any] = answer.json
        return report

    def shown(self) -> dict[str, Any]:
        """Return the connection as the API shows it."""
        shown: dict[str, Any] = self.api.get(self.path).json
        return shown
