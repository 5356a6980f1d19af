"""A CUDA device as torch sees it: its peak memory while something runs, and the circumstances of a measurement.

No global flag of torch is set here: they are read, and go with the numbers. Torch leaves some of these calls untyped.
"""

from __future__ import annotations

import os
import platform
from typing import Any, Protocol, cast

import torch
import torchvision

from pvtsearch.analysis.device_state import ask_nvidia_smi, available_bytes, cpu_name
from pvtsearch.analysis.live_bytes import Ready, peak_bytes
from pvtsearch.analysis.measured import Peaks


def cuda_devices() -> int:
    """How many CUDA devices torch sees."""
    return torch.cuda.device_count()


class MemoryStatistics(Protocol):
    """What `torch.cuda` offers to read the peaks of its current device."""

    def synchronize(self) -> None:
        """Wait for all that was launched."""

    def empty_cache(self) -> None:
        """Give back what is reserved and not allocated."""

    def reset_peak_memory_stats(self) -> None:
        """Peaks become what is there."""

    def memory_stats(self) -> dict[str, Any]:
        """Bytes by name."""


def cuda_peaks(ready: Ready, cuda: MemoryStatistics = cast(MemoryStatistics, torch.cuda)) -> Peaks:  # noqa: B008
    """Peaks on the current device while `ready` runs, all that is there counted.

    What earlier work left in the cache is given back first, so that the reserved bytes are those of this run.
    """
    cuda.synchronize()
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    ready.run()
    cuda.synchronize()
    stats = cuda.memory_stats()
    return Peaks(*(stats[f"{kind}_bytes.all.peak"] for kind in ("requested", "allocated", "reserved")))


def cpu_peaks(ready: Ready) -> Peaks:
    """Peak of live tensors on the CPU while `ready` runs, all that it holds counted."""
    return Peaks(ready.held_bytes + peak_bytes(ready.run))


def driver_version() -> dict[str, str]:
    """The driver's version, where `nvidia-smi` is there to tell."""
    told = ask_nvidia_smi("driver_version")
    return {"driver": told[0]} if told else {}


def library_versions() -> dict[str, str]:
    """What computed."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


def torch_flags() -> dict[str, Any]:
    """Global settings of torch that choose kernels, as found."""
    return {
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "flash_sdp": torch.backends.cuda.flash_sdp_enabled(),  # type: ignore[no-untyped-call]
        "mem_efficient_sdp": torch.backends.cuda.mem_efficient_sdp_enabled(),  # type: ignore[no-untyped-call]
        "cudnn_sdp": torch.backends.cuda.cudnn_sdp_enabled(),  # type: ignore[no-untyped-call]
        "math_sdp": torch.backends.cuda.math_sdp_enabled(),  # type: ignore[no-untyped-call]
        "allocator": os.environ.get("PYTORCH_ALLOC_CONF", os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "")),
    }


def cuda_circumstances() -> dict[str, Any]:
    """The current device, its driver, torch's build and flags."""
    properties = torch.cuda.get_device_properties()
    return {
        "device": properties.name,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        **driver_version(),
        **library_versions(),
        **torch_flags(),
    }


def cpu_circumstances() -> dict[str, Any]:
    """The processor, how much of it torch uses, how busy it was, torch's build and flags."""
    return {
        "device": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "available_bytes": available_bytes(),
        "load_average": list(os.getloadavg()),
        **library_versions(),
        **torch_flags(),
    }


def circumstances(device: torch.device) -> dict[str, Any]:
    """Of a device that torch computes on."""
    if device.type == "cpu":
        return cpu_circumstances()
    with torch.cuda.device(device):
        return cuda_circumstances()
