"""The wizard's files without what only readers of the repository need: comments, indentation, spaces around signs.

There is no build step, and nothing is renamed or moved: token for token, what a browser gets is what stands in
`chalicelib/web/`, but for semicolons that CSS does not need. A test holds this of the modules, and what it rests on: no
text of the files spans lines, and comments stand on lines of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_COMMENTS: Final[Mapping[str, tuple[str, ...]]] = {".js": ("//", "/**", "* ", "*/"), ".css": ("/*",)}
TEXT: Final = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_SIGNS: Final = re.compile(r" ?(=>|[=!]==?|&&|\|\||\?\?=?|[{}(),;:?=<>+]) ?")
# After and before these a line's end means nothing to JavaScript; elsewhere it may stand for a semicolon.
_OPEN_ENDS: Final = re.compile(r"(?<=[,;{(\[])\n|\n(?=[})\]])")
# The last semicolon of a block may be left out (CSS syntax, 5.4.4).
_CSS: Final = re.compile(r";?\s*(})\s*|\s*([{;])\s*|(?<=[\w-])(:) |(,) ")


def lean(path: Path) -> str:
    """Return a file as it is served."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    kept = [line for line in lines if line and not line.startswith(_COMMENTS.get(path.suffix, ()))]
    if path.suffix == ".js":
        kept = list(map(_tight, kept))
    text = "\n".join(kept) + "\n"
    if path.suffix == ".css":
        return _CSS.sub(r"\1\2\3\4", text)
    return _OPEN_ENDS.sub("", text) if path.suffix == ".js" else text


def _tight(line: str) -> str:
    """Return a line without the spaces around its signs; those within texts stay."""
    between = TEXT.sub("", line)
    if "/" in between or "\\" in between or line.count("`") > 2:
        # A pattern, or a text within a text: left as it is, rather than parsed.
        return line
    parts: list[str] = []
    at = 0
    for text in TEXT.finditer(line):
        parts += (_SIGNS.sub(r"\1", line[at : text.start()]), text[0])
        at = text.end()
    return "".join((*parts, _SIGNS.sub(r"\1", line[at:])))
