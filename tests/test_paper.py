"""`pvtsearch paper`: what is committed is what it writes, and what it writes holds together."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from pvtsearch.analysis.reproduction import costed_rows, reproduction
from pvtsearch.cli import run
from pvtsearch.documents import MOST_BYTES as MAX_FILE_BYTES
from pvtsearch.report.markdown import markdown
from pvtsearch.report.paper import files
from pvtsearch.report.paper_page import headline

COMMITTED = Path(__file__).parent.parent / "reports" / "paper"
ROWS = costed_rows()
ENTRIES = reproduction(ROWS)
FILES = files(ROWS, ENTRIES)


def test_the_committed_report_is_what_the_command_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte, no file more and none less; the answer is the page's first sentence."""
    assert run(["paper", "--out", str(tmp_path)]) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.iterdir()} == FILES
    out = capsys.readouterr().out
    assert out.startswith(
        "209 of 214 entries reproduced to the printed digit; the other 5: #Param of resnet101 (3 rows), "
    )
    assert max(map(len, written.values())) < MAX_FILE_BYTES


def test_every_entry_is_on_the_page_and_in_the_table() -> None:
    """The CSV has the exact numbers; one that is not known is empty."""
    records = list(csv.DictReader(io.StringIO(FILES["entries.csv"])))
    assert [(r["table"], r["row"], r["quantity"], r["printed"], r["state"]) for r in records] == [
        (e.table, e.label, e.quantity, str(e.printed), e.state) for e in ENTRIES
    ]
    assert [r["exact"] for r in records] == ["" if e.exact is None else str(e.exact) for e in ENTRIES]
    lines = FILES["README.md"].split("## Every entry")[1]
    assert sum(line.startswith("| ") and "---" not in line for line in lines.splitlines()) == len(ENTRIES) + 13
    assert headline(ENTRIES) in FILES["README.md"]


def test_the_pages_links_lead_somewhere() -> None:
    """Pictures, tables and the page on conventions."""
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", FILES["README.md"])
    assert {"entries.csv", "curves.csv", "macs-by-scale.svg", "memory-by-scale.svg"} < set(links)
    assert all((COMMITTED / link).exists() for link in links)


def test_without_differences_the_headline_says_so() -> None:
    """The sentence for a table that comes out whole."""
    whole = [entry for entry in ENTRIES if entry.state == "reproduced"]
    assert headline(whole).startswith(
        f"**{len(whole)} of {len(whole)} entries reproduced to the printed digit; there are no"
    )


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, status 2."""
    (tmp_path / "file").write_text("")
    assert run(["paper", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_markdown_sets_numbers_right_and_text_left() -> None:
    """A column of numbers has cells that begin with digits, or are empty."""
    assert markdown(["a", "b", "c"], [["1", "2 MB", "x|y"], ["3", "", "4"]]) == [
        "| a | b | c |", "| --- | ---: | --- |", "| 1 | 2 MB | x\\|y |", "| 3 |  | 4 |",
    ]  # fmt: skip
