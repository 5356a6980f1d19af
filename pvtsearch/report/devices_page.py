"""The page about devices, and its small parts."""

from __future__ import annotations

from pathlib import Path

from pvtsearch.report.devices import Devices, headline
from pvtsearch.report.drawing import Drawing
from pvtsearch.report.markdown import document, escaped, markdown
from pvtsearch.report.page import Page, rendered, write_page
from pvtsearch.report.wording import FactRow, in_words


def write_devices(found: Devices, path: Path) -> None:
    """Write the page to path and its parts into the folder of that name without ending."""
    write_page(devices_page(found), path)


def devices_page(found: Devices) -> Page:
    """The page and its parts."""
    drawn = figures(found)
    html = rendered(
        "devices.html.j2",
        scripts=[],
        data={"sources": []},
        headline=headline(found),
        claims=(),
        facts=facts(found),
        found=found,
    )
    return Page(html, devices_markdown(found, drawn), drawn)


def figures(found: Devices) -> dict[str, Drawing]:
    """Every figure by name."""
    drawn = dict(found.figures)
    for each in found.calibrated:
        drawn |= each.figures
    return drawn


def facts(found: Devices) -> tuple[FactRow, ...]:
    """How the page was made."""
    return tuple(FactRow(name.capitalize(), in_words(value)) for name, value in found.circumstances.items())


def devices_markdown(found: Devices, drawn: dict[str, Drawing]) -> str:
    """The same in Markdown."""
    claims = [f"{each.title}: {claim}" for each in found.calibrated for claim in each.claims]
    header = ["device", "network", "how", "median, ms", "95 % interval", "images/s", "date"]
    body = [
        [
            escaped(row.setting.device),
            escaped(str(row.values["name"])),
            str(row.setting),
            f"{row.values['median_ms']:.4g}",
            f"{row.values['low_ms']:.4g} to {row.values['high_ms']:.4g}",
            f"{row.values['images_per_second']:,.1f}",
            row.date,
        ]
        for row in found.measured
        if row.values["median_ms"] is not None
    ]
    tables = ["\n".join(markdown(header, body))] if body else []
    return document("Devices", headline(found), claims, tables, drawn, facts(found))
