"""Laws of passwords: a planted one reaches no file, output or database, and no process list as far as we can help."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pvtsearch.cli import run
from pvtsearch.reading import hide_password

SECRET = "pl4nted{0}W0rd"  # noqa: S105  (planted; with braces, which Optuna would format)
BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
SEARCH = ["search", "tiny", "--max-gmacs", "1", "--extrapolate", "--trials", "30"]

URLS = [
    "postgresql+psycopg://u:{}@127.0.0.1:1/db",
    "postgresql+psycopg://u:{}@127.0.0.1:1/db?application_name=a@b",
    "postgresql+psycopg://127.0.0.1:1/db?user=u&password={}",
    "postgresql+psycopg://127.0.0.1:1/db?sslpassword={}&user=u",
    "postgresql+psycopg://u:a@b:{}@127.0.0.1:1/db",
    "postgresql+psycopg:u:{}@127.0.0.1/db",
    "postgresql+psycopg:/u:{}@127.0.0.1/db",
    "postgresql+psycopg://u:{}@127.0.0.1:port/db",
    "postgresql+nodriver://u:{}@127.0.0.1/db",
    "nosuch://u:{}@127.0.0.1/db",
    "mysql://u:{}@127.0.0.1:1/db",
]


@pytest.mark.parametrize("url", URLS)
def test_no_error_shows_a_password(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where no server answers, nor for URLs that are none, nor on the way to them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pvtsearch.search.storages.OPENING_SECONDS", 0.0)  # no server comes up there
    assert run([*SEARCH, "--storage", url.format(SECRET)]) == 2
    said = "".join(capsys.readouterr())
    assert SECRET not in said
    assert "***" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", URLS)
def test_an_option_with_its_value_is_covered_too(url: str) -> None:
    """`--storage=URL` is one argument; hiding twice is hiding once; what has no password stays as it is."""
    hidden = hide_password(f"--storage={url.format(SECRET)}")
    assert SECRET not in hidden
    assert hide_password(hidden) == hidden
    for innocent in ("sqlite:///a.db", "postgresql+psycopg://u@h:5432/db", "torchvision:CIFAR10:a@b", "C:\\x", "a@b"):
        assert hide_password(innocent) == innocent


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process change what is shown of it")
def test_the_process_list_shows_no_password() -> None:
    """As soon as the command runs, what the system shows of it has its password covered, and nothing else."""
    storage = f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/db"
    code = (
        "import sys; from pvtsearch.cli.arguments import cover_passwords; cover_passwords(sys.argv); "
        "print(open('/proc/self/cmdline').read().replace(chr(0), ' '))"
    )
    command = [sys.executable, "-c", code, "search", "--storage", storage, "--trials", "3"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert SECRET not in shown
    assert "search --storage postgresql+psycopg://u:***@127.0.0.1:1/db" in shown
    assert shown.split()[-2:] == ["--trials", "3"]


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The folder with the socket of a PostgreSQL server that lets nobody in without the planted password."""
    if BINARIES is None:
        pytest.skip("no PostgreSQL server binaries (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pvtsearch-"))
    user = "postgres" if os.geteuid() == 0 else None  # a server refuses to be run by root
    if user is not None:
        shutil.chown(folder, user)
        folder.chmod(0o755)
    (folder / "password").write_text(SECRET)

    def call(program: str, *arguments: str) -> None:
        groups = None if user is None else [pwd.getpwnam(user).pw_gid]
        subprocess.run([BINARIES / program, "-D", folder / "data", *arguments], check=True, cwd="/", user=user,
                       extra_groups=groups, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    try:
        call(
            "initdb", "-U", "u", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-E", "UTF8", "--no-sync"
        )
        (folder / "password").unlink()
        options = f"-k {folder} -c listen_addresses= -p 5432 -c fsync=off -c log_connections=on -c log_statement=all"
        call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        try:
            yield folder
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "how", ["url", "file", *(pytest.param(how, marks=pytest.mark.slow) for how in ("query", "environment"))]
)
def test_a_search_on_a_real_server_leaves_its_password_nowhere(how: str, server: Path, tmp_path: Path) -> None:
    """Given in the URL, by PGPASSWORD or in a file of PGPASSFILE, it lets in, and is found nowhere afterwards."""
    query = f"host={server}&port=5432"
    storage = {
        "url": f"postgresql+psycopg://u:{SECRET}@/postgres?{query}",
        "query": f"postgresql+psycopg:///postgres?{query}&user=u&password={SECRET}",
    }.get(how, f"postgresql+psycopg://u@/postgres?{query}")
    (tmp_path / "pgpass").write_text(f"*:*:*:u:{SECRET}\n")
    (tmp_path / "pgpass").chmod(0o600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1])}
    environment |= {"environment": {"PGPASSWORD": SECRET}, "file": {"PGPASSFILE": str(tmp_path / "pgpass")}}.get(
        how, {}
    )
    command = [sys.executable, "-m", "pvtsearch", *SEARCH, "--storage", storage, "--study", how, "--out", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seen = list(_shown_of(process))
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert not any(SECRET in shown for shown in (seen if how in {"environment", "file"} else seen[-1:]))
    assert SECRET not in said
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {"summary.json", "report.html", "trials.csv"} <= {path.name for path in written}
    for path in [*written, server / "log"]:
        assert SECRET.encode() not in path.read_bytes(), path
    dumped = subprocess.run(
        ["pg_dump", "-h", server, "-U", "u", "postgres"], env={**os.environ, "PGPASSWORD": SECRET}, capture_output=True,
        check=True,
    ).stdout  # fmt: skip
    assert how.encode() in dumped
    assert SECRET.encode() not in dumped


def _shown_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """What the system shows of all processes, again and again as long as one runs."""
    while process.poll() is None:
        shown = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it ended
                shown.append(path.read_bytes().decode(errors="replace"))
        yield " ".join(shown)
        time.sleep(0.1)
