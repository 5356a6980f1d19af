"""A comparison: its numbers are the profile's, its words follow from them, its page works in a browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from test_page import HOSTILE, text_of
from visits import CLIPBOARD, Visit

import pvtsearch
from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.cli import run
from pvtsearch.config import ModelConfig, PVTConfig
from pvtsearch.presets import PRESETS
from pvtsearch.report.building import python_of
from pvtsearch.report.comparison import Comparison, compared
from pvtsearch.report.comparison_figures import figures
from pvtsearch.report.comparison_page import comparison_html, write_comparison
from pvtsearch.report.comparison_wording import headline
from pvtsearch.report.drawing import document
from pvtsearch.report.networks import Circumstances, distinctly_named
from pvtsearch.report.pyramid import boxes, scale_of
from pvtsearch.report.shapes import stage_shapes

DEVICES = Path(__file__).parent.parent / "reports" / "devices"
TWELVE = ("pvt_tiny", "pvt_small", "pvt_medium", "pvt_large", "pvt_v2_b0", "pvt_v2_b1", "pvt_v2_b2", "pvt_v2_b2_li",
          "deit_small", "resnet18", "resnet50", "resnext50_32x4d")  # fmt: skip


def configs(*names: str) -> list[ModelConfig]:
    return [PRESETS[name].config for name in names]


def comparison(*names: str, against: tuple[str, ...] = (), side: int = 224, **more: Any) -> Comparison:
    return compared(configs(*names), Circumstances((side, side)), against=configs(*against), **more)


# ---- numbers


def test_numbers_are_the_profiles() -> None:
    """Parts add up to the whole, and the whole is what `profile` says; the highest part is the peak."""
    for network in comparison(*TWELVE).networks:
        cost = pvtsearch.profile(network.config)
        assert network.values["params"] == cost.params == sum(part.params for part in network.parts)
        assert network.values["macs"] == cost.macs == sum(part.macs for part in network.parts)
        for metric, memory in cost.peaks.items():
            assert network.values[metric] == memory.peak_bytes == max(part.peaks[metric] for part in network.parts)


def test_shapes_are_what_leaves_each_stage() -> None:
    """Channels, blocks and map of PVT-Small and ResNet-50, as their papers print them."""
    small = stage_shapes(PRESETS["pvt_small"].config, (224, 224))
    assert [(s.channels, s.depth, *s.grid) for s in small] == [
        (64, 3, 56, 56), (128, 4, 28, 28), (320, 6, 14, 14), (512, 3, 7, 7),
    ]  # fmt: skip
    resnet = stage_shapes(PRESETS["resnet50"].config, (224, 224))
    assert [(s.channels, s.depth, *s.grid) for s in resnet] == [
        (256, 3, 56, 56), (512, 4, 28, 28), (1024, 6, 14, 14), (2048, 3, 7, 7),
    ]  # fmt: skip


def test_pyramids_share_one_scale() -> None:
    """Twice the blocks are twice as long, twice the channels twice as far back, half the map half as high; all fit."""
    shapes = [stage_shapes(PRESETS[name].config, (224, 224)) for name in TWELVE]
    scale = scale_of(shapes)
    drawn = dict(zip(TWELVE, (boxes(each, scale) for each in shapes), strict=True))
    small, large, resnet = drawn["pvt_small"], drawn["pvt_large"], drawn["resnet50"]
    assert large[1].length == pytest.approx(2 * small[1].length, abs=0.2)
    assert resnet[1].up == pytest.approx(4 * small[1].up, abs=0.3)
    assert small[0].height == pytest.approx(2 * small[1].height, abs=0.2)
    assert {box.x for each in drawn.values() for box in each[1:2]} == {small[1].x}


def test_names_are_told_apart() -> None:
    """Networks of one name are numbered; one that is held against too is shown once."""
    assert distinctly_named(configs("pvt_tiny", "resnet50", "pvt_tiny")) == ["pvt_tiny", "resnet50", "pvt_tiny (2)"]
    both = comparison("pvt_tiny", "resnet50", against=("resnet50",))
    assert [(each.name, each.is_reference) for each in both.networks] == [("pvt_tiny", False), ("resnet50", True)]


@pytest.mark.parametrize("name", TWELVE)
def test_the_python_builds_the_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Executed, the statements build from an equal configuration, whatever it is called."""
    config = PRESETS[name].config
    built: list[ModelConfig] = []
    monkeypatch.setattr(pvtsearch, "build_pvt", built.append, raising=False)
    monkeypatch.setattr(pvtsearch, "build_model", built.append, raising=False)
    exec(python_of(config), {})  # noqa: S102  our own text
    if isinstance(config, PVTConfig):
        exec(python_of(config.named(HOSTILE)), {})  # noqa: S102
        assert built.pop() == config.named(HOSTILE)
    assert built == [config]


# ---- words


