"""`python -m bench`: measure, print the table, and with `--readme` put it into README.md."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import report
from bench.rows import ROWS
from bench.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measuring import Reading

_README: Final = Path(__file__).parent.parent / "README.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure. Returns the exit status: 1 when a figure is not what it must be."""
    numbers = [row.number for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Rolecall's Lambda handler beside raw boto3, over a stub of AWS on the loopback. Takes minutes.",
    )
    parser.add_argument("--rows", metavar="1,3", help=f"only these rows, of {', '.join(map(str, numbers))}")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md; takes all rows")
    options = parser.parse_args(arguments)
    wanted = numbers
    if options.rows:
        if options.readme:
            parser.error("the README's table has all rows: leave --rows out")
        if not set(options.rows.split(",")) <= set(map(str, numbers)):
            parser.error(f"the rows are {', '.join(map(str, numbers))}")
        wanted = [int(number) for number in options.rows.split(",")]
    readings: dict[int, Sequence[Reading]] = {}
    rows = [row for row in ROWS if row.number in wanted]
    with Stage() as stage:
        for row in rows:
            started = time.monotonic()
            readings[row.number] = row.measure(stage)
            print(f"row {row.number}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    text = f"{report.table(rows, readings)}\n{report.machine()}\n\n{report.methods(rows)}"
    print(text)
    if options.readme:
        report.write_readme(_README, text)
    missed = [
        f"row {row.number}: {target.what}"
        for row in rows
        for target, reading in zip(row.targets, readings[row.number], strict=True)
        if not target.reached(target.must, reading.value)
    ]
    if missed:
        print("Not what it must be:", *missed, sep="\n  ", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
