"""The page: one file that asks nothing of any network, says the same to everyone, and works in a browser."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from results import compared_result, renamed, search_result
from visits import Visit

from pvtsearch.errors import InputError
from pvtsearch.records import Objective, SearchResult
from pvtsearch.report.building import python_of
from pvtsearch.report.page import evenly, script_json
from pvtsearch.report.rows import front_rows, progress_rows
from pvtsearch.report.search_page import MAX_TABLE_ROWS, report_html, write_report
from pvtsearch.report.wording import quality_in_words
from pvtsearch.serialize import dump_config

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}} 🙂 " + "x" * 200


def written(result: SearchResult, path: Path) -> Path:
    write_report(result, path)
    return path


def text_of(html: str) -> str:
    """What of the page stands between its tags, without scripts and styles."""
    visible = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", visible)))


# ---- the file


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two reports on one result are byte-identical, and below 6 MB."""
    one, two = (written(search_result(50), tmp_path / name) for name in ("a.html", "b.html"))
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size < 6_000_000


def test_a_long_front_is_shown_in_part() -> None:
    """The table holds a limited number of networks, and says of how many."""
    result = search_result(MAX_TABLE_ROWS + 200)
    html = report_html(dataclasses.replace(result, front=result.records))
    assert html.count('data-copy="yaml"') == MAX_TABLE_ROWS
    assert "500 of 700 networks" in text_of(html)
    assert evenly(700, 500)[0] == 0
    assert evenly(700, 500)[-1] == 699
    assert len(set(evenly(700, 500))) == 500


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last step fails the old report stands, and nothing lies beside it."""
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match="cannot be written: disk full"):
        write_report(search_result(2), path)
    assert [(p.name, p.read_text()) for p in tmp_path.rglob("*") if p.is_file()] == [("report.html", "old")]


def test_the_card_is_on_the_page_where_a_score_is() -> None:
    """The prior's card stands on the page with all of its figures and caveats; without a signal there is no card."""
    result = search_result(5)
    text = text_of(report_html(result))
    for piece in (
        "ViT-Bench-101, PiT space",
        "0.88",
        "81.7 %",
        "72.2 to 89.8 %: better than a coin",
        "about 140 forms",
        "No PVT was",
    ):
        assert piece in text
    assert "maximised outside" not in text
    assert "extrapolated" in text_of(report_html(dataclasses.replace(result, extrapolated=True)))
    costs = dataclasses.replace(result, objectives=(Objective("macs", "minimize"), Objective("params", "minimize")))
    assert "prior" not in text_of(report_html(costs)).lower()


def test_units_are_explained_once() -> None:
    """MACs are never called FLOPs, and how the papers' GFLOPs relate to them is said once."""
    text = text_of(report_html(search_result(5)))
    assert text.count("FLOPs") == 1
    assert "what the papers call GFLOPs are (nearly) GMACs" in text
    assert "accuracy" not in re.sub(r"not an accuracy|docs/accuracy|--accuracy", "", text)


def test_no_text_ends_a_script() -> None:
    """JSON in a script element holds no angle bracket, and reads back as it was."""
    text = script_json({"name": HOSTILE})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": HOSTILE}


# ---- in a browser


@pytest.fixture(scope="module")
def result() -> SearchResult:
    return search_result(150)


@pytest.fixture(scope="module")
def report(result: SearchResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(result, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Visit]:
    opened = Visit(browser, report)
    yield opened
    opened.page.close()
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("data:", "blob:"))] == [report.as_uri()]


def test_every_figure_is_drawn(visit: Visit, result: SearchResult) -> None:
    """Each figure is there with all of its points, asking for no file but the page's own."""
    points = visit.drawn()
    assert points.keys() == {"figure-front"}
    assert visit.page.locator("svg.drawing .line").count() == len(result.front)
    shown = visit.page.evaluate("[...document.querySelectorAll('svg.drawing')].map(s => s.getAttribute('aria-label'))")
    assert len(shown) == 1 + 6 + 4  # knobs, pyramids, costs and peaks by stage
    assert all(len(label) > 30 for label in shown)
    assert points["figure-front"] >= len(result.records)
    assert all(points.values())


def test_the_axis_menus_turn_the_figure(visit: Visit, result: SearchResult) -> None:
    """Choosing a quantity puts its values on that axis; choosing the other axis's quantity swaps the two."""
    read = (
        "(() => { const { layout, data } = document.getElementById('figure-front');"
        "return [layout.xaxis.title.text, layout.yaxis.title.text, data[1].x, data[1].mode]; })()"
    )
    assert visit.page.evaluate(read)[:2] == ["MACs", "Prior"]
    visit.page.select_option("#axis-x", "params")
    visit.page.wait_for_function("document.getElementById('figure-front').layout.xaxis.title.text === 'Parameters'")
    *_, x, mode = visit.page.evaluate(read)
    assert sorted(x) == sorted(record.cost["params"] for record in result.front)
    assert mode == "markers"
    visit.page.select_option("#axis-x", "prior")
    visit.page.wait_for_function("document.getElementById('figure-front').layout.xaxis.title.text === 'Prior'")
    assert visit.page.evaluate(read)[1] == "Parameters"


