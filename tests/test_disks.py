"""Laws of disks that are full, read-only or cut off: one line that names the file, and what was there is there."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from pvtsearch.cli import run
from pvtsearch.cli.outputs import claimed
from pvtsearch.errors import InputError
from pvtsearch.files import write_all, write_whole
from pvtsearch.report.tables import write_table

ROOT = Path(__file__).parents[1]
TABLE = "config,top1\npvt_tiny,75.1\npvt_small,79.8\npvt_v2_b2,82.0\n"


def _weights(path: Path) -> None:
    import torch

    from pvtsearch.training.checkpoints import write_weights

    write_weights(path, {"weight": torch.ones(1000)})


def _gallery(path: Path) -> None:
    from pvtsearch.training.gallery import write_gallery
    from pvtsearch.training.sources import open_data

    write_gallery(open_data("fractals:classes=2,train=1,held_out=1", 16), path, rows=2, columns=2)


WRITERS: dict[str, Callable[[Path], object]] = {
    "f.txt": lambda path: write_whole(path, "new"),
    "f.csv": lambda path: write_table([pd.DataFrame({"a": [1]})], path),
    "f.pt": _weights,
    "f.png": _gallery,
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_flushed_changes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full in the last moment: the error names the file, which is as it was, and nothing is beside it."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / name
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=rf"{name}: cannot be written: No space left on device"):
        WRITERS[name](path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    WRITERS[name](path)
    assert path.read_bytes() != b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_files_none_appears_before_all_are_there(tmp_path: Path) -> None:
    """Files that belong together: where the last cannot be written, the first is as it was."""
    (tmp_path / "one").write_text("old")
    (tmp_path / "two").mkdir()
    with pytest.raises(InputError, match="two: cannot be written: Is a directory"):
        write_all({tmp_path / "one": "new", tmp_path / "two": "new"})
    assert (tmp_path / "one").read_text() == "old"


def test_a_process_that_is_killed_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    """Whenever it is killed, the file holds all of one version."""
    path = tmp_path / "f"
    code = (
        "import sys, itertools; from pathlib import Path; from pvtsearch.files import write_whole\n"
        "for n in itertools.count(): write_whole(Path(sys.argv[1]), str(n % 10) * 300_000)"
    )
    for attempt in range(4):
        process = subprocess.Popen([sys.executable, "-c", code, path], env={**os.environ, "PYTHONPATH": str(ROOT)})
        while not path.exists():
            time.sleep(0.01)
        time.sleep(random.Random(attempt).random() / 5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        text = path.read_text()
        assert text == text[0] * 300_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = sys.platform == "linux" and os.geteuid() == 0
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder]
    if not mounted or subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


ON_DISK = {
    "search tiny --max-gmacs 1 --extrapolate --out DISK/o": "o/front/front_0",
    "sweep tiny --sample 20000 --out DISK/s.csv": "s.csv",
    "sweep tiny --sample 20000 --out DISK/s.parquet": "s.parquet",
    "validate params --table TABLE --out DISK/v.json": "v.json",
    "data fractals:classes=2,train=4,held_out=2 --out DISK/g.png": "g.png",
    "train pvt_v2_b0 --data fractals:classes=2,train=2,held_out=2 --image-size 32 --epochs 1 --out DISK/t": "t/check",
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "command", [c if "train" not in c else pytest.param(c, marks=pytest.mark.slow) for c in ON_DISK]
)
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_that_takes_nothing_is_one_line(
    kind: str, command: str, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Full or read-only: status 2, one line that names the file, and no file on the disk that was not there."""
    (tmp_path / "t.csv").write_text(TABLE)
    if kind == "full":
        with (disk / "filler").open("wb") as filler:
            filler.write(b"0" * 4096 * (49 if "--sample" in command or "search" in command else 50))
    else:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = [path for path in disk.rglob("*") if path.is_file()]
    assert run(command.replace("DISK", str(disk)).replace("TABLE", str(tmp_path / "t.csv")).split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    named = str(disk / ON_DISK[command]) if kind == "full" else str(disk)
    assert named in err
    assert ("No space left on device" if kind == "full" else "Read-only file system") in err
    assert [path for path in disk.rglob("*") if path.is_file()] == before


@pytest.mark.parametrize("room", [0, 40_000, 60_000])
@pytest.mark.parametrize("storage", ["sqlite:///DISK/s.db", "journal:DISK/s.log"])
def test_a_study_on_a_disk_that_fills_up_goes_on_when_there_is_room(
    storage: str, room: int, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Full in the middle of a search: status 1 and one line; with room again the same command ends with all trials."""
    words = f"search tiny --max-gmacs 1 --objectives macs --trials 120 --storage {storage} --out OUT"
    command = words.replace("DISK", str(disk)).replace("OUT", str(tmp_path / "out")).split()
    (disk / "filler").write_bytes(b"0" * room)
    assert run(command) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert any(words in err for words in ("is full", "No space left", "disk I/O error"))
    subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
    assert run(command) == 0
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == 120


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["list", "profile pvt_tiny --format json"])
def test_standard_output_that_is_full_is_one_line(command: str) -> None:
    """`pvtsearch list > FILE` on a full disk: status 2 and a line, not what the interpreter says at its end."""
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "pvtsearch", *command.split()], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, cwd=ROOT,
        )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr == "pvtsearch: output: No space left on device\n"


def test_a_terminal_that_lacks_a_letter_gets_its_number() -> None:
    """Where standard output is ASCII, the lines of a table are escapes: no traceback."""
    process = subprocess.run(
        [sys.executable, "-m", "pvtsearch", "list"], env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "pvt_tiny" in process.stdout
    assert "\\u2500" in process.stdout


def test_what_fails_while_a_folder_is_held_is_not_the_folders_fault(tmp_path: Path) -> None:
    """An error of the work is itself; folders that were made for it and stayed empty are gone, others stay."""
    folder = tmp_path / "a" / "b" / "c"
    with pytest.raises(OSError, match="elsewhere"), claimed(folder):
        raise OSError("elsewhere")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    with claimed(tmp_path / "mine"):
        pass
    with claimed(folder):
        (folder / "kept").touch()
    assert (tmp_path / "mine").is_dir()
    assert [path.name for path in folder.iterdir()] == ["kept"]
