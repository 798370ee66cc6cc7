"""Communication between processes through MPI (mpi4py)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import numpy as np

from ..cpu import threads
from . import DistributedError, watchdog

SPIN = 1e-4  # seconds of active waiting before the first sleep
PAUSES = 2e-5, 1e-3  # seconds of the shortest and the longest sleep. Between them, a sleep is 1/10 of the wait so far


class World:
    """The connection to all processes. expected: their number. Raises DistributedError if the connection fails."""

    def __init__(self, expected: int) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py finds no MPI library
            raise DistributedError(
                f"{expected} processes need mpi4py and MPI: pip install -e '.[mpi]' ({error})"
            ) from None
        self.MPI, self.comm = MPI, MPI.COMM_WORLD
        self.rank, self.size = self.comm.rank, self.comm.size
        if self.size != expected:
            library = " ".join(MPI.Get_library_version().split()[:3])
            raise DistributedError(
                f"{expected} processes were started, but mpi4py finds {self.size}: the launcher and mpi4py use "
                f"different MPIs (mpi4py: {library}). Use the mpiexec beside this python, or srun --mpi=pmi2"
            )
        self.sums = self.comm.Dup()  # only for sums of arrays
        neighbours = self.comm.Split_type(MPI.COMM_TYPE_SHARED)  # the processes on this machine
        self.local_rank, mine = neighbours.rank, threads.cores()
        self.sharing = sum(bool(mine & theirs) for theirs in neighbours.allgather(mine))
        pids = neighbours.allgather(os.getpid())
        has_watchdog = self.local_rank == 0 and hasattr(os, "pidfd_open")
        self.watchdog = watchdog.Watchdog(pids) if has_watchdog else None
        self.watchdog_pid = neighbours.bcast(self.watchdog.program.pid if self.watchdog else 0)

    def add_up(self, array: np.ndarray) -> None:
        _wait(self.sums.Iallreduce(self.MPI.IN_PLACE, array))

    def largest(self, number: int) -> int:
        found = np.array([number])
        _wait(self.comm.Iallreduce(self.MPI.IN_PLACE, found, self.MPI.MAX))
        return int(found[0])

    def gathered(self, value: Any) -> list[Any]:
        _wait(self.comm.Ibarrier())
        return self.comm.allgather(value)

    def finish(self) -> None:
        _wait(self.comm.Ibarrier())
        if self.watchdog:
            self.watchdog.stop()
        _wait(self.comm.Ibarrier())  # no process exits before all watchdogs have stopped

    def abort(self) -> None:
        """End all processes at once, including this one. Later messages, of MPI and of the watchdog, are hidden."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if self.watchdog_pid:
            with suppress(ProcessLookupError):
                os.kill(self.watchdog_pid, signal.SIGKILL)
        self.comm.Abort(1)
        os._exit(1)


def _wait(request) -> None:
    """Wait for a request: first actively, then with sleeps. During a sleep another process can use the core."""
    started = time.perf_counter()
    while not request.Test():
        if (waited := time.perf_counter() - started) > SPIN:
            time.sleep(min(max(waited / 10, PAUSES[0]), PAUSES[1]))