def test_labels_do_not_overlap(visit: Visit) -> None:
    """No two labels of published networks lie on each other."""
    overlaps = visit.page.evaluate(
        "(() => { const b = [...document.querySelectorAll('#figure-front .textpoint text')]"
        ".filter(t => t.textContent.trim()).map(t => t.getBoundingClientRect()); let n = 0;"
        "for (let i = 0; i < b.length; i++) for (let j = 0; j < i; j++)"
        "  n += b[i].left < b[j].right && b[j].left < b[i].right"
        "    && b[i].top + 2 < b[j].bottom && b[j].top + 2 < b[i].bottom;"
        "return [b.length, n]; })()"
    )
    assert overlaps[0] > 3
    assert overlaps[1] == 0


def test_headings_sort_with_mouse_and_keyboard(visit: Visit, result: SearchResult) -> None:
    """Activating a heading sorts by exact value, again turns the order over, and the state is announced."""
    cells = "[...document.querySelectorAll('#front-table tbody tr')].map(r => Number(r.children[3].dataset.v))"
    heading = visit.page.locator("#front-table thead th").nth(3)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert visit.page.evaluate(cells) == sorted(r.cost["params"] for r in result.front)
    heading.locator("button").focus()
    visit.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert visit.page.evaluate(cells) == sorted((r.cost["params"] for r in result.front), reverse=True)


def test_networks_are_put_together_as_they_are(visit: Visit, result: SearchResult) -> None:
    """YAML and Python of every network, of the front and of all others, are what one at a time would be."""
    front = {record.trial for record in result.front}
    others = [record for record in result.records if record.trial not in front]
    configs = [record.config for record in (*result.front, *others)]
    found = visit.page.evaluate("report.networks.map((_, number) => source(number))")
    assert [each["yaml"] for each in found] == [dump_config(config) for config in configs]
    assert [each["python"] for each in found] == [python_of(config) for config in configs]
    assert [each["name"] for each in found[: len(front)]] == [row.name for row in front_rows(result)]


def test_a_click_pins(visit: Visit, result: SearchResult) -> None:
    """A click on a point, a line or a button pins its network; a second takes it away; rings show where it is."""
    cards = visit.page.locator("#pinned figure")
    assert not visit.page.locator("#pins").is_visible()
    at = visit.page.evaluate(
        "(() => { const d = document.getElementById('figure-front'), f = d._fullLayout; d.scrollIntoView();"
        "const b = d.getBoundingClientRect();"
        "const [x, y] = [f.xaxis.d2p(d.data[1].x[0]), f.yaxis.d2p(d.data[1].y[0])];"
        "return [b.left + f._size.l + x, b.top + f._size.t + y]; })()"
    )
    visit.page.mouse.move(*at)
    visit.page.wait_for_timeout(150)
    visit.page.mouse.click(*at)
    visit.page.wait_for_selector("#pinned figure")
    lowest = min(result.front, key=lambda record: record.value("prior"))
    assert cards.first.locator("h3").inner_text() == front_rows(result)[result.front.index(lowest)].name
    assert f"{lowest.cost['macs']:,}" in cards.first.locator("dl").inner_text()
    assert f"{lowest.config.stages[2].embed_dim}" in cards.first.locator("pre").inner_text()
    assert cards.first.locator("svg g").count() == 4
    visit.page.locator("#front_002 [data-pin]").click()
    visit.page.evaluate(
        "document.querySelector('#knobs .line[data-pin=\"2\"]').dispatchEvent(new Event('click', {bubbles: true}))"
    )
    assert cards.count() == 3
    rings = "document.getElementById('figure-front').data[6].x"
    assert visit.page.evaluate(rings) == [lowest.cost["macs"], *(result.front[place].cost["macs"] for place in (1, 2))]
    visit.page.select_option("#axis-x", "params")
    visit.page.wait_for_function(f"{rings}[1] === {result.front[1].cost['params']}")
    cards.first.get_by_text("Unpin").click()
    assert cards.count() == 2
    assert visit.page.locator("#front_002 [data-pin]").get_attribute("aria-pressed") == "true"


def test_a_value_keeps_the_lines_that_pass_it(visit: Visit, result: SearchResult) -> None:
    """Chosen with the keyboard, a value of a knob lets all other networks step back, and says how many are left."""
    first = visit.page.locator("#knobs [data-axis]").first
    width = int(first.text_content() or 0)
    first.focus()
    visit.page.keyboard.press("Enter")
    kept = visit.page.locator("#knobs .line:not(.away)").count()
    assert kept == sum(record.config.stages[0].embed_dim == width for record in result.front)
    assert visit.page.locator("#status").inner_text() == f"{kept} of {len(result.front)} networks"
    visit.page.keyboard.press("Enter")
    assert visit.page.locator("#knobs .line.away").count() == 0


