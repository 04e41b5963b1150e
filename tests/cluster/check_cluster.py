"""`make test-cluster`: a sweep on a Dask cluster of four processes gives the table that one process gives."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from simulations.sweep import export
from simulations.sweep.configuration import read
from simulations.sweep.coordinator import Options, sweep
from simulations.sweep.ledger import Ledger
from simulations.sweep.local import NoWorkers

SMALL = (Path(__file__).parents[2] / "docs" / "sweeps" / "small.toml").read_text()


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=4, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def digest(folder):
    with Ledger(folder) as ledger:
        return export.digest(ledger)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    sweep(read(SMALL), folder, Options(workers=1))
    return digest(folder)


def test_the_table_is_that_of_one_process(cluster, whole, tmp_path):
    start = time.perf_counter()
    state, ended = sweep(read(SMALL), tmp_path, Options(scheduler=cluster.scheduler_address))
    print(f"\n{state.done} cells on {len(cluster.workers)} Dask workers in {time.perf_counter() - start:.1f} s")
    assert ended == "finished" and digest(tmp_path) == whole


def test_a_killed_dask_worker_loses_nothing(cluster, whole, tmp_path):
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    killed = []

    def kill_when_it_is_under_way():
        while not killed:
            if (tmp_path / "ledger.sqlite").exists() and sum(counted(tmp_path).values()) > 0:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])
            time.sleep(0.02)

    threading.Thread(target=kill_when_it_is_under_way, daemon=True).start()
    _, ended = sweep(read(SMALL), tmp_path, Options(scheduler=cluster.scheduler_address, shuffle=3))
    assert killed == pids[:1]
    assert ended == "finished" and digest(tmp_path) == whole


def counted(folder):
    with Ledger(folder) as ledger:
        return ledger.counts()


def test_a_scheduler_that_is_not_there_is_said_in_a_sentence(tmp_path):
    with pytest.raises(NoWorkers, match="there is no Dask scheduler at tcp"):
        sweep(read(SMALL), tmp_path, Options(scheduler="tcp://127.0.0.1:9"))
