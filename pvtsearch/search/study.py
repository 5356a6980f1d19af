"""Optuna studies over feasible configurations only, from any number of processes; resumable at any moment."""

from __future__ import annotations

from collections.abc import Callable

import optuna

from pvtsearch.errors import Ended, EvaluationFailed, InputError, reason
from pvtsearch.records import TrialRecord
from pvtsearch.search.ending import Ending
from pvtsearch.search.plan import StudyPlan
from pvtsearch.search.stored import StoredStudy, Taken

MOST_FAILURES = 5  # with no success: then it is not the configurations


def run_study(
    study: StoredStudy,
    plan: StudyPlan,
    on_record: Callable[[TrialRecord], None] = lambda _record: None,
    ending: Ending | None = None,
) -> list[TrialRecord]:
    """Evaluate until the plan's number of distinct configurations is reached, or no further one is feasible.

    Any number of processes may do so at once: no configuration is evaluated by two of them. One alone that is killed
    goes on exactly as it would have. A configuration whose training a pruner ended, or whose evaluation failed, counts
    as evaluated, and is no record. Raises `EvaluationFailed` where the first ones all fail.
    """
    ending = ending or Ending()
    with study.joined():
        while (taken := study.take(lambda: ending.requested)) is not None:
            record = _evaluated(study, plan, taken, ending)
            if record is not None:
                on_record(record)
            elif study.count("failed") >= MOST_FAILURES and not study.count("complete", "pruned", "live"):
                raise EvaluationFailed(f"all of {study.count('failed')} evaluations failed; {study.failures()[-1]}")
    return study.records()


def _evaluated(study: StoredStudy, plan: StudyPlan, taken: Taken, ending: Ending) -> TrialRecord | None:
    """The record of a configuration; None where there is none, and why is stored."""
    try:
        with ending.interrupts():
            scores = plan.evaluate(taken.decoded, study.hears(taken))
    except optuna.TrialPruned:
        study.prune(taken)
    except (InputError, KeyboardInterrupt, SystemExit, Ended):
        study.release(taken)
        raise
    except Exception as error:  # whatever it is, it is this configuration's, and no other worker's
        study.fail(taken, reason(error))
    else:
        return study.finish(taken, scores)
    return None
