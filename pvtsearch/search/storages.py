"""Where studies are kept: an SQLite file, Optuna's journal file, a PostgreSQL server; and patience with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, PendingRollbackError, SQLAlchemyError

from pvtsearch.errors import StorageLost, StudyError
from pvtsearch.reading import hide_password
from pvtsearch.search.journal import JournalLock
from pvtsearch.shown import printable

PATIENCE_SECONDS = 600.0
OPENING_SECONDS = 20.0
# A worker keeps one connection; others are for moments, as for its pulse.
_ONE_KEPT = {"pool_size": 1, "max_overflow": 4}
_COMES_UP = (
    *("already exists", "duplicate key", "UNIQUE", "locked"),  # workers that start together make the tables together
    *("refused", "No such file", "starting up", "shutting down", "not yet accepting", "closed the connection"),
)
_NO_USE_WAITING = ("disk is full", "readonly", "read-only", "no such table", "malformed", "not a database", "disk I/O")

T = TypeVar("T")


class JournalFile(JournalStorage):
    """Optuna's journal in a file, with a lock that dies with its holder."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        super().__init__(JournalFileBackend(str(path), lock_obj=JournalLock(str(path))))


def sqlite_storage(path: Path) -> BaseStorage:
    """A study storage in one file; write-ahead logging halves the time of a trial and survives a killed process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_storage(f"sqlite:///{path}", shown=str(path))


def open_storage(url: str, *, shown: str | None = None) -> BaseStorage:
    """Optuna's storage at a URL, shown as `shown` in errors; `StudyError` where it cannot be opened.

    url: sqlite:///FILE, journal:FILE or a path that ends in .log, postgresql+psycopg://…
    """
    try:
        if (path := journal_path(url)) is not None:
            return JournalFile(path)
        return _relational(url)
    except (SQLAlchemyError, ImportError, ValueError, OSError, KeyError) as error:
        name = shown or f"--storage {printable(hide_password(url))}"
        raise StudyError(f"{name}: no study storage that can be opened: {_reason(error)}") from error


@contextmanager
def opened(url: str) -> Iterator[BaseStorage]:
    """The same, its connections closed afterwards."""
    storage = open_storage(url)
    try:
        yield storage
    finally:
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def check_storage(url: str) -> None:
    """Raise `StudyError` where there is no storage that can be opened, before anything is made beside it."""
    with opened(url):
        pass


def journal_path(url: str) -> Path | None:
    """The file of a journal; None for any other storage."""
    if url.startswith("journal:"):
        return Path(url.removeprefix("journal:").removeprefix("//"))
    return Path(url) if url.endswith(".log") and "://" not in url else None


def file_of(storage: BaseStorage) -> Path | None:
    """The file that a storage is; None where it is a server's, or in memory."""
    match storage:
        case JournalFile():
            return storage.path
        case RDBStorage() if storage.engine.name == "sqlite" and storage.engine.url.database not in {None, ":memory:"}:
            return Path(str(storage.engine.url.database))
        case _:
            return None


def _relational(url: str) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True, **_ONE_KEPT}
    deadline, pause = time.monotonic() + OPENING_SECONDS, 0.1
    while True:
        try:
            storage = RDBStorage(
                url.replace("{", "{{").replace("}", "}}"), engine_kwargs=dict(options)
            )  # it formats it
            break
        except DBAPIError as error:
            if time.monotonic() > deadline or not any(words in str(error.orig) for words in _COMES_UP):
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
    if sqlite:
        event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # connections made before the listener was there
    return storage


def _reason(error: Exception) -> str:
    """Why a storage cannot be opened, without its URL, which may hold a password."""
    match error:
        case ArgumentError():
            return "not a database URL such as sqlite:///study.db"
        case ImportError():
            return f"its driver {error.name or ''} is not installed".replace("  ", " ")
        case DBAPIError() if "disk is full" in str(error.orig):
            return "the disk is full"
        case DBAPIError():
            return "the database does not answer, or the file is none of Optuna's"
        case OSError():
            return error.strerror or "the file cannot be opened"
        case _:
            return "the database is not one of this version of Optuna"


def _write_ahead(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def patiently(
    call: Callable[[], T], *, on_outage: Callable[[], None] = lambda: None, seconds: float = PATIENCE_SECONDS
) -> T:
    """What call returns, tried again while its storage is away: a server that is restarted, a file that is locked.

    on_outage: told of every failure. Raises `StorageLost` after so many seconds, or where waiting is of no use.
    """
    began, pause = time.monotonic(), 0.05
    while True:
        try:
            return call()
        except (StorageInternalError, OperationalError, OSError) as error:
            on_outage()
            if not _passes(error):
                raise StorageLost(f"the study's storage cannot be written or read: {_cause(error)}") from error
            if time.monotonic() - began > seconds:
                raise StorageLost(f"the study's storage has not answered for {seconds:.0f} s; the same command goes on "
                                  "where it was") from error  # fmt: skip
        time.sleep(pause)
        pause = min(2 * pause, 2.0)


def _passes(error: BaseException) -> bool:
    """Whether a failure may be over in a while."""
    found = error.__cause__ if isinstance(error, StorageInternalError) else error
    match found:
        case PendingRollbackError():  # of a transaction that a cut connection left; it is rolled back by now
            return True
        case OperationalError():
            return not any(words in str(found.orig) for words in _NO_USE_WAITING)
        case _:
            return False


def _cause(error: BaseException) -> str:
    found = error.__cause__ or error
    text = str(getattr(found, "orig", None) or getattr(found, "strerror", None) or found)
    return hide_password(" ".join(text.split()))
