"""Data parallelism: N processes train together, with the same result as one process.

    mpiexec -n 4 python train.py

Each process has all weights. Each batch is divided into N equal parts, and each process computes one part, its local
batch. Three things make the result independent of N:

- `all_reduce` adds up values that depend on the whole batch, such as the mean in BatchNorm.
- `average` averages gradients. The average of the gradients for the local batches is the gradient for the batch.
- `RowsRNG` draws the random numbers of the whole batch in every process, and returns the rows of the local batch.

So N processes compute the same as one, up to rounding. All processes have the same weights, to the bit.

The derivative of all_reduce is all_reduce. Let x_p be the value in process p, and y = x_1 + ... + x_N the sum in all
processes. Process p differentiates its own loss L_p. The total loss is L = L_1 + ... + L_N, and each L_q depends on y.
So dL/dx_p = dL_1/dy + ... + dL_N/dy, which is the all_reduce of the derivatives dL_q/dy.

MPI (mpi.py) connects the processes, and sums arrays on CPUs. NCCL (nccl.py) sums arrays on GPUs.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import backend

rank, size = 0, 1  # rank: the number of this process (0, 1, ...); size: how many processes there are
local_rank = 0  # the number of this process among the processes of its machine (0, 1, ...)
sharing = 1  # how many processes share cores with this process, itself included
_world: Any = None  # an mpi.World if there are several processes
_gpus: Any = None  # an nccl.Communicator if these processes compute on GPUs

LAUNCHERS = (  # environment variables of a launcher: (number of processes, number of this process)
    ("PMI_SIZE", "PMI_RANK"),  # mpiexec of MPICH and Intel MPI, and srun --mpi=pmi2
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # mpirun of OpenMPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun
)


class DistributedError(RuntimeError):
    """The processes cannot train together. The message says why, and what to do."""


def launched() -> tuple[int, int]:
    """Return (rank, size) from the environment variables of the launcher; (0, 1) without a launcher."""
    for count, number in LAUNCHERS:
        if os.environ.get(count, "").isdigit() and os.environ.get(number, "").isdigit():
            return int(os.environ[number]), int(os.environ[count])
    return 0, 1


def mute_others() -> None:
    """Discard the output of this process unless it is process 0. `end` can still print an error."""
    if launched()[0]:
        sys.stdout = sys.stderr = open(os.devnull, "w")


def start() -> None:
    """Connect to the other processes if a launcher started several. Raises DistributedError if this fails."""
    global rank, size, local_rank, sharing, _world
    expected = launched()[1]
    if expected == 1 or _world:
        return
    from . import mpi

    _world = mpi.World(expected)
    rank, size, local_rank, sharing = _world.rank, _world.size, _world.local_rank, _world.sharing


def connect(device: str) -> None:
    """Check that all processes use one kind of device, and connect their GPUs. Raises DistributedError on failure."""
    global _gpus
    kinds = [name.partition(":")[0] for name in gathered(device)]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise DistributedError(f"process 0 uses {kinds[0]}, process {number} uses {kind}: choose a --device")
    if size > 1 and kinds[0] == "cuda" and not _gpus:
        from . import nccl

        _gpus = nccl.Communicator(_world)


def add_up(array):
    """Sum a contiguous array over the processes, in place. The result has the same bits on each process."""
    if size > 1:
        (_world if isinstance(array, np.ndarray) else _gpus).add_up(array)
    return array


def all_reduce(array):
    """Return the sum of an array over the processes; the array itself does not change."""
    return add_up(array.copy(order="C"))


def average(*arrays) -> None:
    """Average arrays over the processes, in place. All arrays must have the same shape. They are sent together."""
    if size > 1:
        whole = add_up(arrays[0] if len(arrays) == 1 else backend.xp.stack(arrays))
        whole *= 1.0 / size
        if len(arrays) > 1:
            for array, mean in zip(arrays, whole):
                array[...] = mean


def whole_moments(mean, variance):
    """Return mean and biased variance of the whole batch. mean, variance: those of the local batch.

    The variance is E[x^2] - mean^2. This difference loses digits, so it is computed in float64.
    """
    squares = mean.astype("float64") ** 2
    both = backend.xp.stack([mean.astype("float64"), variance.astype("float64") + squares])
    average(both)
    return both[0].astype(mean.dtype), (both[1] - both[0] ** 2).astype(mean.dtype)


def local_batch_size(batch_size: int) -> int:
    """Return the number of images in the local batch. Raises ValueError if the batch cannot be divided evenly."""
    if batch_size % size:
        raise ValueError(
            f"a batch of {batch_size} images cannot be divided among {size} processes: "
            f"choose a --batch-size that is a multiple of {size}"
        )
    return batch_size // size


def largest(number: int) -> int:
    """Return the maximum of `number` over the processes. All processes must call this; they wait for each other."""
    return int(number) if size == 1 else _world.largest(int(number))


def gathered(value: Any) -> list[Any]:
    """Return [value of process 0, value of process 1, ...]. All processes must call this; they wait for each other."""
    return [value] if size == 1 else _world.gathered(value)


@contextmanager
def alone() -> Iterator[None]:
    """with alone(): behave as if there were only one process. It computes whole batches, and sends nothing."""
    global rank, size
    before = rank, size
    rank, size = 0, 1
    try:
        yield
    finally:
        rank, size = before


def by_process_0(function: Callable) -> Callable:
    """Decorate a function to run only on process 0, within `alone`. On other processes a call returns None at once."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if rank == 0:
            with alone():
                return function(*args, **kwargs)

    return call


def end(sentence: str) -> None:
    """Print an error and end all processes. Without other processes, do nothing.

    The same error often occurs in all processes. Then only process 0 prints it: the other processes wait for a second
    before they print, and process 0 ends them within this second.
    """
    if _world is None:
        return
    sys.stdout.flush()
    if _world.rank:
        time.sleep(1.0)
        sentence = f"process {_world.rank}: {sentence}"
    os.write(2, f"{sentence}\n".encode())
    _world.abort()


def finish() -> None:
    """Wait for all processes and stop the watchdog. Afterwards a process can exit without ending the others."""
    if _world is not None:
        _world.finish()


class RowsRNG:
    """A source of random numbers that draws for the whole batch, and returns the rows of the local batch.

    rows: the number of images in the local batch. While it is 0, all processes get the same numbers. The initial
    weights are drawn in this way.
    """

    def __init__(self, rng) -> None:
        self.rng, self.rows = rng, 0
        self.state_dict, self.load_state_dict = rng.state_dict, rng.load_state_dict

    def normal(self, shape, dtype="float32"):
        return self._rows_of(self.rng.normal, shape, dtype)

    def uniform(self, shape, dtype="float32"):
        return self._rows_of(self.rng.uniform, shape, dtype)

    def _rows_of(self, draw, shape, dtype):
        if not self.rows or size == 1:
            return draw(shape, dtype)
        n, *rest = shape
        return draw((n * size, *rest), dtype)[rank * n : (rank + 1) * n]


def batch_rng(rng):
    """Return RowsRNG(rng) if there are several processes, else rng."""
    return rng if size == 1 else RowsRNG(rng)
