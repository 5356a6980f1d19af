"""Laws of locks: one holder at a time, in any order of events, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pvtsearch.locks import claimed, held


def add_one(path: Path) -> None:
    """Read, then write: two at a time would lose one."""
    for _ in range(50):
        with held(path.with_suffix(".lock")):
            number = int(path.read_text())
            path.write_text(str(number + 1))


def test_one_process_holds_at_a_time(tmp_path: Path) -> None:
    """Four processes count to 200, though the file that they wait for is made and deleted all the time."""
    path = tmp_path / "count"
    path.write_text("0")
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(add_one, [path] * 4))
    assert path.read_text() == "200"
    assert [each.name for each in tmp_path.iterdir()] == ["count"]


def test_what_is_held_cannot_be_claimed(tmp_path: Path) -> None:
    """Then it can; what raises within leaves nothing behind."""
    path = tmp_path / ".lock"
    with held(path), pytest.raises(BlockingIOError), claimed(path):
        pass
    with pytest.raises(ZeroDivisionError), claimed(path):
        _ = 1 / 0
    with claimed(path):
        assert path.exists()
    assert not path.exists()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    """Its file stays and is taken over."""
    path = tmp_path / ".lock"
    code = "import sys, time, pathlib; from pvtsearch.locks import held\n"
    code += f"with held(pathlib.Path({str(path)!r})): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), claimed(path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert path.exists()
    with claimed(path):
        pass
    assert not path.exists()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Nothing is made on the way."""
    with pytest.raises(FileNotFoundError), held(tmp_path / "none" / ".lock"):
        pass
