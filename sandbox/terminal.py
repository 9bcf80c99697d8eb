"""What the demo writes to a terminal: colors where there are some, plain text where not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_RESET: Final = "\x1b[0m"


class Terminal:
    """Writes titles, checks and blocks. Colors follow https://no-color.org and are left out when output is a file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colors = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        encoding = (out.encoding or "ascii").lower().replace("-", "")
        self._tick, self._cross, self._skip = ("✓", "✗", "-") if encoding == "utf8" else ("ok", "!!", "--")

    def heading(self, text: str) -> None:
        """Write the program's first line."""
        self._write(self._paint("1", text))

    def title(self, number: str, text: str) -> None:
        """Write the title of a step."""
        self._write(f"\n{self._paint('1;36', f'{number}. {text}')}")

    def line(self, text: str) -> None:
        """Write a line of a step."""
        self._write("   " + text if not text.startswith("\n") else text)

    def field(self, name: str, value: str) -> None:
        """Write a name and its value."""
        self._write(f"   {name + ':':<13}{self._paint('1', value)}")

    def block(self, text: str) -> None:
        """Write lines that belong together, set in."""
        for line in text.splitlines():
            self._write("     " + line)

    def check(self, title: str, *, outcome: str, expected: str) -> None:
        """Write a check of a verification: a tick when its outcome is the one that it must have."""
        if outcome == "skipped":
            self._write(f"   {self._paint('2', f'{self._skip} {title} (not run)')}")
        elif outcome == expected:
            self._write(f"   {self.good(self._tick)} {title}")
        else:
            self._write(f"   {self.bad(self._cross)} {title}: {self.bad(_seen(outcome, expected))}")

    def good(self, text: str) -> str:
        """Return the text in the color of what went well."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """Return the text in the color of what went wrong."""
        return self._paint("31", text)

    def dim(self, text: str) -> str:
        """Return the text as something beside the point."""
        return self._paint("2", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self._colors else text

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


def _seen(outcome: str, expected: str) -> str:
    if outcome == "passed" and expected == "refused":
        return "it let us in"
    return {"refused": "AWS refused", "inconclusive": "no clear answer"}[outcome]
