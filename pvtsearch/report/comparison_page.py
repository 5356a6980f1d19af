"""The page about a comparison, and its small parts: Markdown and SVG, for papers and repositories."""

from __future__ import annotations

from pathlib import Path

from pvtsearch.config import PVTConfig
from pvtsearch.report.comparison import Comparison
from pvtsearch.report.comparison_figures import figures, side_crossings
from pvtsearch.report.comparison_wording import claims, facts, headline
from pvtsearch.report.drawing import Drawing
from pvtsearch.report.markdown import document, escaped, markdown
from pvtsearch.report.page import Page, rendered, write_page
from pvtsearch.report.pyramid import pyramid, scale_of
from pvtsearch.report.quantities import label


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page to path and its parts into the folder of that name without ending, each whole or not at all."""
    write_page(comparison_page(comparison), path)


def comparison_page(comparison: Comparison) -> Page:
    """The page and its parts."""
    drawn = figures(comparison)
    return Page(comparison_html(comparison, drawn), comparison_markdown(comparison, drawn), drawn)


def comparison_html(comparison: Comparison, drawn: dict[str, Drawing]) -> str:
    """The page as one HTML document; its figures are SVG, which needs no library."""
    scale = scale_of([each.shape for each in comparison.networks])
    crossed = [(metric, each) for metric in comparison.curves for each in side_crossings(comparison, metric)]
    return rendered(
        "compare.html.j2",
        scripts=[],
        data={"sources": [{"name": n.name, "yaml": n.yaml, "python": n.python} for n in comparison.networks]},
        headline=headline(comparison),
        claims=claims(comparison),
        facts=facts(comparison),
        comparison=comparison,
        pyramids=[(each, pyramid(each.name, each.shape, scale)) for each in comparison.networks],
        has_pyramids=any(isinstance(each.config, PVTConfig) for each in comparison.networks),
        by_stage=[each for name, each in drawn.items() if name.endswith("-by-stage")],
        by_side=[each for name, each in drawn.items() if name.endswith("-by-side")],
        of_devices=[each for name, each in drawn.items() if "latency" in name or name.startswith("roofline")],
        latency_views=[view for view in comparison.devices if view.measured_ns],
        crossings=crossed,
    )


def comparison_markdown(comparison: Comparison, drawn: dict[str, Drawing]) -> str:
    """The same in Markdown, figures as links to the SVG files beside it."""
    header = ["network", *map(label, comparison.metrics), "published top-1, %"]
    header += [f"stage {number}" for number in range(1, comparison.stage_count + 1)]
    body = [
        [
            escaped(each.name),
            *(f"{each.values[metric]:,}" for metric in comparison.metrics),
            "" if each.top1_percent is None else f"{each.top1_percent}",
            *(f"{stage.channels} × {stage.depth}" for stage in each.shape),
            *[""] * (comparison.stage_count - len(each.shape)),
        ]
        for each in comparison.networks
    ]
    tables = ["\n".join(markdown(header, body))] if body else []
    return document("Comparison", headline(comparison), claims(comparison), tables, drawn, facts(comparison))
