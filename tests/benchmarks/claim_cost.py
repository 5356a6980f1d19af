"""What a claim costs where so many others are under way: the arithmetic of a thousand workers.

    python tests/benchmarks/claim_cost.py 0,64,256,1000

For each number of running trials in a study on PostgreSQL, by one worker, the mean of 20, in milliseconds: a claim as
it is written, under the study's lock, while nobody else can claim, and the worker's processor time of it; the reading
after it, the worker's and the server's processor time of that; the same reading through Optuna's gRPC proxy. Prints
rows of reports/workers/README.md.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import psutil
from crew import STUDY, plan_of
from optuna.storages import BaseStorage, GrpcStorageProxy
from postgres import server

from pvtsearch.search.storages import opened
from pvtsearch.search.stored import StoredStudy, open_study

TIMES = 20
PROXY = """
import sys
from optuna.storages import run_grpc_proxy_server
from pvtsearch.search.storages import open_storage
run_grpc_proxy_server(open_storage(sys.argv[1]), host="localhost", port=int(sys.argv[2]))
"""


def mean_ms(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of a call, and of this process's processor time."""
    call()
    began, used = time.perf_counter(), time.process_time()
    for _ in range(TIMES):
        call()
    return (time.perf_counter() - began) / TIMES * 1000, (time.process_time() - used) / TIMES * 1000


def used_by_sessions(pid: int) -> float:
    """Processor time of a server's sessions, which all are this process's."""
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process(pid).children())


@contextmanager
def proxy(url: str) -> Iterator[BaseStorage]:
    """A storage behind Optuna's gRPC proxy."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", PROXY, url, str(port)], stderr=subprocess.DEVNULL)
    storage = GrpcStorageProxy(host="localhost", port=port)
    storage.wait_server_ready(timeout=60)
    try:
        yield storage
    finally:
        storage.close()
        process.terminate()
        process.wait()


def claimed(study: StoredStudy, storage: BaseStorage) -> Callable[[], object]:
    """One claim as it is written: a transaction under the study's lock; its trial is ended again, outside the time."""
    drawn = study._draw()
    assert drawn is not None
    template = study._template(drawn, "none")
    return lambda: storage.create_new_trial(study._roll.study_id, template)


def row(running: int) -> str:
    """The costs where so many trials run."""
    with server("max_connections=100") as postgres, opened(postgres.url) as storage:
        plan = plan_of(10**6, 0.0)
        study = open_study(storage, STUDY, plan)
        write = claimed(study, storage)
        for _ in range(running):
            write()
        lock, lock_used = mean_ms(write)
        pid = int((postgres.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        before = used_by_sessions(pid)
        read, read_used = mean_ms(study.read)
        served = (used_by_sessions(pid) - before) / (TIMES + 1) * 1000
        with proxy(postgres.url) as proxied:
            behind, _ = mean_ms(open_study(proxied, STUDY, plan).read)
    cells = running, lock, lock_used, read, read_used, served, behind
    return "| " + " | ".join(f"{cell:.0f}" if cell >= 10 else f"{cell:.1f}" for cell in cells) + " |"


if __name__ == "__main__":
    for count in map(int, sys.argv[1].split(",")):
        print(row(count), flush=True)
