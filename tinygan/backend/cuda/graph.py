"""A whole training step as one CUDA graph: its kernels are recorded once, and then launched together, without Python.

A graph repeats the same operations on the same memory. So what changes between steps must live in arrays that are
updated in place, and the memory of all intermediate results must belong to the graph as long as it lives.

What this relies on, in CuPy 14.2 and CUDA:
- A pool keeps the blocks of each stream apart. So the calls before the capture run under the same pool, on the same
  stream: they leave behind all the blocks that the capture will ask for.
- Blocks freed while capturing go back to the pool and serve the rest of the step. Afterwards they are still written to
  at each replay, so no other code may get them: the pool is private and lives as long as the graph.
- begin_capture is in relaxed mode unless told otherwise: there the pool may still call cudaMalloc.
- A graph can be launched on any stream. It is launched on the caller's stream, so it runs after the caller's earlier
  work (the new order of an epoch) and before its later work. to_host waits for that one stream.
- A non-blocking stream and the default stream do not wait for each other: events order the warm-up calls.
- A pool that runs out of memory frees its unused blocks and asks again. Within a capture some of these blocks belong to
  the graph. So a graph whose pool changed its size is dropped, and the call is one more warm-up.
- A pool that is no longer referenced frees nothing by itself. When a captured function is dropped, its blocks are freed
  after the last replay.
"""

import weakref
from contextlib import contextmanager, suppress

import cupy as xp

from .. import distributed
from .kept import Kept

WARM_UP = 2  # calls before the capture: the first compiles kernels, the second finds all its memory in the pool
ATTEMPTS = 3  # to capture


class Captured:
    """A function of no arguments. The first calls run it; later calls replay a graph of it."""

    def __init__(self, function):
        self.function, self.calls, self.graph = function, 0, None
        self.stream, self.pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        self.kept = Kept()
        self.launched = []  # the stream of the last replay
        weakref.finalize(self, release, self.pool, self.launched, self.kept.constants)

    def __call__(self):
        if self.graph is None and self.calls >= WARM_UP:
            self.graph = self.record()
        if self.graph is None:
            with self.aside():
                self.kept.run(self.function)
            self.calls += 1
            return
        self.launched[:] = [xp.cuda.get_current_stream()]
        self.graph.launch()

    @contextmanager
    def aside(self):
        """Run the block on the private stream and memory pool, in order with the work on the caller's stream."""
        callers = xp.cuda.get_current_stream()
        self.stream.wait_event(callers.record())
        with self.stream, xp.cuda.using_allocator(self.pool.malloc):
            yield
        callers.wait_event(self.stream.record())

    def record(self):
        """Return the graph of one call, or None if memory ran short. Capturing it computes nothing.

        Raises MemoryError after ATTEMPTS.
        """
        size = self.pool.total_bytes()
        with self.aside(), nothing_released():
            self.stream.begin_capture()
            try:
                self.kept.run(self.function)
            except BaseException:
                with suppress(xp.cuda.runtime.CUDARuntimeError):  # it may be invalid by now; the cause is what counts
                    self.stream.end_capture()
                raise
            graph = self.stream.end_capture()
        if not distributed.largest(self.pool.total_bytes() != size):  # all processes replay, or none
            return graph
        if self.calls >= WARM_UP + ATTEMPTS - 1:
            raise MemoryError(
                "the memory of the GPU does not suffice to capture a step: take a smaller batch, or --no-graph"
            )
        return None


_dropped: list = []  # of graphs that are launched no more: the pool, the stream of the last replay, the constants
_capturing = False


def release(pool, launched, constants):
    """Free the memory of a graph that is launched no more, after its last replay; not within a capture."""
    _dropped.append((pool, launched, constants))
    while _dropped and not _capturing:
        pool, launched, constants = _dropped.pop()
        for stream in launched:
            stream.synchronize()
        constants.clear()
        pool.free_all_blocks()


@contextmanager
def nothing_released():
    """Within the block, dropped graphs wait. To wait for the device would spoil a capture."""
    global _capturing
    _capturing = True
    try:
        yield
    finally:
        _capturing = False


def capture(function):
    """See backend.capture. WARM_UP calls run the function, the next captures and launches it, later ones replay it.

    Each call is one real call of the function. Python code in it no longer runs after the capture, and its result is
    dropped.
    """
    return Captured(function)
