"""Edits: the documents that cure a finding, as JSON to paste in place of what the role has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.onboarding.documents import marketplace_policy, permissions_policy
from chalicelib.onboarding.documents import trust_policy as documented_trust_policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.connection import Connection


@dataclass(frozen=True, slots=True)
class Edit:
    """A whole policy: `document` is the file that it replaces, `title` says where it goes."""

    document: str
    title: str
    json: Mapping[str, Any]


def trust_policy(connection: Connection, service_role: RoleArn) -> Edit:
    """Return the trust policy that lets us in with the IDs of now, and nobody else."""
    return Edit(
        "trust-policy.json",
        "Replace the role's trust policy by this one (IAM console: the role, Trust relationships, Edit).",
        documented_trust_policy(service_role, connection.accepted_ids),
    )


def permissions(connection: Connection) -> Edit:
    """Return the permissions policy of the connection."""
    return Edit(
        "permissions-policy.json",
        "Replace the role's Rolecall policy by this one, or add it (IAM console: the role, Permissions).",
        permissions_policy(connection),
    )


def for_refusal(connection: Connection, code: str) -> tuple[Edit, ...]:
    """Return what cures a refusal of Bedrock's, by our code for it; nothing where no document of ours does."""
    if code == "role_permission_denied":
        return (permissions(connection),)
    return (marketplace(),) if code == "model_subscription_required" else ()


def marketplace() -> Edit:
    """Return what an administrator needs, once, to subscribe the account to a model."""
    return Edit(
        "marketplace-policy.json",
        "Attach this for once to the administrator who subscribes to the model, not to the role.",
        marketplace_policy(),
    )
