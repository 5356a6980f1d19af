"""Trainings as a report shows them: a table, learning curves, and what was predicted beside what came out, as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from pvtsearch.report.rows import StageRow, stage_row
from pvtsearch.report.templates import environment
from pvtsearch.trainings import ROLES, Campaign, Role, Training

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 360, 48, 16, 12, 44
TICKS = 6  # at most, apart from the first
STEPS = tuple(digit * 10**power for power in range(4) for digit in (1, 2, 5))


class Place(NamedTuple):
    """Pixels from the left and from the top."""

    x: float
    y: float


@dataclass(frozen=True)
class TrainingRow:
    """A training in the table."""

    number: int
    role: Role
    why: str
    seed: int
    accuracy_percent: float
    error_percent: float
    predicted: tuple[float, float] | None
    stages: tuple[StageRow, ...]
    name: str


@dataclass(frozen=True)
class CampaignRows:
    """The trainings of a search; curves and predictions are SVG, `predictions` empty where none was checked."""

    trainings: tuple[TrainingRow, ...]
    curves: Markup
    predictions: Markup


class Scale(NamedTuple):
    """From least to most, over so many pixels from `start`; a negative length goes up."""

    least: float
    most: float
    start: float
    length: float

    def __call__(self, value: float) -> float:
        """Pixels."""
        return round(self.start + self.length * (value - self.least) / ((self.most - self.least) or 1), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where ticks stand, and what they say."""
        step = next(step for step in STEPS if (self.most - self.least) / step <= TICKS)
        first = -(-self.least // step) * step
        values = [first + step * place for place in range(int((self.most - first) // step) + 1)]
        return [(self(value), f"{value:.0f}") for value in values]


def campaign_rows(found: Campaign) -> CampaignRows:
    """What a report shows of trainings."""
    rows = tuple(
        TrainingRow(
            number=number,
            role=each.role,
            why=ROLES[each.role],
            seed=each.seed,
            accuracy_percent=each.accuracy_percent,
            error_percent=each.outcome.error_percent,
            predicted=each.predicted,
            stages=tuple(stage_row(stage) for stage in each.config.stages),
            name=each.config.name,
        )
        for number, each in enumerate(found.trainings, start=1)
    )
    return CampaignRows(rows, _curves(found.trainings), _predictions(found.of("chosen")))


def _curves(trainings: tuple[Training, ...]) -> Markup:
    """Top-1 over epochs, the foremost roles drawn last."""
    order: list[Role] = ["start", "random", "reference", "chosen", "again"]
    epochs = max(len(each.outcome.curve) for each in trainings)
    top = max(epoch.accuracy_percent for each in trainings for epoch in each.outcome.curve)
    x = Scale(1, max(2, epochs), LEFT, WIDTH - LEFT - RIGHT)
    y = Scale(0, _rounded_up(top), HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT)
    lines = [
        (role, "M" + " L".join(f"{x(epoch.number)} {y(epoch.accuracy_percent)}" for epoch in each.outcome.curve))
        for role in order
        for each in trainings
        if each.role == role
    ]
    shown = [role for role in order if any(each.role == role for each in trainings)]
    return _svg("epoch", "top-1, percent, held out", x, y, lines=lines, shown=shown, title="Learning curves")


def _predictions(chosen: tuple[Training, ...]) -> Markup:
    """What was predicted of each chosen network beside what came out, with 95 % of what was believed."""
    known = [(each.predicted, each.accuracy_percent) for each in chosen if each.predicted]
    if not known:
        return Markup("")
    spans = [(max(0.0, mean - 1.96 * deviation), min(100.0, mean + 1.96 * deviation)) for (mean, deviation), _ in known]
    values = [value for span in spans for value in span] + [accuracy for _, accuracy in known]
    least, most = _rounded_down(min(values)), _rounded_up(max(values))
    x = Scale(least, most, LEFT, WIDTH - LEFT - RIGHT)
    y = Scale(least, most, HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT)
    points = [
        (Place(x(mean), y(accuracy)), x(low), x(high))
        for ((mean, _), accuracy), (low, high) in zip(known, spans, strict=True)
    ]
    diagonal = f"M{x(least)} {y(least)} L{x(most)} {y(most)}"
    return _svg(
        "predicted top-1, percent, with 95 %", "trained top-1, percent", x, y,
        points=points, diagonal=diagonal, title="Predicted beside trained",
    )  # fmt: skip


def _rounded_up(value: float) -> float:
    return min(100.0, 5 * (int(value // 5) + 1))


def _rounded_down(value: float) -> float:
    return max(0.0, 5 * float(value // 5))


def _svg(x_title: str, y_title: str, x: Scale, y: Scale, *, title: str, **drawn: object) -> Markup:
    frame = {"lines": [], "shown": [], "points": [], "diagonal": ""}
    text = (
        environment()
        .get_template("campaign.svg.j2")
        .render(
            **(frame | drawn), x=x, y=y, x_title=x_title, y_title=y_title, title=title, roles=ROLES,
            width=WIDTH, height=HEIGHT, left=LEFT, right=WIDTH - RIGHT, top=TOP, bottom=HEIGHT - BOTTOM,
        )
    )  # fmt: skip
    return Markup(text)  # noqa: S704  (the template escapes)
