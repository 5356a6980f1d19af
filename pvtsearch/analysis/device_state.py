"""What a processor or a GPU says of itself while it is measured: clocks, temperature, why it is slowed down, memory.

Everything here is read, nothing is set; what cannot be read is unknown, never a zero.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

from pvtsearch.analysis.sampling import DeviceState, StateReader

Ask = Callable[..., "list[str] | None"]

ROOT = Path("/")
# NVML's nvmlClocksEventReason* that a device does not choose for itself; the cap on power is how it works at full load
SLOWED = {0x08: "hw_slowdown", 0x20: "sw_thermal_slowdown", 0x40: "hw_thermal_slowdown", 0x80: "hw_power_brake"}
REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")  # the name before driver 535


def ask_nvidia_smi(*fields: str, device: str = "") -> list[str] | None:
    """The fields of the first GPU, or of the one with this UUID; None where `nvidia-smi` is not there or refuses."""
    found = shutil.which("nvidia-smi")
    if not found:
        return None
    asked = [found, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    asked += [f"--id={device}"] if device else []
    told = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603  no shell, no input
    lines = told.stdout.splitlines()
    return None if told.returncode or not lines else [cell.strip() for cell in lines[0].split(",")]


def gpu_state_reader(uuid: str, ask: Ask = ask_nvidia_smi) -> StateReader:
    """A reader of the GPU with this UUID, by the names that its driver knows; silent where it says nothing."""
    for reasons in REASONS:
        fields = (reasons, "clocks.sm", "temperature.gpu")
        if ask(*fields, device=uuid):
            return lambda: gpu_state(ask(*fields, device=uuid))
    return DeviceState


def gpu_state(cells: list[str] | None) -> DeviceState:
    """The state that `nvidia-smi` prints as reasons (a hexadecimal mask), MHz and degrees."""
    if not cells:
        return DeviceState()
    mask, clock, temperature = cells
    bits = int(mask, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", mask) else 0
    throttle = tuple(reason for bit, reason in SLOWED.items() if bits & bit)
    return DeviceState(throttle, _number(clock), _number(temperature))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def cpu_state_reader(root: Path = ROOT) -> StateReader:
    """A reader of the processor: throttled where a core's count of thermal events has risen since the last look."""
    before = _throttle_count(root)

    def state() -> DeviceState:
        nonlocal before
        now, last = _throttle_count(root), before
        before = now
        return DeviceState(("thermal",) if now > last else (), _clock_mhz(root))

    return state


def _throttle_count(root: Path) -> int:
    counts = root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")
    return sum(int(text) for path in counts if (text := _read(path).strip()).isdigit())


def _clock_mhz(root: Path) -> float | None:
    clocks = [float(value) for value in _fields(root, "cpu MHz")]
    return round(mean(clocks), 1) if clocks else None


def cpu_name(root: Path = ROOT) -> str:
    """The processor's name as the system has it."""
    return next(_fields(root, "model name"), "") or platform.processor() or platform.machine()


def _fields(root: Path, name: str) -> Iterator[str]:
    for line in _read(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            yield value.strip()


def available_bytes(root: Path = ROOT) -> int | None:
    """Memory that a process can still have: of the system, and of its control group; None where none can be read."""
    found = []
    memory = re.search(r"^MemAvailable:\s+(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    if memory:
        found.append(int(memory[1]) * 1024)
    limit, used = (_read(root / "sys/fs/cgroup" / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and used.isdigit():
        found.append(int(limit) - int(used))
    return min(found, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
