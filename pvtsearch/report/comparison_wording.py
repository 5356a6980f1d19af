"""A comparison in words: which network, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pvtsearch.analysis.scaling import Curve
from pvtsearch.report.comparison import Comparison
from pvtsearch.report.networks import ComparedNetwork
from pvtsearch.report.quantities import label, plural, readable
from pvtsearch.report.wording import FactRow, in_words, with_noun

LEAST = {
    "params": "the fewest parameters",
    "macs": "the fewest MACs",
    "inference_peak_bytes": "the least peak memory in inference",
    "training_peak_bytes": "the least peak memory in training",
}
BUDGET = ("params", "macs")
NAMED = 6  # networks that a sentence names


def headline(comparison: Comparison) -> str:
    """Which network is to be taken by what is known: held against the first reference, or by what each is least in."""
    own = comparison.own
    if not own:
        return "No network to compare."
    if comparison.references:
        return beside(comparison, comparison.references[0])
    if len(own) == 1:
        return f"{own[0].name}, {_input(comparison)}: {costs(own[0])}."
    return f"Of {len(own):,} networks, {_input(comparison)}, {leaders(comparison)}."


def claims(comparison: Comparison) -> tuple[str, ...]:
    """What else is to be said, each in a sentence or two; nothing of what is not known."""
    own = comparison.own
    first, *others = comparison.references or (None,)
    said = [
        f"Among themselves {leaders(comparison)}." if first and len(own) > 1 else "",
        *(beside(comparison, other) for other in others if other),
        accuracies(comparison.networks),
        *latencies(comparison),
        *(by_side(metric, drawn) for metric, drawn in comparison.curves.items() if len(drawn) > 1),
    ]
    return tuple(claim for claim in said if claim) if own else ()


def _input(comparison: Comparison) -> str:
    """What they are compared for."""
    height, width = comparison.about.image_size
    task = comparison.about.task
    return f"at {height} × {width}" + ("" if task == "classification" else f" as {task}")


def costs(network: ComparedNetwork) -> str:
    """What one network costs."""
    *first, last = [with_noun(metric, value) for metric, value in network.values.items()]
    return f"{', '.join(first)} and {last}"


def leaders(comparison: Comparison) -> str:
    """Which network is least in what, one clause for each network that is."""
    own = comparison.own
    best = {metric: min(own, key=lambda each: each.values[metric]) for metric in comparison.metrics}
    clauses = []
    for name in dict.fromkeys(network.name for network in best.values()):
        metrics = [metric for metric, network in best.items() if network.name == name]
        least = [f"{LEAST[metric]} ({readable(metric, best[metric].values[metric])})" for metric in metrics]
        clauses.append(f"{name} has {_listed(least)}")
    return "; ".join(clauses)


def beside(comparison: Comparison, reference: ComparedNetwork) -> str:
    """How many are within a reference's parameters and MACs, and the one of them that is to be preferred."""
    own = comparison.own
    within = [each for each in own if all(each.values[metric] <= reference.values[metric] for metric in BUDGET)]
    subject = f"{_input(comparison)[0].upper()}{_input(comparison)[1:]},"
    if not within:
        nearest = min(own, key=lambda each: max(_ratios(each, reference).values()))
        return (
            f"{subject} none of {plural(len(own), 'network')} is within {reference.name}’s parameters and MACs; the "
            f"nearest, {nearest.name}, has {shares(comparison, nearest, reference)}."
        )
    chosen, why = preferred(within)
    count = "the one network is" if len(own) == 1 else f"{len(within):,} of {len(own):,} networks are"
    if len(own) > 1 and len(within) == 1:
        count = f"1 of {len(own):,} networks is"
    of = f"; {chosen.name}, {why}," if len(within) > 1 else f"; {chosen.name}"
    has = shares(comparison, chosen, reference)
    return f"{subject} {count} within {reference.name}’s parameters and MACs{of} has {has}."


