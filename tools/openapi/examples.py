"""Examples: answers of the sandbox, with whatever differs from run to run replaced by fixed values."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError
from chalicelib.routes.codes import CODES
from chalicelib.routes.manners import anthropic_envelope
from tools.openapi.advice import WHAT_TO_DO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Json = dict[str, Any]


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()


def _uuid(digest: bytes) -> str:
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


DAY: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When the examples happen."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
_MADE: Final = {
    # Ids by their form; each gets another of the same form, by the order in which they appear.
    re.compile(r"(?:(?<=conn-)|(?<=RolecallAccess-))[a-z2-7]{20}"): lambda digest: _base32(digest)[:20],
    re.compile(r"rolecall-[a-z2-7]{32}"): lambda digest: "rolecall-" + _base32(digest)[:32],
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"): _uuid,
}
_NUMBERS: Final = {"created": int(DAY.timestamp()), "duration_ms": 1840}
_FIXED_CREATED: Final = "1700000000"


@dataclass(frozen=True)
class Recorded:
    """One request and its answer."""

    operation: str
    name: str
    summary: str
    body: Any
    status: int
    media_type: str
    answer: Any


@dataclass
class Examples:
    """What was recorded, by operation."""

    recorded: list[Recorded] = field(default_factory=list)

    def of_bodies(self, operation: str) -> Json:
        """Return OpenAPI's `examples` of a request's body; nothing where there are none."""
        return _examples(
            (one.name, one.summary, one.body)
            for one in self.recorded
            if one.operation == operation and one.body is not None and one.status < 400
        )

    def of_answers(self, operation: str, media_type: str) -> Json:
        """Return OpenAPI's `examples` of an answer."""
        return _examples(
            (one.name, one.summary, one.answer)
            for one in self.recorded
            if one.operation == operation and one.media_type == media_type and one.status < 400
        )

    def of_error(self, code: str) -> Json:
        """Return an example of an error: one that was recorded, else one made of the tables."""
        row = CODES[code]
        made = {
            "error": {
                "message": row.meaning,
                "type": row.type,
                "code": code,
                "param": None,
                "request_id": _uuid(hashlib.sha256(code.encode()).digest()),
                "fix": WHAT_TO_DO[code],
            }
        }
        played = (
            one.answer for one in self.recorded if one.status == row.status and one.answer["error"]["code"] == code
        )
        return {"summary": row.meaning, "value": next(played, made)}

    def of_anthropic_error(self, code: str) -> Json:
        """Return the same as Anthropic's clients are told it."""
        shown = self.of_error(code)
        told = shown["value"]["error"]
        error = ServiceError(
            code, told["message"], param=told["param"], fix=told.get("fix"), whose_fix=told.get("whose_fix")
        )
        return {**shown, "value": anthropic_envelope(error, told["request_id"])}


def settled(
    recorded: Iterable[Recorded], began: datetime, names: Mapping[str, str], shorten: Callable[[object], object]
) -> Examples:
    """Return recordings as examples: the same on every run.

    `began` is the time that becomes `DAY`; `names` are texts with what stands in their place.
    """
    text = json.dumps([vars(one) for one in recorded], ensure_ascii=False)
    text = _TIME.sub(
        lambda found: (datetime.fromisoformat(found[0]) - began + DAY).isoformat(timespec="milliseconds"), text
    )
    for name, shown in names.items():
        text = text.replace(name, shown)
    for form, made in _MADE.items():
        text = _renamed(text, form, made)
    for name, fixed in _NUMBERS.items():
        # Within a stream, which is a text, the quotes of JSON are escaped.
        text = re.sub(rf'(\\?"{name}\\?": ?)(?!{_FIXED_CREATED})\d+', rf"\g<1>{fixed}", text)
    cursor = base64.urlsafe_b64encode(b"conn-").decode().rstrip("=")
    text = re.sub(r'("next_cursor": )"[^"]+"', rf'\1"{cursor}"', text)
    return Examples([Recorded(**{**one, "answer": shorten(one["answer"])}) for one in json.loads(text)])


def _renamed(text: str, form: re.Pattern[str], made: Callable[[bytes], str]) -> str:
    seen: dict[str, str] = {}

    def another(found: re.Match[str]) -> str:
        digest = hashlib.sha256(f"{form.pattern} {len(seen)}".encode()).digest()
        return seen.setdefault(found[0], made(digest))

    return form.sub(another, text)


def _examples(rows: Iterable[tuple[str, str, object]]) -> Json:
    found = {name: {"summary": summary, "value": value} for name, summary, value in rows}
    return {"examples": found} if found else {}
