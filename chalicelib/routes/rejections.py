"""How many keys of a tenant's requests may be rejected: whoever has stolen keys would like to know which of them work.

`POST /v1/keys/verify` counts every check. A chat with a key tells as much, and can't be counted before each call at the
price of a write; so rejections are counted, and once there were too many no key of that tenant is tried for a while.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.onboarding.limits import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.onboarding.limits import Limits

REJECTIONS_A_MINUTE: Final = 30
REJECTIONS_A_DAY: Final = 500
_CAPACITY: Final = 1000


class RejectedKeys:
    """Counts in the service's table, and remembers in this process who is not let in: another learns it by one more."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._until: OrderedDict[str, datetime] = OrderedDict()

    def admit(self, tenant: str) -> None:
        """Raise `too_many_key_checks` while no key of this tenant is to be tried."""
        until = self._until.get(tenant)
        now = self._clock()
        if until is not None and now < until:
            raise ServiceError(
                "too_many_key_checks",
                "Too many keys in this tenant's requests were rejected lately; none is tried for now.",
                fix="Wait, and send a key that POST /v1/keys/verify calls valid.",
                retry_after=max(1, int((until - now).total_seconds())),
            )

    def count(self, tenant: str) -> None:
        """Count a rejected key."""
        for what, most, period in (
            ("REJECTED-MINUTE", REJECTIONS_A_MINUTE, MINUTE),
            ("REJECTED-DAY", REJECTIONS_A_DAY, DAY),
        ):
            wait = self._limits.take(tenant, what, most, period)
            if wait is not None:
                with self._lock:
                    self._until[tenant] = self._clock() + timedelta(seconds=wait)
                    self._until.move_to_end(tenant)
                    if len(self._until) > _CAPACITY:
                        self._until.popitem(last=False)
