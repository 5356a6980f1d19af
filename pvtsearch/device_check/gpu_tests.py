"""The tests that need a CUDA device, where pytest and the tests are at hand."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

from pvtsearch.device_check.settings import Settings
from pvtsearch.errors import Failure

FOLDER = Path("tests")
NO_TESTS_RAN = 5  # pytest's exit status where none was selected


def check_tests(settings: Settings, deadline: float) -> str:
    """Run every file with a test marked gpu; returns pytest's last line. Raises `Failure` where one fails or hangs."""
    files = gpu_test_files()
    if importlib.util.find_spec("pytest") is None or not files:
        return "pytest or the tests are not at hand"
    if settings.device == "cpu":
        return "the tests marked gpu need a CUDA device"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-o", "addopts=", *map(str, files)]
    try:
        seconds = max(1.0, deadline - time.monotonic())
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Failure(f"not done after {error.timeout:.0f} s") from error
    last = (told.stdout.strip().splitlines() or ["pytest printed nothing"])[-1]
    if told.returncode not in (0, NO_TESTS_RAN):
        print(told.stdout)
        raise Failure(last)
    return last


def gpu_test_files(folder: Path = FOLDER) -> list[Path]:
    """Those that mark a test, so that no other file's imports are needed."""
    return sorted(path for path in folder.glob("test_*.py") if "\n@pytest.mark.gpu" in path.read_text(encoding="utf-8"))
