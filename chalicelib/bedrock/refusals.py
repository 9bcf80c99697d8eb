"""What the tables of AWS's refusals are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from chalicelib.errors import WhoseFix


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a failure is to us. `passing`: worth another try of ours; `retry`: worth one of the client's.

    `retry_after` is in seconds, for when AWS names none; `param` is the field of a chat that is at fault.
    """

    code: str
    whose_fix: WhoseFix
    fix: str
    retry: bool = False
    passing: bool = False
    retry_after: int | None = None
    param: str | None = None


class Row(NamedTuple):
    """Which failures mean this: any of the codes, all of the phrases, for one service or for all.

    Phrases are in small letters; `|` stands between two wordings of one.
    """

    codes: str
    phrases: tuple[str, ...]
    meaning: Meaning
    service: str = ""

    def fits(self, service: str, code: str, text: str) -> bool:
        """Whether a refusal is one of these; its text in small letters."""
        return (
            code in self.codes.split()
            and self.service in {"", service}
            and all(any(wording in text for wording in phrase.split("|")) for phrase in self.phrases)
        )


OURS: Final = "This is a fault of this service; tell its operator the request id."
ORGANIZATION: Final = Meaning(
    "scp_denied", "customer", "An organization policy denies this; ask who administers the AWS organization."
)
