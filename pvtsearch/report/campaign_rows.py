"""Trainings as a report shows them: a table, learning curves, and what was predicted beside what came out."""

from __future__ import annotations

from dataclasses import dataclass

from pvtsearch.report.drawing import Drawing
from pvtsearch.report.plane import Dots, Path, Plane, Spot, drawn
from pvtsearch.report.rows import StageRow, stage_row
from pvtsearch.report.ticks import Axis, around
from pvtsearch.trainings import ROLES, Campaign, Role, Training

ORDER: tuple[Role, ...] = ("start", "random", "reference", "chosen", "again")  # the foremost are drawn last
STYLES: dict[Role, int] = {"start": 0, "random": 4, "reference": 2, "chosen": 1, "again": 3}


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
    """The trainings of a search; `predictions` is there where any was checked."""

    trainings: tuple[TrainingRow, ...]
    curves: Drawing
    predictions: Drawing | None

    @property
    def figures(self) -> dict[str, Drawing]:
        """The figures by name."""
        return {each.name: each for each in (self.curves, self.predictions) if each is not None}


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


def _curves(trainings: tuple[Training, ...]) -> Drawing:
    """Top-1 over epochs, the foremost roles drawn last."""
    named: set[Role] = set()
    paths = []
    for role in ORDER:
        for each in (each for each in trainings if each.role == role):
            name = "" if role in named else role
            named.add(role)
            points = [(epoch.number, epoch.accuracy_percent) for epoch in each.outcome.curve]
            paths.append(Path(name, STYLES[role], points, dashed=role == "reference"))
    epochs = [epoch.number for each in trainings for epoch in each.outcome.curve]
    accuracies = [y for path in paths for _x, y in path.points]
    best = max(trainings, key=lambda each: each.accuracy_percent)
    said = f"{len(trainings):,} trainings, the best of them ({best.role}) {best.accuracy_percent:.1f} %."
    x = around("epoch", epochs, count=min(5, max(1, max(epochs) - 1)))
    y = around("top-1, percent, held out", [0.0, *accuracies])
    return drawn(Plane("learning-curves", "Learning curves", "Top-1 on held-out images.", said, x, y, paths=paths))


def _predictions(chosen: tuple[Training, ...]) -> Drawing | None:
    """What was predicted of each chosen network beside what came out, with 95 % of what was believed."""
    known = [(each.predicted, each.accuracy_percent) for each in chosen if each.predicted]
    if not known:
        return None
    spans = [(max(0.0, mean - 1.96 * deviation), min(100.0, mean + 1.96 * deviation)) for (mean, deviation), _ in known]
    values = [value for span in spans for value in span] + [accuracy for _, accuracy in known]
    x = around("predicted top-1, percent, with 95 %", values)
    y = Axis("trained top-1, percent", x.low, x.high, x.ticks)
    believed = [Path("", 1, [(low, came), (high, came)]) for (low, high), (_, came) in zip(spans, known, strict=True)]
    equal = Path("predicted = trained", 0, [(x.low, x.low), (x.high, x.high)], dashed=True)
    spots = [Spot(mean, came, f"predicted {mean:.1f} %, trained {came:.1f} %") for (mean, _), came in known]
    said = "; ".join(spot.words for spot in spots)
    title = "Predicted beside trained"
    return drawn(Plane("predicted-trained", title, "Networks that were chosen for their prediction.", said, x, y,
                       paths=[equal, *believed], dots=[Dots("", 1, spots)]))  # fmt: skip
