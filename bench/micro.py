"""Time the operations of a training step on the CPU: tinygan with NumPy, tinygan with Numba, and PyTorch.

    python bench/micro.py             print the table
    python bench/micro.py --write     also write it to bench/results/micro.md

The sizes are those of dcgan with 128 images. Convolutions go from 14 x 14 x 32 to 7 x 7 x 64, those named "1 channel"
go from 28 x 28 x 1 to 14 x 14 x 32. PyTorch uses its default memory format. The script needs the extras `bench` and
`fast`. Each side has its own process, and the sides take turns. Figures are medians. On a shared machine, compare
only the ratios.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from machine import describe  # noqa: E402
from turns import Process, start_again  # noqa: E402

from tinygan import backend  # noqa: E402
from tinygan.autograd import PRIMITIVES, Tensor  # noqa: E402
from tinygan.backend import fast  # noqa: E402
from tinygan.backend.cpu import threads  # noqa: E402
from tinygan.gan.models import mlp  # noqa: E402
from tinygan.layers import Sequential  # noqa: E402
from tinygan.optim import Adam  # noqa: E402

N = 128
WHERE = {"stride": (2, 2), "padding": (1, 1)}
SIDES = ("NumPy", "Numba", "PyTorch")
CONVOLUTIONS = ("convolution", "its gradient, of the image", "its gradient, of the filters")
OTHERS = ("BatchNorm", "its gradients", "leaky ReLU", "its gradient")
MATMUL, ADAM = "matmul, 128 x 1024 x 1024", "Adam, 1.95 M parameters"
OPERATIONS = (*CONVOLUTIONS, *(f"{name}, 1 channel" for name in CONVOLUTIONS), *OTHERS, MATMUL, ADAM)


def array(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype="float32")


def sizes(name):
    """Return images, filters, and gradients of the responses, for one of CONVOLUTIONS."""
    size, channels, filters = (28, 1, 32) if "1 channel" in name else (14, 32, 64)
    return (
        array(N, size, size, channels),
        array(4, 4, channels, filters),
        array(N, size // 2, size // 2, filters),
    )


def optimizer_and_gradients():
    """Return the optimizer of a network 96 - 1024 - 1024 - 784, and a gradient for each parameter."""
    optimizer = Adam(Sequential(*mlp((96, 1024, 1024, 784), backend.RNG(0), [])))
    return optimizer, [Tensor(array(*p.shape)) for p in optimizer.parameters]


def tinygan_call(name):
    """Return a function that does an operation once."""
    p = PRIMITIVES
    if "convolution" in name or "of the " in name:
        x, w, g = sizes(name)
        return {
            "convolution": lambda: p["conv2d"](x, w, **WHERE),
            "its gradient, of the image": lambda: p["conv_transpose2d"](g, w, size=x.shape[1:3], **WHERE),
            "its gradient, of the filters": lambda: p["conv2d_weight_grad"](x, g, kernel=(4, 4), **WHERE),
        }[name.removesuffix(", 1 channel")]
    if name == MATMUL:
        a, b = array(N, 1024), array(1024, 1024)
        return lambda: p["matmul"](a, b)
    if name == ADAM:
        optimizer, gradients = optimizer_and_gradients()
        return lambda: optimizer.step(gradients)
    x, g, gamma, beta = array(N, 14, 14, 32), array(N, 14, 14, 32), array(32), array(32)
    y, moments = p["leaky_relu"](x, slope=0.2).data, backend.mean_and_variance(x)
    gradients = fast.batch_norm_gradients
    return {
        "BatchNorm": lambda: p["batch_norm"](x, gamma, beta, moments=backend.mean_and_variance(x), eps=1e-5),
        "its gradients": lambda: gradients(g, [True] * 3, y, x, gamma, beta, moments, 1e-5),
        "leaky ReLU": lambda: p["leaky_relu"](x, slope=0.2),
        "its gradient": lambda: p["leaky_relu_grad"](g, y, slope=0.2),
    }[name]


def torch_call(name):
    """Return a function that does the same operation with PyTorch."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(threads.THREADS)

    def nchw(x):
        return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))

    def gradient(y, x, g):
        return lambda: torch.autograd.grad(y, x, g, retain_graph=True)

    if "convolution" in name or "of the " in name:
        x, w, g = sizes(name)
        X, W, G = nchw(x).requires_grad_(), torch.from_numpy(w.transpose(3, 2, 0, 1).copy()).requires_grad_(), nchw(g)
        if name.startswith("convolution"):
            return lambda: F.conv2d(X, W, stride=2, padding=1)
        return gradient(F.conv2d(X, W, stride=2, padding=1), X if "image" in name else W, G)
    if name == MATMUL:
        a, b = torch.from_numpy(array(N, 1024)), torch.from_numpy(array(1024, 1024))
        return lambda: a @ b
    if name == ADAM:
        optimizer, gradients = optimizer_and_gradients()
        parameters = [torch.from_numpy(p.data.copy()).requires_grad_() for p in optimizer.parameters]
        for p, g in zip(parameters, gradients):
            p.grad = torch.from_numpy(g.data)
        return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999)).step
    X, G = nchw(array(N, 14, 14, 32)).requires_grad_(), nchw(array(N, 14, 14, 32))
    Gamma, Beta = (torch.from_numpy(array(32)).requires_grad_() for _ in range(2))

    def batch_norm():
        return F.batch_norm(X, None, None, Gamma, Beta, training=True)

    return {
        "BatchNorm": batch_norm,
        "its gradients": gradient(batch_norm(), (X, Gamma, Beta), G),
        "leaky ReLU": lambda: F.leaky_relu(X, 0.2),
        "its gradient": gradient(F.leaky_relu(X, 0.2), X, G),
    }[name]


def timed(call):
    """Return the seconds of each of three calls. A call before them, in which the threads wake up, is not counted."""
    call()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def serve(side):
    """Run in the process of one side: read names of operations, and time each operation a few times."""
    calls = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in calls:
            calls[name] = torch_call(name) if side == "PyTorch" else tinygan_call(name)
            calls[name]()
        print(json.dumps(timed(calls[name])), flush=True)


def main():
    start_again()
    backend.tune()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="turns of a few calls for each side (default: 30)")
    parser.add_argument("--write", action="store_true", help="write the table to bench/results")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)  # the process of one side
    args = parser.parse_args()
    if args.side:
        return serve(args.side)
    kernels = {"NumPy": "numpy", "Numba": "numba", "PyTorch": "numpy"}
    sides = {name: Process([__file__, "--side", name], threads.THREADS, kernels[name]) for name in SIDES}
    heads = [*(f"{name}, ms" for name in SIDES), "PyTorch / NumPy", "PyTorch / Numba"]
    lines = [f"| operation | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    for operation in OPERATIONS:
        seconds = {name: [] for name in SIDES}
        for _ in range(args.rounds):
            for name, side in sides.items():
                seconds[name] += side.ask(operation)
        ms = [1000 * statistics.median(seconds[name]) for name in SIDES]
        cells = [f"{x:.2f}" for x in (*ms, ms[2] / ms[0], ms[2] / ms[1])]
        lines.append(f"| {operation} | {' | '.join(cells)} |")
    text = "\n".join(lines) + f"\n\nMedians; {threads.THREADS} threads, batch {N}. {describe()}\n"
    print(text)
    if args.write:
        (ROOT / "bench/results/micro.md").write_text(
            f"# The operations of a step on the CPU (bench/micro.py)\n\n{text}"
        )


if __name__ == "__main__":
    main()
