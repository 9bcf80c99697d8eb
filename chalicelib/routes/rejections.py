"""How many keys of a tenant's requests may be rejected: whoever has stolen keys would like to know which of them work.

`POST /v1/keys/verify` counts every check. A chat with a key tells as much, and can't be counted before each call at the
price of a write; so rejections are counted, and once there were too many no key is tried for a while: first none of the
token's subject, after four times as many none of the tenant. One program with an old key that it tries again and again
does not shut its colleagues out, and a thief with several tokens comes to an end all the same.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.onboarding.limits import DAY, MINUTE, Closed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.onboarding.limits import Limits
    from chalicelib.routes.auth import Caller

REJECTIONS_A_MINUTE: Final = 30
REJECTIONS_A_DAY: Final = 500
OF_A_TENANT: Final = 4
"""How many times as many a tenant may have as one subject of its tokens."""


class RejectedKeys:
    """Counts in the service's table, and remembers in this process who is not let in: another learns it by one more."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._limits = limits
        self._closed = Closed(clock)

    def admit(self, caller: Caller) -> None:
        """Raise `too_many_key_checks` while no key of this caller's is to be tried."""
        for who, _ in _counted(caller):
            seconds = self._closed.seconds((caller.tenant, who))
            if seconds is not None:
                whose = "requests with this token's subject" if who else "this tenant's requests"
                raise ServiceError(
                    "too_many_key_checks",
                    f"Too many keys in {whose} were rejected lately; none is tried for now.",
                    fix="Wait, and send a key that POST /v1/keys/verify calls valid.",
                    retry_after=seconds,
                )

    def count(self, caller: Caller) -> None:
        """Count a rejected key."""
        for who, times in _counted(caller):
            for what, most, period in (
                ("REJECTED-MINUTE", REJECTIONS_A_MINUTE, MINUTE),
                ("REJECTED-DAY", REJECTIONS_A_DAY, DAY),
            ):
                wait = self._limits.take(caller.tenant, f"{what}{who}", times * most, period)
                if wait is not None:
                    self._closed.close((caller.tenant, who), wait)


def _counted(caller: Caller) -> tuple[tuple[str, int], ...]:
    """Return whose rejections are counted, with how many times as many: the subject's, and all of the tenant's."""
    # Hashed: who it was is none of the table's business, and a subject may hold any sign.
    digest = hashlib.sha256(caller.subject.encode()).hexdigest()[:32]
    return (f"#{digest}", 1), ("", OF_A_TENANT)