def test_the_headline_says_which_and_why() -> None:
    """Within a reference's budget the best published network, with its shares; without one, who is least in what."""
    said = headline(comparison("pvt_small", "pvt_v2_b2", "pvt_medium", against=("resnet50",)))
    assert said.startswith(
        "At 224 × 224, 2 of 3 networks are within resnet50’s parameters and MACs; pvt_v2_b2, the best"
    )
    assert "0.99 of its parameters, 0.98 of its MACs" in said
    assert "the nearest, pvt_medium" in headline(comparison("pvt_medium", "pvt_large", against=("resnet50",)))
    alone = headline(comparison("pvt_small", "pvt_tiny"))
    assert "pvt_tiny has the fewest parameters (13.23 M), the fewest MACs" in alone
    assert headline(comparison()) == "No network to compare."


def test_a_calibration_tells_of_the_networks_that_it_knows() -> None:
    """Measured references are measured; a network of pieces that were never measured has no prediction."""
    known = [read_calibration(path) for path in DEVICES.glob("latency-*.json")]
    found = comparison("pvt_small", "pvt_v2_b2", against=("resnet50",), calibrations=known)
    (view,) = found.devices
    assert view.predicted_ns.keys() == {"pvt_small"}
    assert view.measured_ns.keys() == {"pvt_small", "resnet50"}
    assert f"{view.measured_ns['pvt_small'] / view.measured_ns['resnet50']:.2f} of its latency" in " ".join(
        [headline(comparison("pvt_small", against=("resnet50",), calibrations=known))]
    )
    assert {"roofline-1", "predicted-latency-1"} <= figures(found).keys()
    assert not comparison("pvt_small", side=256, calibrations=known).devices


@pytest.mark.parametrize("names", [(), ("pvt_tiny",), TWELVE])
def test_figures_are_well_formed_documents(names: tuple[str, ...]) -> None:
    """Each reads as XML, says in words what it shows, and names no other file."""
    for drawn in figures(comparison(*names)).values():
        root = ET.fromstring(document(drawn))  # noqa: S314  our own text
        assert root.tag.endswith("svg")
        assert drawn.description
        assert "http" not in document(drawn).replace("http://www.w3.org/2000/svg", "")


# ---- the command


