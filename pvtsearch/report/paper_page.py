"""The page on the reproduced tables, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import get_args

from pvtsearch.analysis.conventions import MEANINGS, Convention
from pvtsearch.analysis.printed import CONVENTIONS
from pvtsearch.analysis.reproduction import CostedRow, Entry, State, agreement
from pvtsearch.analysis.scaling import NETWORKS
from pvtsearch.report.markdown import markdown
from pvtsearch.report.scale_figures import ScaleFigure

TWO_DECIMALS = "two decimals first"
DIFFERENCE = "a difference of two printed numbers, known to less than one unit"

INTRODUCTION = """
Every #Param and GFLOPs that the two PVT papers print in these tables, beside the exact number of the closed form:
[PVT v1](https://arxiv.org/abs/2102.12122), Tables 2 to 5 and 8 to 11, and
[PVT v2](https://arxiv.org/abs/2106.13797), Tables 2 to 6. Written by `pvtsearch paper`; all of it is in
[entries.csv](entries.csv) too. PVT v1's Table 7 (Trans2Seg) is left out: the sizes of its networks are
[not known](../../docs/decisions/0010-dense-tasks.md). Table 6 (DETR) and Table 1 print no such number.
"""

RULES = """
## How the numbers are obtained

One rule per paper, the same for every table of it, read from the official script and the libraries it calls; none is
chosen for a cell.

- **GFLOPs.** {conventions}.
  A row that PVT v2 repeats from PVT v1 keeps PVT v1's rule. The rules are mmcv's hooks on modules and the official
  script's closed form of attention ([decision 0012](../../docs/decisions/0012-conventions.md)). That PVT v1 was counted
  by an mmcv without a hook for LayerNorm is inferred: older ones have none, and Tables 10 and 11 come out without.
- **Sizes.** 224x224 for ImageNet, 800x1280 for COCO, 512x512 for ADE20K; 640x960 for the row at scale 640.
- **#Param.** mmcv counts what is trained, and mmdetection freezes the stem and first stage of a ResNet.
  mmsegmentation's ResNets have a deep stem (V1c), its ResNeXts have not.
- **Rounding.** The official script prints two decimals, the tables round those. {rounded} entries need the first step
  (12.947, 12.95, 13.0); they say so.
"""

SCALE_NOTE = """
Curves and crossings are of MACs and bytes that are exact at every multiple of 32 pixels, in [curves.csv](curves.csv).
The papers print no numbers for these figures, but an order of growth: ViT-Small/16, ViT-Small/32, PVT-Small, ResNet-50
(PVT v1, Figure 6), then PVT v2 B2-Li (PVT v2, Figure 4). Without ViT-Small/32 it comes out, from the last crossing on.
ViT-Small/32, here 8 layers of width 768 as the papers' ViT-Small, needs fewer MACs than all others at every side drawn.
"""


def page(rows: Sequence[CostedRow], entries: Sequence[Entry], figures: Sequence[ScaleFigure]) -> str:
    """The whole page."""
    counts = Counter(entry.state for entry in entries)
    conventions = "; ".join(f"{paper}: `{name}`" for paper, name in CONVENTIONS.items())
    rounded = sum(entry.needs_two_decimals for entry in entries)
    parts = [
        "# The papers, reproduced",
        headline(entries),
        INTRODUCTION.strip(),
        what_is_counted(rows, entries),
        "\n".join(summary_table(entries, counts)),
        RULES.format(conventions=conventions, rounded=rounded).strip(),
        "## What a single convention reproduces",
        "GFLOPs entries that come out with one convention for the whole table, of those whose network is built. PVT "
        "v2's tables hold rows of both papers, so no single one has all of Table 6.",
        "\n".join(agreement_table(rows)),
        "## What does not come out, and why",
        "\n".join(reasons(entries)),
        "## Cost by input scale",
        *(part for figure in figures for part in figure_parts(figure)),
        SCALE_NOTE.strip(),
        "## Every entry",
        *(part for name, group in by_table(entries) for part in (f"### {name}", "\n".join(entry_table(group)))),
    ]
    return "\n\n".join(parts) + "\n"


def headline(entries: Sequence[Entry]) -> str:
    """The outcome in words."""
    counts = Counter(entry.state for entry in entries)
    built = counts["reproduced"] + counts["differs"]
    found = Counter(
        f"{entry.quantity} of {entry.label.partition(',')[0]}" for entry in entries if entry.state == "differs"
    )
    names = [name if count == 1 else f"{name} ({count} rows)" for name, count in found.items()]
    others = f"the other {counts['differs']}: {', '.join(names)}" if names else "there are no others"
    return (
        f"**{counts['reproduced']} of {built} entries reproduced to the printed digit; {others}.** "
        f"{counts['not built']} further entries belong to networks that are not built here."
    )


def what_is_counted(rows: Sequence[CostedRow], entries: Sequence[Entry]) -> str:
    """What kinds of entries the headline counts."""
    repeated = sum(
        len(list(one.entries(one.row.convention)))
        for one in rows
        if one.costs and not one.row.table.startswith(one.row.origin)
    )
    differences = sum(entry.is_difference for entry in entries)
    return (
        f"An entry is one number of one printed row: {repeated} of them are PVT v2's repetitions of PVT v1, and "
        f"{differences} are differences of two numbers printed in PVT v2's Table 4, whose detectors cancel."
    )


def by_table(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Tables in the papers' order."""
    for name, group in groupby(entries, key=lambda entry: entry.table):
        yield name, list(group)


def summary_table(entries: Sequence[Entry], counts: Counter[State]) -> list[str]:
    """Entries of every table by state."""
    states = get_args(State)
    body = []
    for name, group in by_table(entries):
        found = Counter(entry.state for entry in group)
        body.append([name, *(str(found[state]) for state in states)])
    return markdown(["table", *states], [*body, ["all", *(str(counts[state]) for state in states)]])


def agreement_table(rows: Sequence[CostedRow]) -> list[str]:
    """Tables against conventions."""
    conventions: tuple[Convention, ...] = tuple(each for each in get_args(Convention) if each != "flops")
    found = {convention: agreement(rows, convention) for convention in conventions}
    body = [
        [table, *(f"{found[each][table].reproduced} of {found[each][table].built}" for each in conventions)]
        for table in found[conventions[0]]
    ]
    legend = [f"- `{each}`: {MEANINGS[each]}." for each in conventions]
    return [*markdown(["table", *conventions], body), "", *legend]


def reasons(entries: Sequence[Entry]) -> list[str]:
    """Entries that differ, with what they should be, then networks that are not built, one line per reason."""
    differing = [
        [entry.table, entry.label, entry.quantity, str(entry.printed), shown(entry), entry.remark]
        for entry in entries
        if entry.state == "differs"
    ]
    lines = markdown(["table", "row", "quantity", "printed", "ours", "reason"], differing) if differing else []
    lines += ["", "Not built:", ""]
    for name, group in by_table(entry for entry in entries if entry.state == "not built"):
        labels = dict.fromkeys(entry.label for entry in group)
        lines.append(f"- {name}: {'; '.join(labels)}. {sentence(dict.fromkeys(entry.remark for entry in group))}")
    return lines


def sentence(remarks: Iterable[str]) -> str:
    """Remarks as one sentence."""
    text = "; ".join(remarks)
    return f"{text[:1].upper()}{text[1:]}."


def figure_parts(figure: ScaleFigure) -> Iterator[str]:
    """A figure and its crossings."""
    yield f"![{figure.title}]({figure.name}.svg)"
    body = [
        [
            f"{crossing.side:.0f}",
            f"{crossing.between[0]} to {crossing.between[1]}",
            NETWORKS[crossing.above],
            NETWORKS[crossing.below],
        ]
        for crossing in figure.crossings
    ]
    yield "\n".join(markdown(["side", "between", "from there on above", "below"], body))


def entry_table(entries: Sequence[Entry]) -> list[str]:
    """Printed and exact numbers of one table."""
    body = [
        [entry.label, entry.quantity, str(entry.printed), shown(entry), entry.state, entry.rule, note_of(entry)]
        for entry in entries
    ]
    return markdown(["row", "quantity", "printed", "ours", "state", "counted", "note"], body)


def shown(entry: Entry) -> str:
    """The exact number in the table's unit, to four decimals."""
    return "" if entry.value is None else f"{entry.value:,.4f}"


def note_of(entry: Entry) -> str:
    """What a reader should know of an entry."""
    notes = [entry.remark, TWO_DECIMALS if entry.needs_two_decimals else "", DIFFERENCE if entry.is_difference else ""]
    return "; ".join(note for note in notes if note)
