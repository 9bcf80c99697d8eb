"""What can be asked of the service itself: whether it is up, and whom customers are to trust, with what and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import VERSION
from chalicelib.identifiers import partitions
from chalicelib.onboarding.documents import requested_permissions
from chalicelib.routes.exchange import Reply

if TYPE_CHECKING:
    from chalicelib.routes import shapes
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request
    from chalicelib.settings import Settings


def register(boundary: Boundary, settings: Settings) -> None:
    """Add the routes."""

    def health(_: Request) -> Reply[shapes.Health]:
        """Say that the service is up, and its version. Nothing else is looked at."""
        return Reply({"status": "ok", "version": VERSION})

    def setup(_: Request, caller: Caller) -> Reply[shapes.Setup]:
        """Say whom customers trust, with what and why, and whose the token is."""
        role = settings.service_role
        regions = next(partition.regions for partition in partitions() if partition.id == role.partition)
        return Reply(
            {
                "principal": {"account_id": role.account_id, "role_arn": str(role)},
                # What the token says of its bearer, by this service's rules: pages name it before they go on.
                "caller": {
                    "tenant": caller.tenant,
                    "subject": caller.subject,
                    "scopes": sorted(caller.scopes),
                    "expires_at": caller.expires_at.isoformat(timespec="milliseconds"),
                },
                "partition": role.partition,
                "regions": sorted(regions),
                "permissions": [
                    {"sid": permission.sid, "actions": list(permission.actions), "reason": permission.reason}
                    for permission in requested_permissions()
                ],
            }
        )

    boundary.public("GET", "/health", health)
    boundary.protected("GET", "/v1/setup", "connections:read", setup)
