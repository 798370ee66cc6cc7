"""Data parallel: N processes train as one.

    mpiexec -n 4 python train.py

Each process holds all weights, and computes its share of the images of each batch. They exchange sums:

- What depends on the whole batch, such as the mean of BatchNorm, is summed over the processes (`all_reduce`).
- Gradients of the mean loss of a share are averaged (`average`), so they are those of the mean loss of the batch.
- Random numbers are drawn for the whole batch on every process, and each takes its rows (`RowsRNG`).

So N processes compute what one computes, up to rounding, and end with the same weights to the bit. Differentiation
needs one rule. Each process differentiates its own part L_p of the loss L_1 + ... + L_N. For y = x_1 + ... + x_N,

    dL/dx_p = dL_1/dy + ... + dL_N/dy        the derivative of all_reduce is all_reduce

MPI (mpi.py) lets the processes find each other, and sums arrays of the CPU; NCCL (nccl.py) sums arrays on GPUs.
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

rank, size = 0, 1  # the number of this process, and how many there are; see alone()
local_rank = 0  # the number of this process among those of its machine: the number of its GPU
sharing = 1  # how many processes use the cores that this one uses
_world: Any = None  # an mpi.World, if there are several processes
_gpus: Any = None  # an nccl.Communicator, if they compute on GPUs

LAUNCHERS = (  # (how many processes, which of them), in the environment of a process
    ("PMI_SIZE", "PMI_RANK"),  # mpiexec of MPICH and Intel MPI, and srun --mpi=pmi2
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # mpirun of OpenMPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun
)


class DistributedError(RuntimeError):
    """The processes cannot work together; the message says why, and what to do."""


def launched() -> tuple[int, int]:
    """Return (which process this is, of how many), as the launcher says; (0, 1) if there is none."""
    for count, number in LAUNCHERS:
        if os.environ.get(count, "").isdigit() and os.environ.get(number, "").isdigit():
            return int(os.environ[number]), int(os.environ[count])
    return 0, 1


def mute_others() -> None:
    """Process 0 speaks for all: what the others print, errors apart, goes nowhere."""
    if launched()[0]:
        sys.stdout = sys.stderr = open(os.devnull, "w")


def start() -> None:
    """Join the other processes, if a launcher started several. Raises DistributedError if that fails."""
    global rank, size, local_rank, sharing, _world
    expected = launched()[1]
    if expected == 1 or _world:
        return
    from . import mpi

    _world = mpi.World(expected)
    rank, size, local_rank, sharing = _world.rank, _world.size, _world.local_rank, _world.sharing


def connect(device: str) -> None:
    """Tell the other processes the device of this one; join the GPUs. Raises DistributedError if that fails."""
    global _gpus
    kinds = [name.partition(":")[0] for name in gathered(device)]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise DistributedError(f"process 0 computes on {kinds[0]}, process {number} on {kind}: choose a --device")
    if size > 1 and kinds[0] == "cuda" and not _gpus:
        from . import nccl

        _gpus = nccl.Communicator(_world)


def add_up(array):
    """array <- its sum over the processes, in place, on its device; the same bits on each. It has no gaps."""
    if size > 1:
        (_world if isinstance(array, np.ndarray) else _gpus).add_up(array)
    return array


def all_reduce(array):
    """Return the sum of an array over the processes."""
    return add_up(array.copy(order="C"))


def average(*arrays) -> None:
    """array <- its mean over the processes, in place; small arrays of one shape together, in one exchange."""
    if size > 1:
        whole = add_up(arrays[0] if len(arrays) == 1 else backend.xp.stack(arrays))
        whole *= 1.0 / size
        if len(arrays) > 1:
            for array, mean in zip(arrays, whole):
                array[...] = mean


def whole_moments(mean, variance):
    """Return mean and biased variance over the whole batch, of those over the shares: (C,), (C,).

    The mean of the squares is computed in float64, because the square of the mean is subtracted from it.
    """
    squares = mean.astype("float64") ** 2
    both = backend.xp.stack([mean.astype("float64"), variance.astype("float64") + squares])
    average(both)
    return both[0].astype(mean.dtype), (both[1] - both[0] ** 2).astype(mean.dtype)


def share(batch_size: int) -> int:
    """Return the number of images of a batch that each process gets. Raises ValueError if it is not a whole number."""
    if batch_size % size:
        raise ValueError(
            f"a batch of {batch_size} images cannot be divided among {size} processes: "
            f"take a --batch-size that is a multiple of {size}"
        )
    return batch_size // size


def largest(number: int) -> int:
    """Return the largest of the numbers that the processes have. They wait for each other."""
    return int(number) if size == 1 else _world.largest(int(number))


def gathered(value: Any) -> list[Any]:
    """Return what each process has as `value`, in the order of the processes. They wait for each other."""
    return [value] if size == 1 else _world.gathered(value)


@contextmanager
def alone() -> Iterator[None]:
    """Within the block this process is the only one: it exchanges nothing, and has the whole batch."""
    global rank, size
    before = rank, size
    rank, size = 0, 1
    try:
        yield
    finally:
        rank, size = before


def by_process_0(function: Callable) -> Callable:
    """Turn a function into one that process 0 calls alone. On the other processes it does nothing."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if rank == 0:
            with alone():
                return function(*args, **kwargs)

    return call


def end(sentence: str) -> None:
    """Print why this process cannot go on, and end all processes. Returns if there is only one.

    The same error often stops all processes. Then the sentence of process 0 is enough, so the others wait first.
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
    """Wait for all processes and stop the watchdog. After this a process may exit, and the others go on."""
    if _world is not None:
        _world.finish()


class RowsRNG:
    """The random numbers of whole batches, of which each process gets its rows.

    rows: the number of images of a batch on this process. A shape of 2 * rows stands for two batches one after the
    other, such as real and fake images. While rows is 0, as for initial weights, all processes get the same numbers.
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
        whole = draw((n * size, *rest), dtype)
        return whole.reshape(n // self.rows, size, self.rows, *rest)[:, rank].reshape(shape)


def batch_rng(rng):
    """Return `rng` as one for whole batches, if there are several processes."""
    return rng if size == 1 else RowsRNG(rng)
