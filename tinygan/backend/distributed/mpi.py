"""The processes, through MPI (mpi4py)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import numpy as np

from ..cpu import threads
from . import DistributedError, watchdog

SPIN = 1e-4  # seconds of active waiting, which is fastest if the others are nearly ready
PAUSES = 2e-5, 1e-3  # then the shortest and the longest sleep between two looks: a tenth of the time waited so far


class World:
    """All processes. expected: how many the launcher started. Raises DistributedError if they cannot be joined."""

    def __init__(self, expected: int) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there and finds no MPI library
            raise DistributedError(
                f"{expected} processes need mpi4py and MPI: pip install -e '.[mpi]' ({error})"
            ) from None
        self.MPI, self.comm = MPI, MPI.COMM_WORLD
        self.rank, self.size = self.comm.rank, self.comm.size
        if self.size != expected:
            library = " ".join(MPI.Get_library_version().split()[:3])
            raise DistributedError(
                f"{expected} processes were started, and mpi4py finds {self.size}: the launcher belongs to another MPI "
                f"than mpi4py uses ({library}). Take the mpiexec beside this python, or srun --mpi=pmi2"
            )
        self.sums = self.comm.Dup()  # of arrays
        neighbours = self.comm.Split_type(MPI.COMM_TYPE_SHARED)  # on this machine
        self.local_rank, mine = neighbours.rank, threads.cores()
        self.sharing = sum(bool(mine & theirs) for theirs in neighbours.allgather(mine))
        pids = neighbours.allgather(os.getpid())
        watches = self.local_rank == 0 and hasattr(os, "pidfd_open")
        self.watch = watchdog.Watch(pids) if watches else None
        self.watch_pid = neighbours.bcast(self.watch.program.pid if self.watch else 0)

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
        if self.watch:
            self.watch.stop()
        _wait(self.comm.Ibarrier())  # nobody ends before all watches have stopped

    def abort(self) -> None:
        """End all processes at once, this one included. What MPI and the watch say would follow our own sentence."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if self.watch_pid:
            with suppress(ProcessLookupError):
                os.kill(self.watch_pid, signal.SIGKILL)
        self.comm.Abort(1)
        os._exit(1)


def _wait(request) -> None:
    """Wait without keeping a core busy for long: process 0 may be drawing pictures, or share the core."""
    started = time.perf_counter()
    while not request.Test():
        if (waited := time.perf_counter() - started) > SPIN:
            time.sleep(min(max(waited / 10, PAUSES[0]), PAUSES[1]))
