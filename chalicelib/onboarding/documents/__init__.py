"""What customers get to create their role, and the session policy that binds every use of it.

Pure: the same connection gives the same bytes. What the documents say stands in `policies/`, and why, in its README.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from chalicelib.identifiers import RoleArn
from chalicelib.onboarding.documents import templates
from chalicelib.onboarding.documents.scope import WIDTHS, Scope, Width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.identifiers import ExternalId
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.documents.templates import Json

PERMISSIONS_LIMIT: Final = 6144
"""Characters of a managed policy (IAM quotas; spaces do not count): what customers make when they paste it by hand."""
SESSION_LIMIT: Final = 1800
"""STS takes 2,048 characters of session policy, and packs them with what else a session has."""
_TWELVE_DIGITS: Final = "0" * 12

REASONS: Final = {
    "InvokeModels": "Call the models of the connection, whole or streamed. Converse asks for the same two actions.",
    "InvokeModelsBehindSystemProfiles": (
        "AWS's inference profiles lead to a model in several regions, and AWS asks for the model in each of them; it"
        " is allowed through the connection's profiles alone."
    ),
    "InvokeModelsBehindApplicationProfiles": (
        "Your own inference profiles do not tell which model is behind them; models are allowed through the"
        " connection's profiles alone."
    ),
    "CountTokens": "Count the tokens of a question before it is sent. It is free and gives no model's answer.",
    "ListModels": "Show which models there are, and why one can't be called yet. AWS has no narrower resource for it.",
    "ReadInferenceProfiles": "Learn which models and regions an inference profile leads to.",
    "ApplyGuardrail": "Apply the guardrail of the connection to its calls. Left out when the connection has none.",
}
"""Why each statement of permissions-policy.json is there, by its Sid."""


@dataclass(frozen=True, slots=True)
class RequestedPermission:
    """One statement that customers are asked for, and why."""

    sid: str
    actions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Documents:
    """All that a customer needs. `files` has the text of each document by its file's name."""

    external_id: str
    trust_policy: dict[str, Json]
    permissions_policy: dict[str, Json]
    files: dict[str, str]


def documents(connection: Connection, service_role: RoleArn, external_ids: Sequence[ExternalId]) -> Documents:
    """Return the documents of a connection for the role that this service runs as.

    `external_ids` is one, or two while the ID is being replaced. What the customer calls the connection is in none of
    them.
    """
    scope = Scope.of(connection, routed=True)
    trust = trust_policy(service_role, external_ids)
    permissions = permissions_policy(connection)
    deployable: dict[str, Json] = {
        "role_name": connection.id.role_name,
        "expected_account_id": connection.account_id or "*",
        "trust_policy": trust,
        # A template is told the account that it is deployed in, so that `*` is not needed there.
        "permissions_policy": _permissions(scope, connection.account_id or templates.CALLERS_ACCOUNT),
        "service_account_id": service_role.account_id,
        "service_role_arn": str(service_role),
        "external_ids": ",".join(map(str, external_ids)),
    }
    files = {
        "trust-policy.json": templates.pretty(trust) + "\n",
        "permissions-policy.json": templates.pretty(permissions) + "\n",
        "customer-role.cfn.yaml": templates.file("customer-role.cfn.yaml", deployable, templates.cloudformation),
        "customer-role.tf": templates.file("customer-role.tf", deployable, templates.terraform),
        "create-role.sh": templates.file(
            "create-role.sh", deployable | {"permissions_policy": permissions}, templates.shell
        ),
    }
    return Documents(str(connection.external_id), trust, permissions, files)


def trust_policy(service_role: RoleArn, external_ids: Sequence[ExternalId]) -> dict[str, Json]:
    """Return the trust policy: our role alone, and only with one of these external IDs.

    The principal is our account and a condition names our role. IAM stores a role that is a principal by its unique
    ID, so a recreated role would be refused by every customer at once.
    """
    return templates.policy(
        "trust-policy.json",
        {
            "partition": service_role.partition,
            "service_account_id": service_role.account_id,
            "service_role_arn": str(service_role),
            "external_ids": [str(external_id) for external_id in external_ids],
        },
    )


def permissions_policy(connection: Connection) -> dict[str, Json]:
    """Return what the role may do: Bedrock's models of the model scope, and at most 6,144 characters of it.

    A scope too long for that is widened to families of models, by no more than it must. Any account's profiles are
    named while the customer's account is unknown; a role reaches its own account's alone. Once the connection was
    verified, the models behind its profiles are allowed in the regions that these lead to, and no others.
    """
    return _permissions(Scope.of(connection, routed=True), connection.account_id or "*")


def session_policy(connection: Connection) -> str:
    """Return, as compact JSON of at most 1,800 characters, what a session may do whatever the role may do.

    It is narrowed to the model scope as far as that fits.
    """
    return _session(Scope.of(connection, routed=False))


def marketplace_policy() -> dict[str, Json]:
    """Return what an administrator needs, once, to subscribe an account to a model. No role of ours has it."""
    return templates.policy("marketplace-policy.json", {})


def excess_policy() -> str:
    """Return the session policy of the probe for rights beyond Bedrock: one call that tells nothing of the account.

    DescribeLimits answers the account's quotas, which are not read; whether it answers is what is asked.
    """
    return '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:DescribeLimits","Resource":"*"}]}'


def deny_everything_policy() -> str:
    """Return the session policy of a session that nobody should get."""
    return '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


def expected_role_arn(connection: Connection, partition: str) -> RoleArn | None:
    """Return the ARN that the documents give the role, or None while the customer's account is unknown."""
    if connection.account_id is None:
        return None
    return RoleArn(partition, connection.account_id, "/", connection.id.role_name)


def requested_permissions() -> tuple[RequestedPermission, ...]:
    """Return every statement that permissions policies may hold, with the reason for it."""
    return tuple(
        RequestedPermission(sid, actions, REASONS[sid]) for sid, actions in templates.actions("permissions-policy.json")
    )


def _permissions(scope: Scope, account: str) -> dict[str, Json]:
    width = _width("permissions-policy.json", scope, PERMISSIONS_LIMIT)
    return templates.policy("permissions-policy.json", scope.values(account, width))


@lru_cache(maxsize=256)
def _session(scope: Scope) -> str:
    # Every model call asks for it, and making a long one takes milliseconds.
    width = _width("session-policy.json", scope, SESSION_LIMIT)
    return templates.compact(templates.policy("session-policy.json", scope.values(scope.account_id or "*", width)))


def _width(name: str, scope: Scope, limit: int) -> Width:
    """Return the narrowest width at which the policy fits, so that all forms of a document have the same one."""
    for width in WIDTHS:
        policy = templates.policy(name, scope.values(scope.account_id or _TWELVE_DIGITS, width))
        if len(templates.compact(policy)) <= limit:
            return width
    return WIDTHS[-1]
