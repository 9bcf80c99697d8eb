"""Compile every .py below a folder. Run by the Python that the package is for, so of the stdlib alone.

Lambda's /var/task can't be written: without .pyc files every cold start compiles everything again. They are of the
unchecked kind, as the zip's dates would make all others stale.

Our own modules keep their source beside them. Those of other packages are their bytecode alone, which makes the zip a
sixth smaller; what they were made from stands in the requirements files by its hash.
"""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path

WHERE = "/var/task/"
"""What tracebacks show as the files' place."""


OURS = ("app.py", "chalicelib/")
"""What tracebacks should quote, and who reads the package should find."""


def compile_all(root: Path) -> list[str]:
    """Compile; return the files that this Python can't compile."""
    failed = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        keeps_source = name.startswith(OURS)
        try:
            py_compile.compile(
                str(path),
                # Where Python looks for a module without its source is beside it, not in __pycache__.
                cfile=None if keeps_source else str(path.with_suffix(".pyc")),
                dfile=WHERE + name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            failed.append(name)
            continue
        if not keeps_source:
            path.unlink()
    return failed


if __name__ == "__main__":
    sys.exit("\n".join(compile_all(Path(sys.argv[1]))) or 0)
