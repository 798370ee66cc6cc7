"""A whole training step as one CUDA graph: its kernels are noted once, and then launched together, without Python.

A graph does the same operations on the same memory each time. So what changes between steps must be arrays changed in
place, and the memory of everything that the step computes along the way must belong to the graph for good.

What this relies on, in CuPy 14.2 and CUDA:
- A pool keeps the blocks of each stream apart. So the calls before the capture run under the same pool, on the same
  stream: they leave behind all the blocks that the capture will ask for.
- Blocks freed while capturing go back to the pool and serve the rest of the step. Afterwards they are still written to
  at each replay: nobody else may be given them, so the pool is private and lives as long as the graph.
- begin_capture is in relaxed mode unless told otherwise: there the pool may still call cudaMalloc.
- A graph can be launched on any stream. It is launched on the caller's, so that it runs after what the caller did
  before (the new order of an epoch) and before what comes next: to_host waits for the caller's stream, and that is it.
- A non-blocking stream does not wait for the default one, nor is waited for: events order the calls before the replays.
"""

from contextlib import contextmanager, suppress

import cupy as xp

WARM_UP = 2  # calls before the capture: the first compiles kernels, the second finds all its memory in the pool


class Captured:
    """A function of no arguments, as it is at first, then as a graph."""

    def __init__(self, function):
        self.function, self.calls, self.graph = function, 0, None
        self.stream, self.pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()

    def __call__(self):
        if self.graph is None and self.calls < WARM_UP:
            with self.aside():
                self.function()
            self.calls += 1
            return
        if self.graph is None:
            self.graph = self.record()
        self.graph.launch()

    @contextmanager
    def aside(self):
        """On the private stream and pool: after what the caller's stream was given, before what it will be given."""
        callers = xp.cuda.get_current_stream()
        self.stream.wait_event(callers.record())
        with self.stream, xp.cuda.using_allocator(self.pool.malloc):
            yield
        callers.wait_event(self.stream.record())

    def record(self):
        """The graph of one call. It computes nothing yet."""
        with self.aside():
            self.stream.begin_capture()
            try:
                self.function()
            except BaseException:
                with suppress(xp.cuda.runtime.CUDARuntimeError):  # it may be invalid by now; the cause is what counts
                    self.stream.end_capture()
                raise
            return self.stream.end_capture()


def capture(function):
    """function(), done anew at each call, and soon without Python: see backend.capture in cpu.py.

    The first WARM_UP calls are ordinary ones, the next is captured and launched, the rest are replays: each of them is
    one real call. What Python itself does in the function, it does until the capture and never again; the function's
    result is dropped.
    """
    return Captured(function)
