"""Networks of one setting measured: each alone for its memory, all in turn for their latency, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import nn

from pvtsearch.analysis.device_state import available_bytes
from pvtsearch.analysis.latency import (
    current,
    measured_peaks,
    memory_named,
    ready_to_time,
    release,
    state_reader,
    timer_of,
    torch_device,
)
from pvtsearch.analysis.measured import Comparison, Measured, Outcome, Peaks
from pvtsearch.analysis.peak import inference_memory, training_memory
from pvtsearch.analysis.sampling import Interleaved, Run, measure_interleaved
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.timing import Latency, Plan, TimingSetting, compare, noise_floor
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, Task, is_dense
from pvtsearch.errors import DoesNotFit, Failure, InputError, Unsteady
from pvtsearch.heads import region_shapes

REPEAT = " (again)"  # ends the name under which the first network of a group is measured a second time


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network to measure: what builds it, and what it takes. config: none where it is not this project's."""

    name: str
    build: Callable[[], nn.Module]
    config: ModelConfig | None = None
    task: Task = "classification"
    image_size: ImageSize = (224, 224)
    in_chans: int = 3

    def shapes(self, batch_size: int) -> list[tuple[int, ...]]:
        """Of the images, then of the regions where there are any."""
        regions = ((batch_size * count, *rest) for count, *rest in region_shapes(self.task))
        return [(batch_size, self.in_chans, *self.image_size), *regions]


def peaks_or_reason(one: Candidate, module: nn.Module, setting: TimingSetting) -> Peaks | str:
    """Peak memory of a network that runs alone, or why it does not fit."""
    release()  # what came before, and would count
    try:
        if one.config is not None and not is_dense(one.task):
            check_prediction(one.config, one.image_size, one.task, setting)
        with memory_named(), torch_errors_named(one.name):
            return measured_peaks(module, one.shapes(setting.batch_size), setting)
    except DoesNotFit as error:
        return str(error)


def check_prediction(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: TimingSetting) -> None:
    """Raise `DoesNotFit` where the closed form says so of the CPU, whose system ends processes that take too much."""
    available = available_bytes()
    if setting.device != "cpu" or available is None:
        return
    memory = MemorySetting(
        batch_size=setting.batch_size, dtype=setting.dtype, attention=setting.attention, optimizer=setting.optimizer
    )
    formula = inference_memory if setting.mode == "inference" else training_memory
    needed = formula(config, image_size, task, memory).peak_bytes
    if needed > available:
        raise DoesNotFit(f"it needs {needed:,} bytes and {available:,} are available")


@contextmanager
def torch_errors_named(name: str) -> Iterator[None]:
    """Turns what torch cannot do with a network into one line that names it."""
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        raise Failure(f"{name}: torch.compile failed: {str(error).strip().splitlines()[0]}") from error
    except NotImplementedError as error:
        raise InputError(f"{name}: {str(error).splitlines()[0]}") from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise InputError(
            f"{name}: BatchNorm cannot be trained on one value per channel: give a larger batch size or input"
        ) from error


class Turns(NamedTuple):
    """What taking turns gave; found is None where nothing could be timed. reasons: by name, why there is no latency."""

    found: Interleaved | None
    reasons: Mapping[str, str]
    outcome: Outcome = "does not fit"


def take_turns(
    candidates: Sequence[Candidate], built: Mapping[str, nn.Module], setting: TimingSetting, plan: Plan
) -> Turns:
    """Latencies of networks that are on the device together; of the first twice, under a second name."""
    release()
    device = torch_device(setting.device)
    reasons: dict[str, str] = {}
    runs: dict[str, Run] = {}
    with ExitStack() as stack:
        for each in candidates:
            try:
                with memory_named(), torch_errors_named(each.name):
                    ready = ready_to_time(built[each.name], each.shapes(setting.batch_size), setting)
                    runs[each.name] = stack.enter_context(ready).run
            except DoesNotFit as error:
                reasons[each.name] = f"{error} beside the others: measure it alone"
        if not runs:
            return Turns(None, reasons)
        first = next(iter(runs))
        runs = {first: runs[first], first + REPEAT: runs[first], **runs}
        try:
            with current(device), memory_named():
                found = measure_interleaved(runs, plan=plan, timer=timer_of(device), state=state_reader(device))
        except (DoesNotFit, Unsteady) as error:
            outcome: Outcome = "does not fit" if isinstance(error, DoesNotFit) else "unsteady"
            return Turns(None, reasons | dict.fromkeys(runs, str(error)), outcome)
    return Turns(found, reasons)


@dataclass(frozen=True)
class Group:
    """Networks that took turns in one setting: their memory or why they do not fit, and what was timed."""

    candidates: Sequence[Candidate]
    setting: TimingSetting
    number: int
    peaks: Mapping[str, Peaks | str]
    turns: Turns
    references: Sequence[str]

    @property
    def latencies(self) -> Mapping[str, Latency]:
        """By name, the first network's second one too."""
        return self.turns.found.latencies if self.turns.found else {}

    @property
    def rows(self) -> list[Measured]:
        """One of every network."""
        return [self._row(each) for each in self.candidates]

    def _row(self, one: Candidate) -> Measured:
        peaks, latency = self.peaks[one.name], self.latencies.get(one.name)
        row = Measured(
            name=one.name,
            config=one.config,
            task=one.task,
            image_size=one.image_size,
            setting=self.setting,
            outcome="does not fit",
            together=self.number,
        )
        if isinstance(peaks, str):
            return replace(row, note=peaks)
        if latency is None:
            return replace(row, outcome=self.turns.outcome, peaks=peaks, note=self.turns.reasons[one.name])
        outcome: Outcome = "unsteady" if latency.refusal else "measured"
        return replace(row, outcome=outcome, latency=latency, peaks=peaks, note=latency.refusal or "")

    @property
    def repeats(self) -> list[Comparison]:
        """The first network against itself."""
        again = [name for name in self.latencies if name.endswith(REPEAT)]
        return [
            Comparison(name, one, self.setting.batch_size, compare(self.latencies[name], self.latencies[one]))
            for one in again
            for name in [one.removesuffix(REPEAT)]
        ]

    @property
    def comparisons(self) -> list[Comparison]:
        """Every network against every reference but itself; nothing smaller than the noise floor is told apart."""
        known, size = self.latencies, self.setting.batch_size
        floor = max((noise_floor(known[each.name], known[each.other]) for each in self.repeats), default=0.0)
        return [
            Comparison(name, other, size, compare(known[name], known[other], floor=floor))
            for name in (each.name for each in self.candidates)
            for other in self.references
            if name not in self.references and {name, other} <= set(known)
        ]

    @property
    def circumstances(self) -> dict[str, Any]:
        """How the rounds went, and what the device said meanwhile."""
        found = self.turns.found
        if found is None:
            return {"batch_size": self.setting.batch_size}
        return {
            "batch_size": self.setting.batch_size,
            "seconds": round(found.seconds, 2),
            "warm_up_rounds": found.warm_up_rounds,
            "throttle": sorted({reason for state in found.states for reason in state.throttle}),
            "clock_mhz": _range(state.clock_mhz for state in found.states),
            "temperature_c": _range(state.temperature_c for state in found.states),
        }


def _range(values: Iterable[float | None]) -> list[float] | None:
    """Least and largest of what was read."""
    known = [value for value in values if value is not None]
    return [min(known), max(known)] if known else None
