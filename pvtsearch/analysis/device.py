"""A CUDA device as torch sees it: its peak memory while something runs, and the circumstances of a measurement.

No global flag of torch is set here: they are read, and go with the numbers. Torch leaves some of these calls untyped.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from typing import Any, NamedTuple

import torch
import torchvision

from pvtsearch.analysis.live_bytes import Ready


class Peaks(NamedTuple):
    """Most bytes at once: as they were asked for, and as the caching allocator rounds them."""

    requested_bytes: int
    allocated_bytes: int


def cuda_peaks(ready: Ready) -> Peaks:
    """Peaks on the current device while `ready` runs, all that is there counted."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    ready.run()
    torch.cuda.synchronize()
    stats = torch.cuda.memory_stats()
    return Peaks(stats["requested_bytes.all.peak"], stats["allocated_bytes.all.peak"])


def driver_version() -> dict[str, str]:
    """The driver's version, where `nvidia-smi` is there to tell."""
    found = shutil.which("nvidia-smi")
    if not found:
        return {}
    asked = [found, "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603  no shell, no input
    return {} if told.returncode else {"driver": told.stdout.splitlines()[0].strip()}


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
