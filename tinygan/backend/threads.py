"""The CPU's cores. NumPy runs all but matrix products on one of them; here work is cut into blocks, and the blocks go
to threads of our own (NumPy releases Python's lock while it computes). Blocks of one operation must wait for each
other; so what nobody waits for yet is left for `later`, and each core is busy with something of its own.

A block is small enough that what is computed along the way stays in the cache, which pays even with one thread. How
work is cut depends on its size alone, never on the number of threads: so results do not, to the bit.
"""

import ctypes
import math
import os
import sys
from collections import deque
from contextvars import copy_context
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy


def count():
    """How many threads: what OMP_NUM_THREADS or a BLAS's variable of that kind says, else the cores we may use."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return max(1, int(os.environ[name]))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = count()  # may be changed at any time; helpers that have begun stay
_blocks, _tasks = deque(), deque()  # what is offered to whoever is free: see run, and later
_asleep = deque()  # the bells of those who have nothing to do
_helpers = []


def _begin_anew():
    """A child process has none of its parent's threads, and one of them may have held a queue's lock."""
    global _blocks, _tasks, _asleep, _helpers
    _blocks, _tasks, _asleep, _helpers = deque(), deque(), deque(), []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _serve(until, *queues):
    """Do what is offered, that of the first queue first, and sleep when there is nothing, until until() is true."""
    bell = SimpleQueue()
    while not until():
        work = next(filter(None, map(_take, queues)), None)
        if work:
            work()
            del work  # and with it the arrays it is about
        else:
            _asleep.append(bell)
            came = any(queues) or until()  # before the bell hung
            if not (came and _withdraw(_asleep, bell)):
                bell.get()  # it rings, or it has been rung


def _offer(queue, work, n=1):
    """Let n of those who are free do it, now or when one will be."""
    while len(_helpers) < THREADS - 1:
        helper = Thread(target=_serve, args=(lambda: False, _blocks, _tasks), daemon=True)
        helper.start()
        _helpers.append(helper)
    queue.extend([work] * n)
    _ring(n)


def _ring(n):
    for _ in range(n):
        if bell := _take(_asleep):
            bell.put(None)


def _withdraw(queue, item):
    """Take every copy of an item back; how many nobody had taken."""
    n = 0
    try:
        while True:
            queue.remove(item)
            n += 1
    except ValueError:
        return n


def _take(queue):
    """The next one, or None; a deque is whole whoever takes, with Python's lock and without."""
    try:
        return queue.popleft()
    except IndexError:
        return None


def one_product_a_thread():
    """Tell the OpenBLAS that comes with NumPy to leave the threads to us: two sets of them fight for the same cores."""
    for path in Path(numpy.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))  # it is loaded already: this only finds it
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(1)


def keep_memory():
    """Tell glibc to keep the memory of freed arrays: a step makes the same ones again, and new pages cost time."""
    if hasattr(libc := ctypes.CDLL(None) if sys.platform == "linux" else None, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no array has a mapping of its own
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the heap does not shrink


def run(function, blocks):
    """function(block) for every block, on all threads; the results in the order of the blocks."""
    if len(blocks) == 1 or THREADS == 1:
        return [function(block) for block in blocks]
    results, waiting, done = [None] * len(blocks), deque(range(len(blocks))), SimpleQueue()

    def work():
        error = None
        try:
            while (i := _take(waiting)) is not None:  # whoever is free takes the next one
                results[i] = function(blocks[i])
        except BaseException as raised:
            error = raised
            waiting.clear()  # nobody is to begin another one
        done.put(error)

    others = min(THREADS, len(blocks)) - 1
    _offer(_blocks, work, others)
    work()  # the thread that asks works too
    for error in [done.get() for _ in range(1 + others - _withdraw(_blocks, work))]:
        if error is not None:
            raise error
    return results


def later(function):
    """A function that gives function()'s result. A thread that is free may compute it before it is asked for.

    What it reads must not change until then, it must not draw random numbers while others may, and it must be asked for
    in this process, but not from a block of `run`. With one thread it is computed at once.
    """
    if THREADS == 1:
        return at_once(function)
    outcome, asked, here = [], [], copy_context()  # what holds where it is left, no_grad too, holds where it is done

    def work():
        try:
            outcome.append((here.run(function), None))
        except BaseException as error:
            outcome.append((None, error))
        if asked:
            _ring(len(_asleep))  # who asked may sleep

    def get():
        if _withdraw(_tasks, work):
            work()
        asked.append(True)
        _serve(lambda: outcome, _blocks)  # who waits helps; but not with a task, which could wait for this one
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    _offer(_tasks, work)
    return get


def at_once(function):
    """What `later` is where nothing is gained by waiting."""
    result = function()
    return lambda: result


def cut(length, size):
    """Slices of `size` (the last may be smaller) that cover `length`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def cut_evenly(length, work, most):
    """Slices that cover `length`, each with about `most` of the `work` or less; an even number of them, so that two
    threads end together."""
    blocks = 2 * max(1, math.ceil(work / (2 * most)))
    return cut(length, max(1, math.ceil(length / blocks)))
