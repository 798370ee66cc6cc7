"""backend.capture(f) returns a function. Its first calls run f, the next captures f as a graph, later calls replay it.

Run with pytest --device standin, or on a GPU with --device cuda.
"""

import contextlib
import itertools
import types

import pytest

from tinygan import backend

if backend.device == "cpu":
    pytest.skip("needs --device standin or --device cuda", allow_module_level=True)
from tinygan.backend.cuda import graph

on_the_standin = pytest.mark.skipif(hasattr(backend.xp, "__version__"), reason="needs --device standin")


def counter():
    """Return an array, a list of calls, and a function that adds 1 to the array and a call to the list."""
    total, done = backend.xp.zeros(1), []

    def step():
        done.append("call")
        total[...] += 1

    return total, done, step


def test_each_call_computes_once_and_python_runs_only_until_the_capture():
    total, done, step = counter()
    captured = backend.capture(step)
    for i in range(1, 8):
        assert captured() is None
        assert total.tolist() == [i]
        assert len(done) == min(i, graph.WARM_UP + 1)


def test_a_replay_uses_the_python_values_of_the_capture():
    """count[0] is 3 in the capture, so each replay adds 3. A value that changes between steps must be in an array."""
    total, count = backend.xp.zeros(1), [0]

    def step():
        count[0] += 1
        total[...] += count[0]

    captured = backend.capture(step)
    for _ in range(6):
        captured()
    assert total.tolist() == [1 + 2 + 3 + 3 + 3 + 3]