def test_download_gives_the_yaml(visit: Visit, result: SearchResult) -> None:
    """A row's download is that network's YAML, also after sorting."""
    visit.page.locator("#front-table thead button").nth(1).click()
    visit.page.locator("#front-table thead button").nth(1).click()
    with visit.page.expect_download() as waiting:
        visit.page.locator("#front_002 [data-download]").click()
    assert waiting.value.suggested_filename == "front_002.yaml"
    assert Path(waiting.value.path()).read_text() == dump_config(result.front[1].config)


@pytest.mark.parametrize(
    "clipboard",
    [
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async t => { window.copied = t; }}})",
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async () => { throw new Error('no'); }}});"
        "document.execCommand = () => { window.copied = document.activeElement.value; return true; }",
    ],
    ids=["clipboard", "clipboard refused"],
)
def test_copy_gives_the_yaml(browser: Any, report: Path, result: SearchResult, clipboard: str) -> None:
    """Copy works with a clipboard, and without one, as in a page opened from a file."""
    opened = Visit(browser, report, script=clipboard)
    opened.page.locator("#front_001 [data-copy=yaml]").click()
    opened.page.wait_for_function("window.copied !== undefined")
    assert opened.page.evaluate("window.copied") == dump_config(result.front[0].config)
    assert opened.page.locator("#status").inner_text() == "Copied front_001.yaml"
    opened.page.close()


def test_where_nothing_copies_the_text_is_shown(browser: Any, report: Path, result: SearchResult) -> None:
    """A browser that refuses to copy leaves the YAML selected on the page."""
    refuse = "Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false"
    opened = Visit(browser, report, script=refuse)
    opened.page.locator("#front_001 [data-copy=yaml]").click()
    assert opened.page.locator("#text-area").input_value() == dump_config(result.front[0].config)
    opened.page.close()


@pytest.mark.parametrize(("trials", "scheme"), [(0, "light"), (1, "dark"), (150, "light")])
def test_a_phone_is_wide_enough(browser: Any, tmp_path: Path, trials: int, scheme: str) -> None:
    """At 390 pixels nothing but tables in their own box is wider than the screen, whatever the front holds."""
    opened = Visit(browser, written(search_result(trials), tmp_path / "r.html"), width=390, scheme=scheme)
    assert opened.overflow() <= 0
    assert opened.complaints == []
    opened.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_the_distance_to_the_exact_front_is_seen(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    """Said above the figures, drawn as a line in the first and over the trials in the second, on a phone too."""
    result = compared_result(60)
    assert result.quality is not None
    opened = Visit(browser, written(result, tmp_path / "r.html"), width=width, scheme=scheme)
    assert opened.page.locator("header .claim").first.inner_text() == quality_in_words(result)
    assert opened.page.locator(".legend button", has_text="exact front").count() == 1
    assert opened.drawn()["figure-progress"] == len(progress_rows(result))
    assert opened.page.evaluate("document.getElementById('figure-front').data[5].x.length") == len(result.quality.exact)
    assert opened.overflow() <= 0
    assert opened.complaints == []
    opened.page.close()


def test_hostile_names_change_nothing(browser: Any, tmp_path: Path, result: SearchResult) -> None:
    """A name full of markup is text: nothing runs, the page keeps its shape, and the YAML holds the name."""
    hostile = renamed(result, HOSTILE)
    hostile = dataclasses.replace(
        hostile,
        sampler=HOSTILE,
        circumstances={HOSTILE: HOSTILE, "command": HOSTILE},
        budget=dataclasses.replace(hostile.budget, source=HOSTILE),
    )
    opened = Visit(browser, written(hostile, tmp_path / "r.html"), width=390)
    assert opened.complaints == []
    assert opened.overflow() <= 0
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("main section").count() == 8
    assert HOSTILE in opened.page.locator("h1").inner_text()
    assert opened.page.evaluate("source(0).yaml") == dump_config(hostile.front[0].config)
    opened.page.close()


@pytest.mark.slow
def test_10000_trials_are_drawn(browser: Any, tmp_path: Path) -> None:
    """A long search still makes a page that can be mailed, half of what is allowed, and is drawn whole."""
    large = written(search_result(10_000), tmp_path / "r.html")
    assert large.stat().st_size < 3_000_000
    opened = Visit(browser, large)
    assert opened.drawn()["figure-front"] >= 10_000
    opened.page.evaluate("pin(9000)")
    assert opened.page.locator("#pinned h3").inner_text().startswith("trial ")
    opened.close()
