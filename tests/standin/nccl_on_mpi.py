"""A stand-in for cupy.cuda.nccl, for tests without GPUs. The arguments are CuPy's, and MPI computes the sums.

Tests with this stand-in show that addresses, counts and types are right, that a sum can be captured, and that all
processes ask for the same sums in the same order. They show nothing about real GPUs and the real NCCL.
"""

import ctypes
import sys

import cupy_rules
import numpy as np
from mpi4py import MPI

available = True
NCCL_SUM, NCCL_FLOAT32, NCCL_FLOAT64 = 0, 7, 8
TYPES = {NCCL_FLOAT32: ctypes.c_float, NCCL_FLOAT64: ctypes.c_double}
KEY = tuple(range(128))


def get_unique_id():
    return KEY


class NcclCommunicator:
    def __init__(self, ndev, commId, rank):
        self.comm = MPI.COMM_WORLD.Dup()
        assert (ndev, commId, rank) == (self.comm.size, KEY, self.comm.rank)

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        if sendbuf != recvbuf or op != NCCL_SUM or not isinstance(stream, int):
            raise NotImplementedError("the stand-in computes only sums in place on a stream")
        array = np.ctypeslib.as_array((TYPES[datatype] * count).from_address(recvbuf))
        cupy_rules.run(lambda: self.comm.Allreduce(MPI.IN_PLACE, array), (), (array,))


def install():
    """Put this module in the place of cupy.cuda.nccl."""
    sys.modules["cupy"].cuda.nccl = sys.modules[__name__]
