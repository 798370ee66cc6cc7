"""A whole training step as a CUDA graph: its kernels are recorded once, and then launched together, without Python.

A graph repeats the same operations on the same memory. So everything that changes between steps must be in arrays that
are updated in place. The memory of intermediate results must not be used by other code as long as the graph exists.

The code depends on these properties of CuPy 14.2 and CUDA:
- A memory pool has separate free blocks for each stream. The warm-up calls before the capture use the pool and the
  stream of the capture. So they leave free blocks of all the sizes that the capture will need.
- Blocks that are freed during the capture return to the pool, and later operations of the step use them again. Each
  replay writes to these blocks. So the pool is private, and exists as long as the graph.
- The default mode of begin_capture is relaxed: the pool may call cudaMalloc during the capture.
- A graph can be launched on any stream. Here it is launched on the caller's stream. So it runs after earlier work of
  the caller, such as the shuffling of an epoch, and before later work. to_host waits for the caller's stream.
- A non-blocking stream and the default stream do not wait for each other. So the warm-up calls use events to wait for
  earlier work of the caller, and to make later work of the caller wait.
- A pool that runs out of memory frees its unused blocks. During a capture some of them belong to the graph. So a graph
  is discarded if the size of the pool changed during its capture, and the next call tries the capture again.
- A launch does not wait for earlier launches, so the host could queue minutes of work, and Ctrl-C would wait for it.
  So the host waits for an earlier replay after every IN_FLIGHT launches. The GPU always has work queued meanwhile.
- A pool without references does not free its blocks. So `release` frees them when a captured function is deleted, after
  its last replay.
"""

import gc
import weakref
from contextlib import contextmanager, suppress

import cupy as xp

from .. import distributed

WARM_UP = 2  # calls before the capture: the first compiles kernels and allocates memory, which the second reuses
ATTEMPTS = 3  # how often a capture is tried, at most
IN_FLIGHT = 16  # the GPU has at most twice as many replays queued: a second or so of the largest steps on a slow card


class Captured:
    """A function without arguments. The first calls run the function; later calls replay its graph."""

    def __init__(self, function):
        self.function, self.calls, self.graph = function, 0, None
        self.stream, self.pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        self.launched = []  # [the stream of the last replay], or [] before the first
        self.replays, self.mark = 0, None  # mark: an event after the last replay whose number IN_FLIGHT divides
        weakref.finalize(self, release, self.pool, self.launched)

    def __call__(self):
        if self.graph is None and self.calls >= WARM_UP:
            self.graph = self.record()
        if self.graph is None:
            with self.aside():
                self.function()
            self.calls += 1
            return
        stream = xp.cuda.get_current_stream()
        self.launched[:] = [stream]
        self.graph.launch()
        self.replays += 1
        if self.replays % IN_FLIGHT == 0:
            if self.mark:
                self.mark.synchronize()
            self.mark = stream.record(xp.cuda.Event(block=True, disable_timing=True))  # block: sleep while waiting

    @contextmanager
    def aside(self):
        """with self.aside(): use the private stream and pool. Wait for earlier work of the caller; later work waits."""
        callers = xp.cuda.get_current_stream()
        self.stream.wait_event(callers.record())
        with self.stream, xp.cuda.using_allocator(self.pool.malloc):
            yield
        callers.wait_event(self.stream.record())

    def record(self):
        """Capture one call and return its graph, or None if memory ran short. A capture computes nothing.

        Raises MemoryError if memory ran short ATTEMPTS times.
        """
        size = self.pool.total_bytes()
        with self.aside(), nothing_released():
            self.stream.begin_capture()
            try:
                self.function()
            except BaseException:
                with suppress(xp.cuda.runtime.CUDARuntimeError):  # raise the first error, not one of end_capture
                    self.stream.end_capture()
                raise
            graph = self.stream.end_capture()
        change = self.pool.total_bytes() - size
        if not distributed.largest(change != 0):  # the same decision in all processes
            return graph
        if self.calls >= WARM_UP + ATTEMPTS - 1:
            raise MemoryError(
                f"the memory of a captured step changed by {change / 1e6:+.1f} MB in attempt {ATTEMPTS} of {ATTEMPTS}, "
                "probably because the GPU is full: choose a smaller batch, or do not capture the step"
            )
        gc.collect()
        xp.get_default_memory_pool().free_all_blocks()  # leave more memory to the next attempt
        return None


_deleted: list = []  # (pool, launched) of each deleted Captured whose memory is not yet free
_capturing = False


def release(pool, launched):
    """Free the memory of a deleted Captured, after its last replay. During a capture, leave it to a later call."""
    _deleted.append((pool, launched))
    while _deleted and not _capturing:
        pool, launched = _deleted.pop()
        for stream in launched:
            stream.synchronize()
        pool.free_all_blocks()


@contextmanager
def nothing_released():
    """with nothing_released(): `release` frees nothing. Freeing waits for the GPU, which makes a capture invalid."""
    global _capturing
    _capturing = True
    try:
        yield
    finally:
        _capturing = False


def capture(function):
    """See backend.capture. The first WARM_UP calls run the function. The next call captures it; later calls replay it.

    Every call has the effect of one call of the function. The result of the function is not returned.
    """
    return Captured(function)
