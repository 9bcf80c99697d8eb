"""The performance table: complete, honest about what is missed, and written where the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import main
from bench.measuring import Reading, differences, interleaved, percentile, ratios
from bench.rows import ROWS
from bench.rows.row import Target

README = Path(__file__).parent.parent.parent / "README.md"
AT_MOST = Target("x", must=1.0, goal=0.5)
AT_LEAST = Target("x", must=1.0, goal=2.0, at_least=True)


def test_every_row_is_there() -> None:
    """Rows 1 to 6, 8 and 10 to 15 are measured here, each once and in order, and each says how."""
    numbers = [row.number for row in ROWS]

    assert numbers == sorted(set(numbers))
    assert set(numbers) == set(range(1, 16))
    assert all(row.targets and row.how for row in ROWS)


def test_the_table_has_a_line_for_every_target() -> None:
    """What is asked for stands beside today's figure and what it reaches; nothing is left out."""
    readings = {row.number: [Reading.exact(0.75, "a note")] * len(row.targets) for row in ROWS}
    head, _, *lines = report.table(ROWS, readings).splitlines()

    assert [(line.split(" | ")[0], line.split(" | ")[1]) for line in lines] == [
        (f"| {row.number}", target.what) for row in ROWS for target in row.targets
    ]
    assert {line.count(" | ") for line in lines} == {head.count(" | ")}
    assert all("0.75" in line and "a note" in line for line in lines)


def test_a_row_that_lacks_a_figure_is_an_error() -> None:
    """A table with fewer figures than targets would pass for a whole one."""
    row = next(row for row in ROWS if len(row.targets) > 1)

    with pytest.raises(ValueError, match="zip"):
        report.table([row], {row.number: [Reading.exact(1)]})


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        (AT_MOST, 0.5, "goal"),
        (AT_MOST, 0.51, "must"),
        (AT_MOST, 1.01, "**missed**"),
        (AT_LEAST, 2.0, "goal"),
        (AT_LEAST, 1.0, "must"),
        (AT_LEAST, 0.99, "**missed**"),
        (Target("x", must=None, goal=1.0), 5.0, "short"),
        (Target("x", must=None, goal=1.0), 1.0, "goal"),
    ],
)
def test_what_a_figure_reaches(target: Target, value: float, expected: str) -> None:
    """The bound itself is reached; beyond must is missed, in whichever direction is worse."""
    assert report.verdict(target, Reading.exact(value)) == expected


def test_figures_are_compared_round_by_round() -> None:
    """A round that was slow for both does not count as ours being slow."""
    ours, theirs = [1.0, 10.0, 1.0], [2.0, 20.0, 2.0]

    assert ratios(ours, theirs) == [0.5, 0.5, 0.5]
    assert differences(ours, theirs) == [-1.0, -10.0, -1.0]
    assert Reading.of([1.0, 2.0, 3.0, 4.0, 100.0]) == Reading(3.0, 2.0, 4.0)
    assert (percentile([3, 1, 2], 0.5), percentile(range(100), 0.95)) == (2, 94)


def test_blocks_take_turns() -> None:
    """Every block runs once in each round and once before, and not always in the same order."""
    ran: list[str] = []

    def block(name: str) -> float:
        ran.append(name)
        return float(len(ran))

    figures = interleaved({"a": lambda: block("a"), "b": lambda: block("b")}, rounds=10)

    pairs = {(ran[at], ran[at + 1]) for at in range(2, 22, 2)}
    assert pairs == {("a", "b"), ("b", "a")}
    assert [len(found) for found in figures.values()] == [10, 10]


def test_the_table_goes_between_the_readmes_markers(tmp_path: Path) -> None:
    """The README's own place is found, and all else in it stays as it was."""
    copy = tmp_path / "README.md"
    copy.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    report.write_readme(copy, "one\n")
    report.write_readme(copy, "another\n")

    before, found, after = re.split(f"{report.BEGIN}|{report.END}", copy.read_text(encoding="utf-8"))
    assert found == "\nanother\n"
    assert README.read_text(encoding="utf-8").startswith(before)
    assert README.read_text(encoding="utf-8").endswith(after)


@pytest.mark.parametrize("text", ["no markers", f"{report.END}{report.BEGIN}", report.BEGIN * 2 + report.END])
def test_a_readme_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    """Better an error than a table in the wrong place."""
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"README\.md must hold"):
        report.write_readme(readme, "table\n")
    assert readme.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--rows", "99"], "the rows are 1, 2"), (["--rows", "1", "--readme"], "has all rows")],
)
def test_what_can_not_be_measured_is_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that does not exist, or half a table for the README, is refused before anything runs."""
    with pytest.raises(SystemExit):
        main(arguments)

    assert told in capsys.readouterr().err
