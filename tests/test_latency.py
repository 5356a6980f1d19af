"""Built networks made ready to be timed: what runs, what is left as found, and clocks on the device at hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pvtsearch.analysis.device import cpu_peaks, cuda_peaks, torch_flags
from pvtsearch.analysis.latency import (
    FORMATS,
    cuda_timer,
    graphed,
    host_timer,
    measured_peaks,
    memory_named,
    random_inputs,
    random_numbers_kept,
    ready_to_time,
    state_reader,
    timer_of,
    torch_device,
)
from pvtsearch.analysis.live_bytes import Ready, inference_peak_bytes, ready_pass, training_peak_bytes
from pvtsearch.analysis.measured import Peaks
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import DoesNotFit, InputError
from pvtsearch.models.pvt import build_pvt

SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)
IMAGES = [(2, 3, 8, 8)]


class Seen(nn.Module):
    """Notes in what state it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.notes: list[Any] = []

    def forward(self, images: Tensor) -> Tensor:
        last = [FORMATS["channels_last"] if tensor.is_contiguous(memory_format=torch.channels_last) else None
                for tensor in (images, self.conv.weight)]  # fmt: skip
        self.notes.append((self.training, torch.is_inference_mode_enabled(), images.dtype, images.device.type, *last))
        return self.conv(images).mean((2, 3))

    def __deepcopy__(self, memo: dict[int, Any]) -> Seen:
        own = Seen()
        own.load_state_dict(self.state_dict())
        own.notes = self.notes
        return own


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_the_setting_is_what_runs(mode: Any) -> None:
    """Type, memory format and mode reach the module."""
    module = Seen()
    setting = TimingSetting(batch_size=2, dtype="bfloat16", mode=mode, memory_format="channels_last")
    with ready_to_time(module, IMAGES, setting) as ready:
        module.notes.clear()
        ready.run()
    kept = (torch.bfloat16, "cpu", torch.channels_last, torch.channels_last)
    assert module.notes == [(mode == "training", mode == "inference", *kept)]


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_the_callers_module_and_torch_are_left_as_found(mode: Any) -> None:
    """Weights, gradients, modes of the parts, device, type, flags of torch, its random numbers, its grad mode."""
    module = build_pvt(SMALL).train()
    module.stages[0].eval()
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)

    def state() -> list[Any]:
        parts = [part.training for part in module.modules()]
        grads = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
        where = [(value.dtype, value.device, value.stride()) for value in module.state_dict().values()]
        ours = [*map(torch.Tensor.clone, module.state_dict().values()), *grads, torch.get_rng_state()]
        return [parts, where, torch_flags(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(), ours]

    *before, tensors = state()
    setting = TimingSetting(batch_size=2, mode=mode, dtype="bfloat16", memory_format="channels_last")
    with random_numbers_kept(), ready_to_time(module, IMAGES, setting) as ready:
        ready.run()
        torch.rand(3)
    *after, ours = state()
    assert after == before
    assert all(torch.equal(one, other) for one, other in zip(tensors, ours, strict=True))


def test_a_training_step_starts_without_gradients() -> None:
    """Every step, or the second would add where the first assigns."""
    with ready_to_time(build_pvt(SMALL), IMAGES, TimingSetting(batch_size=2, mode="training")) as ready:
        ready.run()
        assert all(tensor.grad is None for tensor in ready.held if tensor.is_leaf)


def test_peaks_on_the_cpu_are_those_of_live_tensors() -> None:
    """A pass and a step, as the closed forms are held against."""
    module, labels = build_pvt(SMALL), torch.zeros(2, dtype=torch.int64)
    images = random_inputs(IMAGES, TimingSetting(batch_size=2))[0]
    found = measured_peaks(module, IMAGES, TimingSetting(batch_size=2))
    assert found == Peaks(inference_peak_bytes(module, images))
    found = measured_peaks(module, IMAGES, TimingSetting(batch_size=2, mode="training", optimizer="sgd"))
    assert found == Peaks(training_peak_bytes(module, images, labels, "sgd"))


def test_cuda_peaks_are_read_after_the_run_and_an_emptied_cache() -> None:
    """In this order, with a device that is not there."""
    calls: list[str] = []
    names = ("synchronize", "empty_cache", "reset_peak_memory_stats")
    bytes_by_name = {"requested_bytes.all.peak": 5, "allocated_bytes.all.peak": 512, "reserved_bytes.all.peak": 2048}
    device = SimpleNamespace(
        **{name: lambda name=name: calls.append(name) for name in names},
        memory_stats=lambda: calls.append("memory_stats") or bytes_by_name,
    )
    assert cuda_peaks(Ready(lambda: calls.append("run"), ()), device) == Peaks(5, 512, 2048)
    assert calls == ["synchronize", "empty_cache", "reset_peak_memory_stats", "run", "synchronize", "memory_stats"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_memory_that_ends_has_one_name(error: Exception) -> None:
    """Whatever torch calls it; other errors are left alone."""
    with pytest.raises(DoesNotFit, match="out of memory"), memory_named():
        raise error
    with pytest.raises(RuntimeError, match="shapes"), memory_named():
        raise RuntimeError("shapes cannot be multiplied")


def test_the_cpu_allocator_says_so() -> None:
    """What torch really raises for a tensor beyond any address space."""
    with pytest.raises(DoesNotFit), memory_named():
        torch.empty(2**60, dtype=torch.uint8)


def test_devices_that_are_not_there_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, or not so many."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: torch sees no CUDA device"):
        torch_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="device cuda:2: torch sees cuda:0 to cuda:1"):
        torch_device("cuda:2")
    assert torch_device("cuda:1") == torch.device("cuda", 1)


