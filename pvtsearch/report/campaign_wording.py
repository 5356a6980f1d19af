"""What trainings found, in words: the recommended network, what it is worth, and how far the figures carry."""

from __future__ import annotations

from pvtsearch.records import SearchResult
from pvtsearch.report.quantities import plural
from pvtsearch.trainings import ACCURACY, Campaign, Gain, Outcome, Role

OVER: dict[Role, str] = {"reference": "the known shape at this budget", "random": "a random network within the limits"}

SHORT = "they rank networks there, and foretell no figure of a long training or of other data."


def recommended_in_words(found: Campaign) -> str:
    """The headline: the accuracy of the recommended network, by the training that had no part in choosing it."""
    accuracy = found.of("again")[-1].accuracy_percent
    count = plural(len(found.trainings), "training")
    if not found.verdict.resolvable:
        return (
            f"Not resolvable: within this budget networks differ by less than trainings of one do. Choose by latency "
            f"or cost; the network that {count} recommend reaches a top-1 of {accuracy:.1f} %."
        )
    return f"The network that {count} recommend reaches a top-1 of {accuracy:.1f} % from a seed of its own."


def campaign_in_words(result: SearchResult) -> tuple[str, ...]:
    """What is to be known of a recommendation by trainings; nothing of other searches."""
    found = result.campaign
    if found is None:
        return ()
    said = [
        _gains_in_words(found),
        _noise_in_words(found),
        _predictor_in_words(found),
        _random_in_words(found),
        f"Trainings ended because of {found.stopped}." if found.stopped.startswith("the limit") else
        f"Trainings ended: {found.stopped}.",
        f"Accuracies are of short trainings on the data named below: {SHORT}",
    ]  # fmt: skip
    return tuple(each for each in said if each)


def trials_in_words(result: SearchResult) -> str:
    """How far accuracies of trials carry, each of one training; nothing where none were trained."""
    facts = result.circumstances.get("training")
    if result.campaign is not None or facts is None:
        return ""
    held_out = facts["data"]["held_out"]
    best = max((record.value(ACCURACY) for record in result.records), default=0.0)
    error = Outcome(best, held_out, (), 0.0).error_percent
    return (
        f"Each accuracy is of one training of {plural(facts['recipe']['epochs'], 'epoch')} on {facts['data']['name']}, "
        f"seen on {held_out:,} held-out images: that alone leaves the highest a standard error of {error:.1f} points, "
        f"and another seed gives other figures; {SHORT}"
    )


def _gains_in_words(found: Campaign) -> str:
    gains = [_gain_in_words(gain) for gain in found.verdict.gains]
    return f"It is {' and '.join(gains)}." if gains else ""


def _gain_in_words(gain: Gain) -> str:
    direction = "above" if gain.points >= 0 else "below"
    low, high = sorted((gain.lower, gain.upper))
    proven = "" if low > 0 or high < 0 else ", which may be noise"
    return f"{abs(gain.points):.1f} points {direction} {OVER[gain.over]} (95 % [{low:+.1f}, {high:+.1f}]{proven})"


def _noise_in_words(found: Campaign) -> str:
    verdict = found.verdict
    relation = "above" if verdict.resolvable else "not above"
    return (
        f"Predictions over uniform draws within the limits spread by {verdict.spread:.1f} points (standard deviation), "
        f"{relation} the noise of one training, {verdict.noise:.1f} points."
    )


def _predictor_in_words(found: Campaign) -> str:
    if found.verdict.left_out is None:
        return ""
    tau, lower, upper = found.verdict.left_out
    worth = (
        "" if lower > 0 else ": no better than a coin for all that is known (leaving a network out lowers it a little)"
    )
    return (
        f"Each network predicted by all others, the order agrees with what was trained to a Kendall tau of {tau:.2f} "
        f"[{lower:.2f}, {upper:.2f}]{worth}."
    )


def _random_in_words(found: Campaign) -> str:
    best = found.verdict.random_best
    if not best:
        return ""
    return (
        f"Spread networks alone, without any prediction: the best of {len(best)} reached {best[-1]:.1f} %, of one "
        f"{best[0]:.1f} % in the mean."
    )