def test_the_command_writes_page_and_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One page, and beside it Markdown that links the SVG files that are there; the same command, the same bytes."""
    out = tmp_path / "page.html"
    arguments = ["compare", "pvt_tiny", "resnet18", "--out", str(out), "--image-size", "96x160"]
    assert run(arguments) == 0
    first = out.read_bytes()
    assert "resnet18 has the fewest parameters" in capsys.readouterr().out
    figures_there = {path.name for path in (tmp_path / "page").glob("*.svg")}
    text = (tmp_path / "page" / "README.md").read_text()
    assert figures_there == {part.split(")")[0] for part in text.split("](")[1:]}
    assert run(arguments) == 0
    assert out.read_bytes() == first


def test_the_committed_comparison_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte of `reports/comparison`, by the command that stands in it."""
    committed = {path.name: path.read_text() for path in (DEVICES.parent / "comparison").iterdir()}
    command = re.search(r"Command: pvtsearch (.*)", committed["README.md"])
    assert command is not None
    arguments = [*command[1].split(), "--records", str(DEVICES)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pvtsearch", *command[1].split()])
    assert run(arguments) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "runs" / "comparison").iterdir()} == committed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pvt_tiny", "--out", "page.htm"], "must end in .html"),
        (["pvt_tinny"], "did you mean 'pvt_tiny'"),
        (["pvt_tiny", "--records", "nowhere"], "no such folder"),
        (["pvt_tiny", "--image-size", "8"], "pvt_tiny: stages[0]: sr_ratio 8 needs a grid of at least 8x8"),
        (["pvt_tiny", "deit_small", "--task", "retinanet"], "stages"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is wrong, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert run(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---- in a browser


def written(found: Comparison, path: Path) -> Path:
    write_comparison(found, path)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = comparison("pvt_small", "pvt_tiny", "pvt_v2_b2", against=("resnet50",))
    return written(found, tmp_path_factory.mktemp("compare") / "page.html")


@pytest.fixture
def visit(browser: Any, page: Path) -> Iterator[Visit]:
    opened = Visit(browser, page, script=CLIPBOARD)
    yield opened
    opened.close()


def test_tables_are_filtered_by_words_and_bounds(visit: Visit) -> None:
    """Only rows that hold every word and keep to every bound are left, and their number is said."""
    seen = "[...document.querySelectorAll('#network-table tbody tr')].filter(r => !r.hidden)"
    rows = f"{seen}.map(r => r.cells[0].dataset.t)"
    field = visit.page.locator(".tools input").first
    field.fill("pvt macs<3.9G")
    assert visit.page.evaluate(rows) == ["pvt_small", "pvt_tiny"]
    assert visit.page.locator(".tools output").first.inner_text() == "2 of 4"
    field.fill("")
    assert len(visit.page.evaluate(rows)) == 4


def test_tables_are_copied_as_they_are_seen(visit: Visit) -> None:
    """Sorted and filtered rows, every number exact: as Markdown, as CSV that reads back, as LaTeX, signs escaped."""
    visit.page.locator("#network-table thead button", has_text="Parameters").first.click()
    visit.page.locator(".tools input").first.fill("pvt_")
    tools = visit.page.locator(".tools").first
    tools.get_by_text("CSV").click()
    rows = list(csv.DictReader(io.StringIO(visit.copied())))
    assert [row["Network"] for row in rows] == ["pvt_tiny", "pvt_small", "pvt_v2_b2"]
    assert [int(row["Parameters"]) for row in rows] == [13_229_288, 24_485_864, 25_362_856]
    assert rows[0]["Stage 1"] == "64 × 2 p4 h1 m8 sr 8"
    tools.get_by_text("Markdown").click()
    header, rule, *body = visit.copied().splitlines()
    assert header.startswith("| Network | Parameters | MACs |")
    assert rule.startswith("| --- | ---: | ---: |")
    assert len(body) == 3
    tools.get_by_text("LaTeX").click()
    latex = visit.copied()
    assert r"pvt\_v2\_b2 & 25362856" in latex
    assert latex.startswith(r"\begin{tabular}{lrr")


def test_a_network_is_one_click_away(visit: Visit) -> None:
    """Its YAML reads back as the network, and its Python names it."""
    visit.page.locator(".grid [data-copy=yaml]").first.click()
    assert "name: pvt_small" in visit.copied()
    visit.page.locator("#network-table [data-copy=python]").last.click()
    assert visit.copied() == python_of(PRESETS["resnet50"].config)


def test_headings_sort_text_too(visit: Visit) -> None:
    """A column of words is sorted as words, by keyboard too."""
    visit.page.locator("#stage-table thead button", has_text="Part").focus()
    visit.page.keyboard.press("Enter")
    parts = visit.page.evaluate(
        "[...document.querySelectorAll('#stage-table tbody tr')].map(r => r.cells[1].innerText)"
    )
    assert parts == [part for name in ("stage 1", "stage 2", "stage 3", "stage 4", "head") for part in [name] * 4]


def test_figures_have_words(visit: Visit) -> None:
    """Every figure is an image with a text in its place, and every control can be reached with the keyboard."""
    labels = visit.page.evaluate(
        "[...document.querySelectorAll('svg')].map(s => [s.getAttribute('role'), s.getAttribute('aria-label')])"
    )
    assert len(labels) == 4 + 4 + 2
    assert all(role == "img" and len(label) > 30 for role, label in labels)
    assert visit.page.evaluate("[...document.querySelectorAll('button, input, .scroll')].every(e => e.tabIndex === 0)")


@pytest.mark.parametrize(
    ("names", "width", "scheme"),
    [((), 1280, "light"), (TWELVE[:2], 390, "dark"), (TWELVE, 390, "light"), (TWELVE, 1280, "dark")],
)
def test_any_number_of_networks_fits(
    browser: Any, tmp_path: Path, names: tuple[str, ...], width: int, scheme: str
) -> None:
    """0, 2 and 12 networks: nothing is wider than the screen but what scrolls in its own box."""
    opened = Visit(browser, written(comparison(*names), tmp_path / "p.html"), width=width, scheme=scheme)
    assert opened.overflow() <= 0
    assert opened.page.locator("h1").inner_text()
    assert opened.page.locator("svg").count() == (0 if not names else len(names) + 6)
    opened.close()


def test_paper_shows_all_of_a_table(browser: Any, page: Path) -> None:
    """In print there is nothing to click, and no table is cut off by a box that scrolls."""
    opened = Visit(browser, page)
    opened.page.emulate_media(media="print")
    hidden = "[...document.querySelectorAll('.tools, .actions')].every(e => getComputedStyle(e).display === 'none')"
    assert opened.page.evaluate(hidden)
    assert opened.page.evaluate(
        "[...document.querySelectorAll('.tall')].every(e => e.scrollHeight <= e.clientHeight + 1)"
    )
    opened.close()


def test_hostile_names_change_nothing(browser: Any, tmp_path: Path) -> None:
    """A name full of markup is text on the page, in figures, in Markdown and in what is copied."""
    config = PRESETS["pvt_tiny"].config
    assert isinstance(config, PVTConfig)
    found = compared([config.named(HOSTILE), config.named(HOSTILE), config], Circumstances((64, 64)))
    opened = Visit(browser, written(found, tmp_path / "p.html"), width=390, script=CLIPBOARD)
    assert opened.overflow() <= 0
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("h3").first.inner_text() == HOSTILE
    opened.page.locator(".grid [data-copy=python]").first.click()
    assert repr(HOSTILE) in opened.copied()
    opened.close()
    assert HOSTILE in text_of(comparison_html(found, figures(found)))
    assert not re.search(r"(?<!\\)<", (tmp_path / "p" / "README.md").read_text())
    for path in (tmp_path / "p").glob("*.svg"):
        assert not [e for e in ET.parse(path).iter() if e.tag.endswith("script")]  # noqa: S314  our own text