def test_the_host_is_the_clock_of_the_cpu() -> None:
    """It runs once, and there is no host beside it."""
    runs: list[int] = []
    sample = timer_of(torch.device("cpu"))(lambda: runs.append(1))
    assert (sample.ms >= 0, sample.host_ms, runs) == (True, None, [1])


@pytest.mark.slow
def test_compiled_networks_are_each_their_own() -> None:
    """More networks of one class than torch.compile keeps graphs for; its limits are left as found."""
    import torch._dynamo.config as dynamo

    before = dynamo.recompile_limit
    for width in range(8, 8 * (before + 3), 8):
        config = PVTConfig(stages=(StageConfig(4, width, 1, 1, 1),), image_size=8, num_classes=3)
        with ready_to_time(build_pvt(config), IMAGES, TimingSetting(batch_size=2, execution="compiled")) as ready:
            ready.run()
    assert dynamo.recompile_limit == before


@pytest.mark.gpu
def test_events_see_what_the_host_sees() -> None:
    """Of a run that the device computes for long: about the host's time until the device is done; a host far ahead."""
    matrix = torch.randn(4096, 4096, device="cuda")

    def run() -> None:
        for _ in range(20):
            torch.mm(matrix, matrix)

    cuda_timer(run)
    events, host = cuda_timer(run), host_timer(lambda: (run(), torch.cuda.synchronize()))
    assert events.ms == pytest.approx(host.ms, rel=0.2)
    assert events.host_ms is not None
    assert events.host_ms < events.ms


@pytest.mark.gpu
def test_a_replayed_graph_computes_what_eager_computes() -> None:
    """On new inputs too, which are copied to where the graph reads them."""
    with torch.device("cuda"):
        module, images = build_pvt(SMALL).eval(), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        replay, scores = graphed(lambda: module(images))
        for _ in range(2):
            images.copy_(torch.randn(2, 3, 8, 8))
            replay()
            torch.testing.assert_close(scores, module(images))


@pytest.mark.gpu
@pytest.mark.parametrize("execution", ["eager", "graph"])
def test_memory_and_state_of_a_device_are_read(execution: Any) -> None:
    """Reserved holds allocated holds requested holds the parameters; the driver tells a clock; nothing is left over."""
    module = build_pvt(SMALL)
    held = torch.cuda.memory_allocated()
    peaks = measured_peaks(module, IMAGES, TimingSetting(batch_size=2, device="cuda", execution=execution))
    assert peaks.reserved_bytes is not None
    assert peaks.allocated_bytes is not None
    params = sum(parameter.nbytes for parameter in module.parameters())
    assert peaks.reserved_bytes >= peaks.allocated_bytes >= peaks.requested_bytes > params
    assert state_reader(torch_device("cuda"))().clock_mhz
    assert torch.cuda.memory_allocated() <= held + 64 * 2**20  # the workspaces of libraries stay
    assert all(parameter.device.type == "cpu" for parameter in module.parameters())


@pytest.mark.gpu
def test_requested_bytes_are_those_of_live_tensors_and_the_workspace() -> None:
    """The reader of a device beside the profiler on the CPU, for one linear layer."""
    with torch.device("cuda"):
        module, images = nn.Linear(256, 512), torch.randn(64, 256)
    with ready_pass(module, images) as ready:
        ready.run()
        found = cuda_peaks(ready)
    with ready_pass(nn.Linear(256, 512), torch.randn(64, 256)) as ready:
        assert found.requested_bytes >= cpu_peaks(ready).requested_bytes
