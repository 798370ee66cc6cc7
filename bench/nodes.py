"""Count the nodes of a captured training step, and the bytes that they read and write, by kind of operation.

python bench/nodes.py                    prints a table: all presets, batches of 64 and 512 MNIST images
python bench/nodes.py --write            and writes it to bench/results/nodes.md

The script needs no GPU: the step runs on the stand-in for CuPy in tests/standin. The bytes of a node are the sizes of
all its arrays. The node that gathers a batch is an exception: the array of all training images is not counted.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/standin")]

import cupy_rules  # noqa: E402
import cupy_standin  # noqa: E402

from tinygan import backend, data  # noqa: E402
from tinygan.gan import presets  # noqa: E402

KINDS = {"product": "products", "tinygan_im2col": "patches", "tinygan_col2im": "patches added up"}
KINDS |= {"tinygan_sums": "column sums", "tinygan_elementwise": "elementwise", "tinygan_add": "elementwise"}
COLUMNS = [*dict.fromkeys(KINDS.values()), "all else"]


def count(preset, batch_size, keep=True):
    """Return {kind: nodes} and {kind: bytes} of a step. keep: whether patches may be cached (cuda/step_cache.py)."""
    from tinygan.backend.cuda.step_cache import StepCache

    recipe, dataset = presets.PRESETS[preset]._replace(batch_size=batch_size), data.load()
    training = presets.build(recipe, (28, 28, 1), seed=0, classes=dataset.classes)
    batches = data.Batches(dataset, batch_size, 0, recipe.n_critic, recipe.conditional)
    batches.start_epoch(0)
    cache, nodes, size, run = StepCache(), Counter(), Counter(), cupy_rules.run
    cache.space *= keep

    def counted(compute, inputs=(), written=(), name=""):
        result = run(compute, inputs, written, name)
        arrays = [a for a in (*inputs, *written) if isinstance(a, np.ndarray)]
        if not written and any(np.may_share_memory(result._array, a) for a in inputs):
            return result  # a view needs no node
        arrays += [] if written else [result._array]
        nodes[KINDS.get(name, "all else")] += 1
        size[KINDS.get(name, "all else")] += sum(a.nbytes for a in arrays[name == "tinygan_gather" :])  # not all images
        return result

    cupy_rules.run = cupy_standin.run = counted
    try:
        for _ in range(2):  # the first step also makes constants
            nodes.clear(), size.clear()
            cache.run(lambda: training.step(batches))
    finally:
        cupy_rules.run = cupy_standin.run = run
    return nodes, size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write bench/results/nodes.md")
    args = parser.parse_args()
    cupy_standin.install()
    backend.use("cuda")
    head = ["preset", "batch", "nodes", "MB", "MB if no patches are kept", *(f"{kind}: MB" for kind in COLUMNS)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for preset in presets.PRESETS:
        for n in (64, 512):
            (nodes, size), (_, without) = count(preset, n), count(preset, n, keep=False)
            cells = [preset, n, nodes.total(), *(f"{x.total() / 1e6:,.0f}" for x in (size, without))]
            cells += [f"{nodes[kind]}: {size[kind] / 1e6:,.1f}" for kind in COLUMNS]
            lines.append(f"| {' | '.join(map(str, cells))} |")
            print(lines[-1], flush=True)
    if args.write:
        text = "\n".join(["# The nodes of a captured step, and the bytes they move (bench/nodes.py)", "", *lines, ""])
        (ROOT / "bench/results/nodes.md").write_text(text)


if __name__ == "__main__":
    main()
