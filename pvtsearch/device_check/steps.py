"""The steps of `make gpu`: one after the other, each within its share of the time."""

from __future__ import annotations

import faulthandler
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from pvtsearch.device_check.settings import Settings
from pvtsearch.errors import PvtsearchError

PATIENCE_SECONDS = 30  # for what a step is at when its share of the time ends, such as a network that is compiled

STDERR = 2  # as the system knows it, whatever stands for it in Python

Check: TypeAlias = Callable[[Settings, float], str]
State: TypeAlias = Literal["ok", "failed"]


class Step(NamedTuple):
    """A check, and its share of the time that is left when it begins, relative to the steps after it."""

    check: Check
    weight: float


@dataclass(frozen=True)
class Outcome:
    """How a step went: `ok`, `failed`, and what it said in one line."""

    step: str
    state: State
    told: str
    seconds: float


class TimeIsUp(BaseException):
    """Ends a step at once: no `Exception`, since compilers turn every one into their own."""


def run_steps(steps: Mapping[str, Step], settings: Settings) -> Iterator[Outcome]:
    """All steps, one after the other, within the settings' seconds; one that fails stops no other.

    A step is told when its share of the time ends, and looks at it between two networks. It is stopped some seconds
    later, in any case while half of what the later steps have is left to them.
    """
    end = time.monotonic() + settings.seconds
    names = list(steps)
    for position, name in enumerate(names):
        began = time.monotonic()
        weights = sum(steps[each].weight for each in names[position:])
        deadline = began + (end - began) * steps[name].weight / weights
        stop = deadline + min(PATIENCE_SECONDS, (end - deadline) / 2)
        state, told = _tried(steps[name].check, settings, deadline, stop - began)
        outcome = Outcome(name, state, told, round(time.monotonic() - began, 1))
        print(f"{name}: {state}, {outcome.seconds} s: {told}", flush=True)
        yield outcome


def _tried(check: Check, settings: Settings, deadline: float, seconds: float) -> tuple[State, str]:
    try:
        with stopped_after(seconds):
            return "ok", check(settings, deadline)
    except TimeIsUp:
        return "failed", "the time was up"
    except PvtsearchError as error:
        return "failed", str(error)
    except Exception as error:  # a step of its own, on a machine nobody has seen: the others still tell something
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """Raises `TimeIsUp` within it after so many seconds, where the system has such an alarm."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Ends the process after so many seconds within it, and prints where it was: a kernel that hangs hears no alarm."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
