"""Time the operations of a training step on the CPU: tinygan with NumPy, and PyTorch, in one process and in turn.

    python bench/micro.py             the table
    python bench/micro.py --write     and put it into bench/results/micro.md

The sizes are those of dcgan at 128 images: from 14 x 14 x 32 to 7 x 7 x 64, and, where it says so, from 28 x 28 x 1 to
14 x 14 x 32. Needs the extra `bench` (PyTorch). Figures are medians; on a shared machine look at the ratio.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from step import in_turn, machine  # noqa: E402

from tinygan import backend  # noqa: E402
from tinygan.autograd import PRIMITIVES, Tensor  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan import presets  # noqa: E402

N = 128
WHERE = {"stride": (2, 2), "padding": (1, 1)}


def array(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype="float32")


def nchw(x):
    """The same images as PyTorch has them by default."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def gradient(y, x, g):
    """A function that makes the gradient of y with respect to x anew."""
    return lambda: torch.autograd.grad(y, x, g, retain_graph=True)


def convolutions(size, channels, filters):
    """{operation: (ours, theirs)} of a convolution of images (size, size, channels) that halves them."""
    x, w, g = array(N, size, size, channels), array(4, 4, channels, filters), array(N, size // 2, size // 2, filters)
    conv, back, by_filter = (PRIMITIVES[name] for name in ("conv2d", "conv_transpose2d", "conv2d_weight_grad"))
    X, W, G = nchw(x).requires_grad_(), torch.from_numpy(w.transpose(3, 2, 0, 1).copy()).requires_grad_(), nchw(g)
    Y = F.conv2d(X, W, stride=2, padding=1)
    return {
        "convolution": (lambda: conv(x, w, **WHERE), lambda: F.conv2d(X, W, stride=2, padding=1)),
        "its gradient, of the image": (lambda: back(g, w, size=x.shape[1:3], **WHERE), gradient(Y, X, G)),
        "its gradient, of the filters": (lambda: by_filter(x, g, kernel=(4, 4), **WHERE), gradient(Y, W, G)),
    }


def others():
    """{operation: (ours, theirs)} of the rest."""
    x, g, gamma, beta = array(N, 14, 14, 32), array(N, 14, 14, 32), array(32), array(32)
    mean, var = backend.mean_and_variance(x)
    norm, norm_grad, leaky, leaky_grad = (
        PRIMITIVES[k] for k in ("batch_norm", "batch_norm_grad", "leaky_relu", "leaky_relu_grad")
    )
    y = leaky(x, slope=0.2)
    X, G = nchw(x).requires_grad_(), nchw(g)
    Gamma, Beta = (torch.from_numpy(v).requires_grad_() for v in (gamma, beta))

    def normalised():
        return F.batch_norm(X, None, None, Gamma, Beta, training=True)

    leaky_theirs = F.leaky_relu(X, 0.2)
    return {
        "BatchNorm": (lambda: norm(x, gamma, beta, *backend.mean_and_variance(x), eps=1e-5), normalised),
        "its gradients": (
            lambda: norm_grad(g, x, gamma, mean, var, eps=1e-5), gradient(normalised(), (X, Gamma, Beta), G)
        ),
        "leaky ReLU": (lambda: leaky(x, slope=0.2), lambda: F.leaky_relu(X, 0.2)),
        "its gradient": (lambda: leaky_grad(g, y, slope=0.2), gradient(leaky_theirs, X, G)),
        **products(), **adam(),
    }  # fmt: skip


def products():
    """The widest layer of vanilla."""
    x, w = array(N, 1024), array(1024, 1024)
    X, W = torch.from_numpy(x), torch.from_numpy(w)
    matmul = PRIMITIVES["matmul"]
    return {"matmul, 128 x 1024 x 1024": (lambda: matmul(x, w), lambda: X @ W)}


def adam():
    """The largest network: the generator of vanilla."""
    optimizer = presets.build(presets.PRESETS["vanilla"], (28, 28, 1), seed=0).G_optimizer
    gradients = [Tensor(array(*p.shape)) for p in optimizer.parameters]
    theirs = [torch.from_numpy(p.data.copy()).requires_grad_() for p in optimizer.parameters]
    for p, g in zip(theirs, gradients):
        p.grad = torch.from_numpy(g.data)
    name = f"Adam, {optimizer.flat.data.size / 1e6:.2f} M parameters"
    return {name: (lambda: optimizer.step(gradients), torch.optim.Adam(theirs, lr=2e-4, betas=(0.5, 0.999)).step)}


def main():
    os.environ[backend.KERNELS] = "numpy"  # Numba's OpenMP in the same process would slow PyTorch down
    backend.tune()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="turns of a few calls for each side (default: 30)")
    parser.add_argument("--write", action="store_true", help="write the table to bench/results")
    args = parser.parse_args()
    torch.set_num_threads(threads.THREADS)
    first = {f"{name}, 1 channel": both for name, both in convolutions(28, 1, 32).items()}
    lines = ["| operation | tinygan, ms | PyTorch, ms | PyTorch / tinygan |", "| --- | --- | --- | --- |"]
    for name, (ours, theirs) in {**convolutions(14, 32, 64), **first, **others()}.items():
        times = in_turn({"ours": ours, "theirs": theirs}, args.rounds)
        a, b = (1000 * statistics.median(times[side]) for side in ("ours", "theirs"))
        lines.append(f"| {name} | {a:.2f} | {b:.2f} | {b / a:.2f} |")
    text = "\n".join(lines) + f"\n\nMedians; {threads.THREADS} threads, batch {N}. {machine()}\n"
    print(text)
    if args.write:
        (ROOT / "bench/results/micro.md").write_text(
            f"# The operations of a step on the CPU (bench/micro.py)\n\n{text}"
        )


if __name__ == "__main__":
    main()
