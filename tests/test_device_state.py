"""Readers of clocks, temperatures and memory, on files and answers that are written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvtsearch.analysis import device_state
from pvtsearch.analysis.device_state import (
    ask_nvidia_smi,
    available_bytes,
    cpu_name,
    cpu_state_reader,
    gpu_state,
    gpu_state_reader,
)
from pvtsearch.analysis.sampling import DeviceState


def test_reasons_are_the_bits_that_a_device_suffers() -> None:
    """Heat, power brake and slowdown; not being idle, and not the cap on power, under which it always works."""
    assert gpu_state(["0x0000000000000000", "1980", "41"]) == DeviceState((), 1980, 41)
    assert gpu_state(["0x0000000000000005", "1980", "41"]).throttle == ()
    assert gpu_state(["0x00000000000000e8", "900", "91"]).throttle == (
        "hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake",
    )  # fmt: skip
    assert gpu_state(["[N/A]", "[N/A]", "[N/A]"]) == DeviceState()
    assert gpu_state(None) == DeviceState()


def test_older_drivers_have_another_name_for_reasons() -> None:
    """It is asked for where the first is not known; a device that answers neither says nothing."""
    asked = []

    def ask(*fields: str, device: str) -> list[str] | None:
        asked.append((fields[0], device))
        return ["0x8", "5", "6"] if "throttle" in fields[0] else None

    assert gpu_state_reader("GPU-1", ask)().throttle == ("hw_slowdown",)
    assert asked[:2] == [("clocks_event_reasons.active", "GPU-1"), ("clocks_throttle_reasons.active", "GPU-1")]
    assert gpu_state_reader("GPU-1", lambda *_fields, device: None)() == DeviceState()


def test_nvidia_smi_is_asked_with_a_list_and_read_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name on the path answers; without one, or when it fails, nothing is known."""
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "$1, $3"\n')
    program.chmod(0o755)
    monkeypatch.setattr(device_state.shutil, "which", lambda _name: str(program))
    assert ask_nvidia_smi("a", "b", device="GPU-1") == ["--query-gpu=a", "b", "--id=GPU-1"]
    program.write_text("#!/bin/sh\nexit 6\n")
    assert ask_nvidia_smi("a") is None
    monkeypatch.setattr(device_state.shutil, "which", lambda _name: None)
    assert ask_nvidia_smi("a") is None


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_processor_is_throttled_while_its_count_rises(tmp_path: Path) -> None:
    """Not by what it counted before."""
    count = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    write(tmp_path, {count: "7\n", "proc/cpuinfo": "model name\t: Some CPU\ncpu MHz\t\t: 2000.0\ncpu MHz\t: 3000.0\n"})
    state = cpu_state_reader(tmp_path)
    assert state() == DeviceState((), 2500)
    write(tmp_path, {count: "8\n"})
    assert state().throttle == ("thermal",)
    assert state().throttle == ()
    assert cpu_name(tmp_path) == "Some CPU"


def test_memory_is_the_smaller_of_system_and_group(tmp_path: Path) -> None:
    """Without a limit the system's; nothing where nothing can be read."""
    assert available_bytes(tmp_path) is None
    write(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    1000 kB\n"})
    assert available_bytes(tmp_path) == 1_024_000
    write(tmp_path, {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"})
    assert available_bytes(tmp_path) == 1_024_000
    write(tmp_path, {"sys/fs/cgroup/memory.max": "105\n"})
    assert available_bytes(tmp_path) == 100
