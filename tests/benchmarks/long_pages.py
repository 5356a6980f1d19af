"""How large a page of many trials is, and how long it takes: what `reports/pages/README.md` states.

Run: PYTHONPATH=tests python tests/benchmarks/long_pages.py; prints the report.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from results import search_result
from visits import CHROMIUM, QUIET

from pvtsearch.report.search_page import write_report

TRIALS = (100, 1_000, 10_000)
ZOOMS = 20

HEADING = """# Pages of many trials

`PYTHONPATH=tests python tests/benchmarks/long_pages.py > reports/pages/README.md`

Trials of PVT v1 within ResNet-50's budget, three quantities each, every network with its YAML, Python and pyramid.
{browser} without a GPU (WebGL in software), {cores} cores, a window of 1280 x 900. *interactive*: from
opening the file until every figure is drawn and answers. *axes*: another quantity on an axis. *zoom*: one step of
{zooms}, drawn. Load average {load:.1f}.

| trials | page, MB | parts, kB | write, s | interactive, s | axes, s | pin, s | zoom, s |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""

AXES = (
    "(async () => { const t = performance.now(); await showAxes('params', 'prior'); return performance.now() - t; })()"
)
PIN = "(() => { const t = performance.now(); pin(report.networks.length - 1); return performance.now() - t; })()"
ZOOM = """(async () => {
  const front = element('front'), full = front._fullLayout.xaxis.range, middle = (full[0] + full[1]) / 2;
  const t = performance.now();
  for (let step = 1; step <= %d; step++) {
    const half = (full[1] - full[0]) / 2 * (1 - step / 40);
    await Plotly.relayout(front, { 'xaxis.range': [middle - half, middle + half] });
    await new Promise(requestAnimationFrame);
  }
  return (performance.now() - t) / %d;
})()""" % (ZOOMS, ZOOMS)  # noqa: UP031  braces are JavaScript's


def row(browser: Any, trials: int, folder: Path) -> str:
    """One line of the table."""
    result, path = search_result(trials), folder / f"{trials}.html"
    started = time.perf_counter()
    write_report(result, path)
    written = time.perf_counter() - started
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
    ready = time.perf_counter() - started
    axes, pin, zoom = (page.evaluate(script) / 1000 for script in (AXES, PIN, ZOOM))
    page.close()
    parts = sum(each.stat().st_size for each in path.with_suffix("").iterdir())
    size = path.stat().st_size
    return (
        f"| {trials:,} | {size / 1e6:.2f} | {parts / 1e3:.0f} | {written:.1f} | {ready:.1f} | {axes:.2f} | {pin:.2f} "
        f"| {zoom:.3f} |"
    )


def main() -> None:
    """Print the report."""
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        about = {"browser": f"Chromium {browser.version}", "cores": os.cpu_count(), "zooms": ZOOMS}
        search_result(max(TRIALS))
        print(HEADING.format(**about, load=os.getloadavg()[0]))
        for trials in TRIALS:
            print(row(browser, trials, Path(folder)), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