def preferred(networks: Sequence[ComparedNetwork]) -> tuple[ComparedNetwork, str]:
    """The network of the highest published top-1, or of the fewest MACs where none is published; and why."""
    known = [each for each in networks if each.top1_percent is not None]
    if known:
        best = max(known, key=lambda each: (each.top1_percent or 0.0, -each.values["macs"]))
        return best, f"the best of them by published top-1 ({best.top1_percent}\u00a0%)"
    return min(networks, key=lambda each: each.values["macs"]), "the one of them with the fewest MACs"


def shares(comparison: Comparison, network: ComparedNetwork, reference: ComparedNetwork) -> str:
    """Its costs as shares of a reference's, with latency where both were measured."""
    found = [f"{ratio:.2f} of its {_short(metric)}" for metric, ratio in _ratios(network, reference).items()]
    for view in comparison.devices:
        if {network.name, reference.name} <= view.measured_ns.keys():
            ratio = view.measured_ns[network.name] / view.measured_ns[reference.name]
            found.append(f"{ratio:.2f} of its latency, measured on {view.device}")
    return _listed(found)


def _ratios(network: ComparedNetwork, reference: ComparedNetwork) -> dict[str, float]:
    return {metric: network.values[metric] / reference.values[metric] for metric in network.values}


def _short(metric: str) -> str:
    return "MACs" if metric == "macs" else label(metric).lower().replace(",", " in")


def accuracies(networks: Sequence[ComparedNetwork]) -> str:
    """What was published of the accuracy of these networks, best first."""
    known = sorted((each for each in networks if each.top1_percent is not None), key=lambda e: -(e.top1_percent or 0))
    if not known:
        return ""
    shown = ", ".join(f"{each.name} {each.top1_percent}\u00a0%" for each in known[:NAMED])
    more = f" and {len(known) - NAMED:,} more" if len(known) > NAMED else ""
    return f"Published top-1 on ImageNet-1K at 224 × 224: {shown}{more}."


def latencies(comparison: Comparison) -> Iterator[str]:
    """What was measured on each calibrated device, fastest first."""
    for view in comparison.devices:
        found = sorted(view.measured_ns.items(), key=lambda each: each[1])
        if found:
            shown = ", ".join(f"{name} {readable('latency_ns', taken)}" for name, taken in found[:NAMED])
            yield f"Measured on {view.device} ({view.setting}): {shown}."


def by_side(metric: str, drawn: Sequence[Curve]) -> str:
    """Which network needs least at which sides of a square input."""
    sides = drawn[0].sides
    least = [min(drawn, key=lambda curve: curve.values[place]).label for place in range(len(sides))]
    need = "needs the fewest MACs" if metric == "macs" else "needs the least memory in inference"
    changes = [place for place in range(1, len(sides)) if least[place] != least[place - 1]]
    if not changes:
        return f"{least[0]} {need} at every side from {sides[0]} to {sides[-1]} pixels."
    spans = [f"{least[0]} up to {sides[changes[0] - 1]} px", *(f"{least[c]} from {sides[c]} px" for c in changes)]
    return f"Which one {need} depends on the side of the input: {', '.join(spans)}."


def facts(comparison: Comparison) -> tuple[FactRow, ...]:
    """How the page was made."""
    height, width = comparison.about.image_size
    said: Mapping[str, str] = {
        "Networks": ", ".join(each.name for each in comparison.own),
        "Beside": ", ".join(each.name for each in comparison.references),
        "Image size": f"{height} × {width}",
        "Task": comparison.about.task,
        "Parameters and MACs": "in closed form, exact, for one image",
        "Peak memory": _memory(comparison),
        "Latency": "; ".join(f"{view.device}: {view.setting}" for view in comparison.devices),
        **{label(name): in_words(value) for name, value in comparison.circumstances.items()},
    }
    return tuple(FactRow(name, value) for name, value in said.items() if value)


def _memory(comparison: Comparison) -> str:
    if "inference_peak_bytes" not in comparison.metrics:
        return ""
    images = plural(comparison.about.batch_size, "image")
    return (
        f"in closed form: {images}, {comparison.about.dtype}, fused attention; of a training step with AdamW’s update; "
        "without library workspaces"
    )


def _listed(texts: Sequence[str]) -> str:
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else last
