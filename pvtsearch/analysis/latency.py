"""A built network made ready to be timed, the clocks that time it, and its peak memory.

What is timed is a copy of the module, on the setting's device, so the caller's is left as it was; no flag of torch is
set, and random numbers are drawn from generators of their own.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar, assert_never, cast

import torch
from torch import Tensor, nn

from pvtsearch.analysis.device import cpu_peaks, cuda_peaks
from pvtsearch.analysis.device_state import cpu_state_reader, gpu_state_reader
from pvtsearch.analysis.live_bytes import Ready, ready_pass, ready_step
from pvtsearch.analysis.measured import Peaks
from pvtsearch.analysis.sampling import Run, StateReader, Timer
from pvtsearch.analysis.setting import MemoryFormat
from pvtsearch.analysis.timing import Sample, TimingSetting, check_device
from pvtsearch.errors import DoesNotFit, InputError

T = TypeVar("T")

FORMATS: dict[MemoryFormat, torch.memory_format] = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "out of memory")
UNBOUND = 2**31 - 1  # graphs that torch.compile may keep of one class of modules: each network needs its own


def torch_device(name: str) -> torch.device:
    """The device called cpu, cuda or cuda:N, with its number. Raises `InputError` where torch does not see it."""
    check_device(name)
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise InputError(f"device {name}: torch sees no CUDA device; cpu is there")
    index = torch.cuda.current_device() if device.index is None else device.index
    if index >= torch.cuda.device_count():
        raise InputError(f"device {name}: torch sees cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    return torch.device("cuda", index)


def timer_of(device: torch.device) -> Timer:
    """The clock of a device."""
    return host_timer if device.type == "cpu" else cuda_timer


def host_timer(run: Run) -> Sample:
    """How long a run takes that ends when it returns."""
    began = time.perf_counter_ns()
    run()
    return Sample((time.perf_counter_ns() - began) / 1e6)


def cuda_timer(run: Run) -> Sample:
    """The time between two events of the current device around a run, and the host's until all was launched.

    The device is idle at the start, so where the host is slower the time includes its waiting.
    """
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    began = time.perf_counter_ns()
    run()
    host_ms = (time.perf_counter_ns() - began) / 1e6
    end.record()
    end.synchronize()
    return Sample(start.elapsed_time(end), host_ms)


def state_reader(device: torch.device) -> StateReader:
    """The reader of a device's clocks, temperature and reasons to be slow."""
    if device.type == "cpu":
        return cpu_state_reader()
    return gpu_state_reader(f"GPU-{torch.cuda.get_device_properties(device).uuid}")


def current(device: torch.device) -> AbstractContextManager[object]:
    """Within it, device is torch's current one if it is a CUDA device."""
    return nullcontext() if device.type == "cpu" else torch.cuda.device(device)


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Afterwards torch's generators go on where they were."""
    initialised = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(range(torch.cuda.device_count()) if initialised else ()):
        yield


@contextmanager
def memory_named() -> Iterator[None]:
    """Turns every way that torch runs out of memory into `DoesNotFit`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        raise DoesNotFit("out of memory") from None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is what torch raises where memory ends, on a CUDA device or the CPU."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error) for words in OUT_OF_MEMORY)


def release() -> None:
    """Give back what nobody holds of a device: a module and its gradients hold each other, torch keeps the rest."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


def random_inputs(shapes: Sequence[Sequence[int]], setting: TimingSetting) -> list[Tensor]:
    """Normal values in the setting's type, device and memory format, from a generator of their own."""
    device, generator = torch_device(setting.device), torch.Generator().manual_seed(0)
    drawn = (torch.randn(tuple(shape), generator=generator) for shape in shapes)
    kinds = {"dtype": getattr(torch, setting.dtype), "memory_format": FORMATS[setting.memory_format]}
    return [values.to(device, **kinds) for values in drawn]


@contextmanager
def ready_to_time(module: nn.Module, shapes: Sequence[Sequence[int]], setting: TimingSetting) -> Iterator[Ready]:
    """A pass or step of a copy of module, on inputs of these shapes, that has run once.

    shapes: of the images, B C H W, and of what the module takes besides. Attention is as the module was built.
    Raises `InputError` for a device that is not there.
    """
    device = torch_device(setting.device)
    with current(device), random_numbers_kept(), _compiling(setting):
        with torch.inference_mode(False):  # within another's pass: copies would be tensors of another kind
            placed, inputs = _placed(module, setting), random_inputs(shapes, setting)
        with _ready(placed, inputs, setting) as ready:
            ready.run()
            yield ready if setting.execution != "graph" else ready._replace(run=graphed(ready.run)[0])


def _placed(module: nn.Module, setting: TimingSetting) -> nn.Module:
    own = copy.deepcopy(module)
    kinds: dict[str, Any] = {"device": torch_device(setting.device), "dtype": getattr(torch, setting.dtype)}
    own.to(**kinds, memory_format=FORMATS[setting.memory_format])
    match setting.execution:
        case "compiled":
            return cast(nn.Module, torch.compile(own, dynamic=False))
        case "eager" | "graph":
            return own
        case _:
            assert_never(setting.execution)


@contextmanager
def _ready(module: nn.Module, inputs: Sequence[Tensor], setting: TimingSetting) -> Iterator[Ready]:
    match setting.mode:
        case "inference":
            with ready_pass(module, *inputs) as ready:
                yield ready
        case "training":
            labels = torch.zeros(setting.batch_size, dtype=torch.int64, device=inputs[0].device)
            with ready_step(module, inputs[0], labels, setting.optimizer) as ready:
                yield ready._replace(run=_then(ready.run, module.zero_grad))
        case _:
            assert_never(setting.mode)


def _then(first: Run, second: Run) -> Callable[[], None]:
    """Both, one after the other."""

    def run() -> None:
        first()
        second()

    return run


def _compiling(setting: TimingSetting) -> AbstractContextManager[object]:
    """Lets torch.compile keep a graph per network: past its limit it would run the rest eagerly, without a word."""
    if setting.execution != "compiled":
        return nullcontext()
    import torch._dynamo.config

    limits: dict[str, Any] = {
        "recompile_limit": UNBOUND,
        "accumulated_recompile_limit": UNBOUND,
        "fail_on_recompile_limit_hit": True,
    }
    patched: AbstractContextManager[object] = torch._dynamo.config.patch(limits)
    return patched


def graphed(run: Callable[[], T]) -> tuple[Callable[[], None], T]:
    """The replay of a CUDA graph of run on the current device, and what run returns, which every replay fills anew."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries set themselves up outside the graph
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        returned = run()
    return graph.replay, returned


def measured_peaks(module: nn.Module, shapes: Sequence[Sequence[int]], setting: TimingSetting) -> Peaks:
    """Peak memory of what `ready_to_time` makes ready, in a run that is not timed.

    Of a graph, whose memory is all taken beforehand, that of the eager run.
    """
    eager = replace(setting, execution="eager") if setting.execution == "graph" else setting
    with ready_to_time(module, shapes, eager) as ready:
        return cpu_peaks(ready) if torch_device(setting.device).type == "cpu" else cuda_peaks(ready)
