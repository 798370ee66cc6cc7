"""backend.capture(f) returns a function. Its first calls run f, the next captures f as a graph, later calls replay it.

Run with pytest --device standin.
"""

import contextlib

import pytest

from tinygan import backend

if backend.device == "cpu" or hasattr(backend.xp, "__version__"):
    pytest.skip("needs --device standin", allow_module_level=True)
from tinygan.backend.cuda import graph


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
    with pytest.raises(backend.xp.cuda.runtime.CUDARuntimeError, match="while a graph is captured"):
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


def drop(monkeypatch, calls, sizes=()):
    """Call a captured function `calls` times, and delete it. Return a list of what happened.

    "call": the function was run or captured. "launch": its graph was replayed. "wait": its stream was synchronised.
    "free": its memory pool was freed. sizes: results of the first calls of the pool's total_bytes; later results are 0.
    """
    done, sizes, Pool = [], [*sizes, 0], backend.xp.cuda.MemoryPool
    monkeypatch.setattr(Pool, "total_bytes", lambda self: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    monkeypatch.setattr(Pool, "free_all_blocks", lambda self, stream=None: done.append("free"))
    monkeypatch.setattr(backend.xp.cuda.Stream, "synchronize", lambda self: done.append("wait"))
    monkeypatch.setattr(backend.xp.cuda.Graph, "launch", lambda self, stream=None: done.append("launch"))
    captured = backend.capture(lambda: done.append("call"))
    try:
        for _ in range(calls):
            captured()
    finally:
        del captured
    return done


def test_a_dropped_function_frees_its_pool_after_the_last_replay(monkeypatch):
    assert drop(monkeypatch, 5) == ["call"] * 3 + ["launch"] * 3 + ["wait", "free"]
    assert drop(monkeypatch, 1) == ["call", "free"]


def test_a_graph_that_was_captured_while_memory_ran_short_is_dropped(monkeypatch):
    """The pool may have freed blocks that the graph uses. So this call runs the function; the next captures again."""
    assert drop(monkeypatch, 4, [8, 12, 12, 12]) == ["call"] * 5 + ["launch", "wait", "free"]
    with pytest.raises(MemoryError, match="smaller batch"):
        drop(monkeypatch, 10, range(20))
