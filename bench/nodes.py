"""Count the nodes of a captured training step, their longest chain, and the bytes that they read and write.

python bench/nodes.py                    prints a table: all presets, batches of 64 and 512 MNIST images
python bench/nodes.py --write            and writes it to bench/results/nodes.md

The script needs no GPU: the step runs on the stand-in for CuPy in tests/standin. The bytes of a node are the sizes of
all its arrays. The node that gathers a batch is an exception: the array of all training images is not counted.

In a chain, each node must wait for the node before it. Only nodes outside of the longest chain could run at the same
time as others, on a second stream.
"""

import argparse
import bisect
import contextlib
import functools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.lib.array_utils import byte_bounds

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/standin")]

import cupy_rules  # noqa: E402
import cupy_standin  # noqa: E402

from tinygan import backend, data  # noqa: E402
from tinygan.gan import presets  # noqa: E402

KINDS = {"product": "products", "tinygan_im2col": "patches", "tinygan_col2im": "patches added up"}
KINDS |= {"tinygan_sums": "column sums", "tinygan_elementwise": "elementwise"}
COLUMNS = [*dict.fromkeys(KINDS.values()), "all else"]


def step(preset, batch_size, start):
    """Build a preset, call start(), and do a training step."""
    recipe, dataset = presets.PRESETS[preset]._replace(batch_size=batch_size), data.load()
    training = presets.build(recipe, (28, 28, 1), seed=0, classes=dataset.classes)
    batches = data.Batches(dataset, batch_size, 0, recipe.n_critic, recipe.conditional)
    batches.start_epoch(0)
    start()
    training.step(batches)


@contextlib.contextmanager
def replaced(run):
    """Within the block, the stand-in does each of its operations by run(compute, inputs, written, name)."""
    before = cupy_rules.run
    cupy_rules.run = cupy_standin.run = run
    try:
        yield
    finally:
        cupy_rules.run = cupy_standin.run = before


def count(preset, batch_size):
    """Return {kind: nodes} and {kind: bytes} of a step."""
    nodes, size, run = Counter(), Counter(), cupy_rules.run

    def counted(compute, inputs=(), written=(), name=""):
        result = run(compute, inputs, written, name)
        arrays = [a for a in (*inputs, *written) if isinstance(a, np.ndarray)]
        if not written and any(np.may_share_memory(result._array, a) for a in inputs):
            return result  # a view needs no node
        arrays += [] if written else [result._array]
        nodes[KINDS.get(name, "all else")] += 1
        size[KINDS.get(name, "all else")] += sum(a.nbytes for a in arrays[name == "tinygan_gather" :])  # not all images
        return result

    with replaced(counted):
        step(preset, batch_size, lambda: (nodes.clear(), size.clear()))
    return nodes, size


def longest_chain(preset, batch_size=4):
    """Return the number of nodes in the longest chain of a step.

    A node waits for all nodes before it that wrote its memory, and for all that read the memory that it writes. A write
    that changes no value counts as a read.
    """
    run, make = cupy_rules.run, cupy_rules.ndarray.__init__
    starts, ends, alive = [], [], []  # of each allocation. All arrays stay alive, so no memory is used twice
    written, read = Counter(), Counter()  # allocation: the longest chain up to its last write, and up to its reads
    known = set()  # allocations that were used before

    def made(self, array):
        make(self, array)
        alive.append(self._array)
        while isinstance(array.base, np.ndarray):
            array = array.base
        start, end = byte_bounds(array)
        i = bisect.bisect_right(starts, start)
        if i == 0 or start >= ends[i - 1]:
            starts.insert(i, start), ends.insert(i, end)

    def allocations(arrays):
        return {starts[bisect.bisect_right(starts, byte_bounds(a)[0]) - 1] for a in arrays if a.size}

    def chained(compute, inputs=(), written_arrays=(), name=""):
        used = arrays_of([compute, inputs, written_arrays])
        before = [a.tobytes() for a in used]
        result = run(compute, inputs, written_arrays, name)
        new = [] if written_arrays else [result._array]
        if any(np.may_share_memory(a, b) for a in new for b in inputs if isinstance(b, np.ndarray)):
            return result  # a view needs no node
        writes = allocations([*new, *(a for a, old in zip(used, before) if a.tobytes() != old)])
        writes |= allocations(used) - known  # the first use of memory writes it
        known.update(allocations(used) | writes)
        reads = allocations(used) - writes
        length = 1 + max([written[a] for a in reads | writes] + [read[a] for a in writes], default=0)
        for a in reads:
            read[a] = max(read[a], length)
        for a in writes:
            written[a] = length
        return result

    cupy_rules.ndarray.__init__ = made
    try:
        with replaced(chained):
            step(preset, batch_size, lambda: (written.clear(), read.clear()))
    finally:
        cupy_rules.ndarray.__init__ = make
    return max(written.values())


def arrays_of(x):
    """Return all arrays in x: an array, a list or tuple, or a function with its arguments or its closure."""
    if isinstance(x, functools.partial):
        return arrays_of([x.args, list(x.keywords.values())])
    if callable(x) and getattr(x, "__closure__", None):
        return arrays_of([cell.cell_contents for cell in x.__closure__])
    if isinstance(x, (list, tuple)):
        return [array for part in x for array in arrays_of(part)]
    return [x] if isinstance(x, np.ndarray) else []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write bench/results/nodes.md")
    args = parser.parse_args()
    cupy_standin.install()
    backend.use("cuda")
    head = ["preset", "batch", "nodes", "longest chain", "MB"]
    head += [f"{kind}: MB" for kind in COLUMNS]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for preset in presets.PRESETS:
        chain = longest_chain(preset)
        for n in (64, 512):
            nodes, size = count(preset, n)
            cells = [preset, n, nodes.total(), chain, f"{size.total() / 1e6:,.0f}"]
            cells += [f"{nodes[kind]}: {size[kind] / 1e6:,.1f}" for kind in COLUMNS]
            lines.append(f"| {' | '.join(map(str, cells))} |")
            print(lines[-1], flush=True)
    if args.write:
        text = "\n".join(["# The nodes of a captured step, and the bytes they move (bench/nodes.py)", "", *lines, ""])
        (ROOT / "bench/results/nodes.md").write_text(text)


if __name__ == "__main__":
    main()
