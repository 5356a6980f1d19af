"""Everything pvtsearch raises on purpose.

PvtsearchError
├── InputError (also a ValueError)   what was given is wrong: the command line exits with 2
│   ├── ConfigError                  a configuration breaks a law of the network
│   ├── SpaceError                   a search space cannot be what its file says
│   ├── BudgetError                  a limit is missing, malformed or on an unknown metric
│   ├── StudyError                   a stored study cannot be opened, or belongs to another search
│   └── WeightsError                 a state dict does not fit the network
└── Failure                          the input was fine, the answer is no: the command line exits with 1
    ├── NothingFeasible              no configuration of the space lies within the budget
    ├── DoesNotFit                   the memory of a device is too small for what was to run
    ├── ScoreError                   a signal gave no finite number, or has none to give for a network
    ├── Diverged                     the loss of a training is no number any more
    ├── UnknownOperator              a counter met an operator it has no rule for
    ├── EvaluationFailed             a configuration could not be evaluated
    ├── StorageLost                  a study's storage went away while it was worked on, and stayed away
    ├── Untrusted                    a supernet's order was not borne out by networks trained on their own
    └── Unsteady                     durations were measured that no single number stands for
"""

from __future__ import annotations

MOST_CHARACTERS = 500  # of a reason


class PvtsearchError(Exception):
    """Base of all errors raised on purpose; its text is one line for people."""


class InputError(PvtsearchError, ValueError):
    """What was given is wrong. The text names what, where and what would be right."""


class ConfigError(InputError):
    """A configuration breaks a law of the network."""


class SpaceError(InputError):
    """A search space cannot be what its file says."""


class BudgetError(InputError):
    """A limit is missing, malformed or on an unknown metric."""


class StudyError(InputError):
    """A stored study belongs to another search."""


class WeightsError(InputError):
    """A state dict does not fit the network it was given to."""


class Failure(PvtsearchError):
    """The input was fine and the answer is no."""


class NothingFeasible(Failure):
    """No configuration of the space lies within the budget."""


class DoesNotFit(Failure):
    """The memory of a device is too small for what was to run."""


class ScoreError(Failure):
    """A signal gave no finite number for a network, or cannot: that is no bad score, it is none."""


class Diverged(Failure):
    """The loss of a training is no number any more."""


class UnknownOperator(Failure):
    """A counter met an operator it has no rule for: a total would be wrong, so there is none."""


class EvaluationFailed(Failure):
    """A configuration could not be evaluated: it broke its limits, or died."""


class StorageLost(Failure):
    """A study's storage went away while it was worked on, and stayed away."""


class Untrusted(Failure):
    """A supernet's order was not borne out by networks trained on their own."""


class Unsteady(Failure):
    """Durations were measured that no single number stands for."""


class Ended(BaseException):
    """This process was told to end (SIGTERM): no error, and caught by nothing that catches errors."""


def reason(error: Exception) -> str:
    """Why something failed, in a line; an error that nobody foresaw says what it is."""
    text = str(error) if isinstance(error, PvtsearchError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:MOST_CHARACTERS]