@on_the_standin
def test_warm_up_and_capture_use_the_private_pool_between_two_events(monkeypatch):
    Stream, happened, inside = backend.xp.cuda.Stream, [], []

    def note(owner, name):
        before = getattr(owner, name)

        def noted(self, *args, **kwargs):
            happened.append(f"{name} of {'default' if self is Stream.null else 'private'}")
            return before(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    @contextlib.contextmanager
    def using_allocator(allocator):
        happened.append("pool")
        inside.append(allocator)
        yield
        inside.pop()

    for name in ("record", "wait_event", "begin_capture", "end_capture"):
        note(Stream, name)
    monkeypatch.setattr(backend.xp.cuda, "using_allocator", using_allocator)
    captured = backend.capture(lambda: happened.append("call") if inside else happened.append("outside"))
    for _ in range(graph.WARM_UP + 3):
        captured()
    enter = ["record of default", "wait_event of private", "pool"]
    leave = ["record of private", "wait_event of default"]
    capture = ["begin_capture of private", "call", "end_capture of private"]
    assert happened == [*enter, "call", *leave] * graph.WARM_UP + [*enter, *capture, *leave]


@on_the_standin
def test_replays_are_launched_on_the_callers_stream(monkeypatch):
    captured = backend.capture(lambda: None)
    launched = []
    monkeypatch.setattr(
        backend.xp.cuda.Graph, "launch", lambda self, stream=None: launched.append(backend.xp.cuda.get_current_stream())
    )
    for _ in range(graph.WARM_UP + 2):
        captured()
    assert launched == [backend.xp.cuda.Stream.null] * 2


def test_a_step_that_cannot_be_captured_says_why_and_leaves_the_stream_free():
    x, calls = backend.xp.ones(3), []

    def step():
        calls.append(1)
        if len(calls) > graph.WARM_UP:
            float(x.sum())  # reads a number from the device

    captured = backend.capture(step)
    for _ in range(graph.WARM_UP):
        captured()
    with pytest.raises(RuntimeError, match=r"(?i)captur"):
        captured()
    assert not captured.stream.is_capturing() and x.tolist() == [1, 1, 1]


def test_two_functions_are_captured_separately():
    (a, _, step_a), (b, _, step_b) = counter(), counter()
    one, other = backend.capture(step_a), backend.capture(step_b)
    for _ in range(5):
        one()
    for _ in range(4):
        other()
    one()
    assert a.tolist() == [6] and b.tolist() == [4]


def test_a_replayed_product_uses_the_current_inputs():
    a, b = backend.xp.ones((2, 3)), backend.xp.ones((3, 2))
    y = backend.xp.zeros((2, 2))

    def step():
        y[...] = backend.matmul(a, b)

    captured = backend.capture(step)
    for _ in range(graph.WARM_UP + 1):
        captured()
    a *= 5
    captured()
    assert y.tolist() == [[15, 15], [15, 15]]


def test_random_numbers_of_captured_calls_equal_those_of_eager_calls():
    eager, captured, drawn = backend.RNG(0), backend.RNG(0), backend.xp.zeros((2, 5), "float32")

    def step():
        for row in drawn:
            row[...] = captured.uniform((5,))

    call = backend.capture(step)
    for _ in range(graph.WARM_UP + 3):
        call()
        for row in drawn:
            assert row.tolist() == eager.uniform((5,)).tolist()
    assert captured.draws.tolist() == eager.draws.tolist()


def drop(monkeypatch, calls):
    """Call a captured function `calls` times, and delete it. Return a list of what happened.

    "call": the function was run or captured. "launch": its graph was replayed. "wait": its stream was synchronised.
    "free": its memory pool was freed.
    """
    done, Pool = [], backend.xp.cuda.MemoryPool
    monkeypatch.setattr(Pool, "free_all_blocks", lambda self, stream=None: done.append("free"))
    monkeypatch.setattr(backend.xp.cuda.Stream, "synchronize", lambda self: done.append("wait"))
    monkeypatch.setattr(backend.xp.cuda.Graph, "launch", lambda self, stream=None: done.append("launch"))
    captured = backend.capture(lambda: done.append("call"))
    for _ in range(calls):
        captured()
    del captured
    return done


@on_the_standin
def test_a_dropped_function_frees_its_pool_after_the_last_replay(monkeypatch):
    assert drop(monkeypatch, 5) == ["call"] * 3 + ["launch"] * 3 + ["wait", "free"]
    assert drop(monkeypatch, 1) == ["call", "free"]


def report_sizes(captured, sizes):
    """Make the memory pool of a captured function report these sizes, one before and one after each capture."""
    captured.pool = types.SimpleNamespace(malloc=captured.pool.malloc, total_bytes=iter(sizes).__next__)


def test_a_graph_that_was_captured_while_memory_ran_short_is_dropped():
    """The pool may have freed blocks that the graph uses. So this call runs the function; the next captures again."""
    total, done, step = counter()
    captured = backend.capture(step)
    report_sizes(captured, [8, 12, 12, 12])
    for i, calls in enumerate([1, 2, 4, 5, 5, 5], start=1):
        captured()
        assert (total.tolist(), len(done)) == ([i], calls)


def test_memory_that_is_short_in_each_attempt_is_an_error_that_says_how_much():
    total, _, step = counter()
    captured = backend.capture(step)
    report_sizes(captured, itertools.count(0, 5_000_000))
    for _ in range(graph.WARM_UP + graph.ATTEMPTS - 1):
        captured()
    with pytest.raises(MemoryError, match=r"changed by \+5.0 MB in attempt 3 of 3.*smaller batch"):
        captured()
    assert total.tolist() == [graph.WARM_UP + graph.ATTEMPTS - 1]


def test_the_gpu_has_a_limited_number_of_replays_queued(monkeypatch):
    """Otherwise Ctrl-C would wait for all replays that the host has queued."""
    done, reached = [0], [0]  # the replays that were launched, and those that the host has waited for

    class Mark(backend.xp.cuda.Event):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.after = done[0]

        def synchronize(self):
            super().synchronize()
            reached[0] = self.after

    monkeypatch.setattr(backend.xp.cuda, "Event", Mark)
    captured = backend.capture(lambda: None)
    for _ in range(graph.WARM_UP):
        captured()
    for _ in range(10 * graph.IN_FLIGHT):
        done[0] += 1
        captured()
        assert done[0] - reached[0] <= 2 * graph.IN_FLIGHT
        assert not reached[0] or done[0] - reached[0] >= graph.IN_FLIGHT  # work is left while the host waits
