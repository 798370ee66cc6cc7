"""Sums over GPUs through NCCL. MPI connects the processes; then the GPUs exchange data directly.

A sum is a kernel on the current stream. So the host does not wait for it, and a CUDA graph can capture the sum as a
part of the step (cuda/graph.py). NCCL supports capture since version 2.9. All versions for CUDA 12 and 13 are newer.
"""

import cupy as xp

from . import DistributedError


class Communicator:
    """The connection between the GPUs of all processes. world: an mpi.World. Raises DistributedError on failure."""

    def __init__(self, world) -> None:
        self.nccl = nccl = xp.cuda.nccl
        if not nccl.available:
            raise DistributedError("several GPUs need NCCL: pip install nvidia-nccl-cu12, or nvidia-nccl-cu13")
        self.types = {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}
        key = nccl.get_unique_id() if world.rank == 0 else None
        try:
            self.comm = nccl.NcclCommunicator(world.size, world.gathered(key)[0], world.rank)
            self.add_up(xp.zeros(1, "float32"))
        except RuntimeError as error:  # such as NcclError for two processes with the same GPU
            raise DistributedError(
                f"NCCL cannot join the GPUs of {world.size} processes ({error}): each process needs a GPU of its own"
            ) from None

    def add_up(self, array) -> None:
        address, stream = array.data.ptr, xp.cuda.get_current_stream().ptr
        kind = self.types[array.dtype.name]
        self.comm.allReduce(address, address, array.size, kind, self.nccl.NCCL_SUM, stream)
