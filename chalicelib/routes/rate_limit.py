"""How many requests to models a tenant may make, so that one tenant's loop does not take the service from the others.

A chat holds an invocation of Lambda for as long as the model answers, and all tenants share the function's concurrency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.onboarding.limits import MINUTE, Closed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.onboarding.limits import Limits
    from chalicelib.routes.auth import Caller

COUNTED: Final = frozenset({"models:invoke", "completions:invoke"})
"""Scopes of the routes that are counted."""


class RateLimit:
    """Counts in the service's table, where the operator has set a limit; one that is full is remembered here."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime], most: int | None) -> None:
        """`most` is for a minute and tenant; None for no limit."""
        self._limits = limits
        self._closed = Closed(clock)
        self._most = most

    def admit(self, caller: Caller, scope: str) -> None:
        """Count a request to a route of this scope. Raises `tenant_rate_limited`."""
        if self._most is None or scope not in COUNTED:
            return
        seconds = self._closed.seconds(caller.tenant)
        if seconds is None:
            seconds = self._limits.take(caller.tenant, "MODEL-REQUESTS", self._most, MINUTE)
            if seconds is None:
                return
            self._closed.close(caller.tenant, seconds)
        raise ServiceError(
            "tenant_rate_limited",
            f"This organization may make {self._most} requests to models in a minute, and has made them.",
            fix="Wait as long as Retry-After says, and send fewer at once.",
            whose_fix="customer",
            retry_after=seconds,
        )
