"""A PostgreSQL server of one's own: Debian's binaries, an unprivileged user, a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")  # a server refuses to be run by root
MISSING = "no PostgreSQL server binaries (Debian: apt-get install postgresql)"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest version; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def server(*settings: str) -> Iterator[Server]:
    """A running server, gone afterwards with its folder; its path is short, since names of sockets must be."""
    folder = Path(tempfile.mkdtemp(prefix="pvtsearch-"))
    try:
        running = Server(folder, settings)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


class Server:
    """A server in a folder, with its settings."""

    def __init__(self, folder: Path, settings: tuple[str, ...]) -> None:
        self.folder, self.bin, self.settings = folder, binaries(), settings
        self.user = next((u for u in UNPRIVILEGED if _exists(u)), None) if os.geteuid() == 0 else None
        folder.chmod(0o755)
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "pvtsearch", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    @property
    def url(self) -> str:
        """Of its database, as --storage takes it."""
        return f"postgresql+psycopg://pvtsearch@/postgres?host={self.folder}&port=5432"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-p", "5432"]
        options += [part for setting in self.settings for part in ("-c", setting)]
        self._ctl("start", "-l", str(self.folder / "log"), "-o", " ".join(options))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it at once, as a crash does; fast: as an administrator does."""
        self._ctl("stop", "-m", mode)

    def _ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        assert self.bin is not None, MISSING
        groups: list[str] | None = [] if self.user else None
        subprocess.run([self.bin / program, *arguments], check=True, user=self.user, extra_groups=groups, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
