"""Draw the figures of the tour into docs/figures. All random numbers are seeded, so a figure is always the same.

python docs/figures.py                  draws all figures that need no finished run (a minute or two on one core)
python docs/figures.py graph ring       draws only these. The names are graph, transposed and ring
python docs/figures.py --run runs/...   draws epochs.png and interpolation.png, of a finished run on images
"""

import argparse
import math
import sys
from pathlib import Path

import matplotlib.patches
import numpy as np
from graph import COLUMN, ROW, draw, fit, layout
from matplotlib.figure import Figure
from PIL import Image

from tinygan import Tensor, backend, data, grad
from tinygan.app import plots, worlds
from tinygan.app.runs import Run
from tinygan.autograd import conv_transpose2d, softplus
from tinygan.gan import presets
from tinygan.gan.health import METRICS
from tinygan.gan.losses import LOSSES
from tinygan.layers import LeakyReLU, Linear, Sequential

HERE = Path(__file__).parent / "figures"

# Runs on the ring: {title: (preset, changed options of train.py, steps after which the points are drawn)}
RUNS = {
    "r3gan": ("r3gan", {"steps": 2500}, (250, 750, 1250, 1750, 2500)),
    "vanilla": ("vanilla", {"steps": 2000}, (250, 500, 1000, 1500, 2000)),
    "wasserstein, no penalty": ("vanilla", {"loss": "wasserstein", "steps": 1500}, (250, 500, 750, 1000, 1500)),
    "saturating, lr 0.01": ("vanilla", {"saturating": True, "lr": 0.01, "steps": 500}, ()),
}
BATCH_SIZE = 128


def save(figure, name, dpi=110):
    HERE.mkdir(exist_ok=True)
    figure.savefig(HERE / name, dpi=dpi)
    print(HERE / name)


def tiny_graph():
    """Draw the graph of softplus(-(x w + b)), with the value of each tensor and dL/d tensor, where L is the result."""
    x, w, b = (Tensor(value, requires_grad=True) for value in (2.0, 0.5, -1.5))
    product = x * w
    logit = product + b
    negative = -logit
    loss = softplus(negative)
    tensors = {"x": x, "w": w, "b": b, "x w": product, "x w + b": logit, "-(x w + b)": negative, "loss": loss}
    gradients = grad(loss, list(tensors.values()), create_graph=True)  # keeps the graph, so that it can be drawn
    places = layout(loss)
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    figure.set_size_inches(fit(axes, places.values(), above=0.2, below=0.3))
    draw(axes, loss, places, {id(t): t.node.primitive.__name__ if t.node else n for n, t in tensors.items()})
    for (name, tensor), gradient in zip(tensors.items(), gradients):
        at_x, at_y = places[id(tensor)][0] * COLUMN, places[id(tensor)][1] * ROW
        axes.text(at_x, at_y + 0.24, f"{name} = {tensor.item():.2f}", ha="center", va="bottom", fontsize=7)
        axes.text(
            at_x, at_y - 0.25, f"gradient {gradient.item():.2f}", ha="center", va="top", fontsize=7, color="#b03030"
        )
    save(figure, "graph_tiny.png", 150)


def step_graph():
    """Draw the graph of D's loss, for a G of one layer and a D of two layers. G's graph ends at detach."""
    rng = backend.RNG(0)
    G = Sequential(Linear(2, 2, rng))
    D = Sequential(Linear(2, 4, rng), LeakyReLU(0.2), Linear(4, 1, rng))
    real, latent = Tensor(rng.normal((8, 2))), Tensor(rng.normal((8, 2)))
    fake = G(latent)  # the graph of `fake` is drawn pale
    detached = fake.detach()
    loss = LOSSES["bce"].discriminator(D(real), D(detached))
    places = layout(loss)
    column, row = places[id(detached)]
    cut = layout(fake, column - 1, row)
    labels = {id(p): f"D {name}" for name, p in D.named_parameters().items()}
    labels |= {id(p): f"G {name}" for name, p in G.named_parameters().items()}
    labels |= {id(real): "real", id(detached): "fake", id(latent): "noise"}
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    figure.set_size_inches(fit(axes, [*places.values(), *cut.values()], below=0.35))
    draw(axes, loss, places, labels)
    draw(axes, fake, cut, labels, faded=True)
    gap = (column - 0.5) * COLUMN
    axes.plot([gap, gap], [row * ROW - 0.4, row * ROW + 0.4], color="#b03030", linestyle="--", linewidth=1.5)
    axes.text(gap, row * ROW - 0.45, "detach", color="#b03030", ha="center", va="top", fontsize=10)
    save(figure, "graph_step.png", 90)


def transposed():
    """Draw a transposed convolution. It multiplies the filter by each response, and adds each product to a patch."""
    g = np.array([[1, 2], [3, 1]], np.float32)
    w = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)
    size, stride = (5, 5), 2

    def paint(responses):
        x = conv_transpose2d(
            Tensor(responses.reshape(1, 2, 2, 1)), Tensor(w.reshape(3, 3, 1, 1)), size=size, stride=(stride, stride)
        )
        return x.numpy()[0, :, :, 0]

    figure = Figure(figsize=(11, 4.6))
    panels = figure.subplots(2, 4, gridspec_kw={"wspace": 0.25, "hspace": 0.3})
    figure.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.02)
    cells(panels[0, 0], g, "responses", "Oranges")
    cells(panels[1, 0], w, "filter", "Blues")
    for i, axes in enumerate(panels[:, 1:3].flat):
        one = np.zeros_like(g)
        one.flat[i] = g.flat[i]
        row, column = np.array(divmod(i, 2)) * stride
        cells(axes, paint(one), f"response {g.flat[i]:.0f} times the filter", "Blues", 10)
        frame = {"fill": False, "edgecolor": "#d06020", "linewidth": 2.5, "zorder": 3}
        axes.add_patch(matplotlib.patches.Rectangle((column - 0.5, row - 0.5), 3, 3, **frame))
    cells(panels[0, 3], paint(g), "the image: their sum", "Blues", 10)
    panels[1, 3].axis("off")
    words = (
        "stride 2: the patches\nare 2 pixels apart,\nand overlap by 1.\n\n"
        "A convolution goes\nfrom the image\nto the responses."
    )
    panels[1, 3].text(0.5, 0.5, words, ha="center", va="center", fontsize=10, transform=panels[1, 3].transAxes)
    save(figure, "transposed.png")


def cells(axes, values, title, cmap, most=None):
    """Draw a small matrix as coloured cells with numbers. Zeros are left empty."""
    most = most or values.max()
    axes.imshow(values, cmap=cmap, vmin=0, vmax=1.6 * most)
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.0f}" if value else "", ha="center", va="center", fontsize=10)
    axes.set(xticks=np.arange(-0.5, values.shape[1]), yticks=np.arange(-0.5, values.shape[0]))
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    axes.grid(color="white", linewidth=1.5)


def train_on_ring(name):
    """Train on the ring. Return {step: (points, D's output, starts of arrows, directions)} and {metric: values}."""
    base, changes, moments = RUNS[name]
    preset = presets.for_data(presets.PRESETS[base], (2,))._replace(batch_size=BATCH_SIZE, **changes)
    ring = data.load("ring")
    training = presets.build(preset, (2,), 0)
    batches = data.Batches(ring, preset.batch_size, 0, preset.n_critic)
    latent = backend.RNG((0, 1)).normal((1000, preset.latent_size))
    snapshots, log = {}, []
    for step in range(1, preset.steps + 1):
        if (step - 1) % batches.steps_per_epoch == 0:
            batches.start_epoch((step - 1) // batches.steps_per_epoch)
        training.step(batches)
        if step % training.HISTORY == 0:
            log.append((step, *training.history.mean(0)))
        if step in moments:
            points = training.sample(latent)
            arrows = points[::8]
            pull = worlds.pull(training.gan, ring.images, arrows)
            snapshots[step] = points, worlds.surface(training.gan), arrows, pull
            covered, modes, good = data.toy.judge("ring", points)
            print(f"{name}, step {step}: {covered} of {modes} modes, {good:.0%} good samples")
    return snapshots, dict(zip(("step", *METRICS), np.array(log).T))


def ring():
    """Draw three figures of the RUNS: points over time, D's output with the gradient of G's loss, and curves."""
    runs = {name: train_on_ring(name) for name in RUNS}
    real = data.load("ring").images[:1000]
    points({name: snapshots for name, (snapshots, _) in runs.items() if snapshots}, real)
    surfaces(runs["r3gan"][0], real)
    curves({name: log for name, (_, log) in runs.items() if name != "vanilla"})


def points(runs, real):
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    for (name, snapshots), row in zip(runs.items(), figure.subplots(len(runs), 5)):
        for (step, (generated, *_)), axes in zip(snapshots.items(), row):
            scatter(axes, real, generated)
            covered, modes, _ = data.toy.judge("ring", generated)
            axes.set_title(f"step {step}: {covered} of {modes}", fontsize=9)
        row[0].set_ylabel(name, fontsize=10)
    save(figure, "ring.png", 90)


def scatter(axes, real, points):
    axes.scatter(*real.T, s=2, c="tab:green", linewidths=0)
    axes.scatter(*points.T, s=2, c="black", linewidths=0)
    edge = worlds.EDGE
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=[], yticks=[], aspect="equal")


def surfaces(snapshots, real):
    steps = list(snapshots)[:3]
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for step, axes in zip(steps, figure.subplots(1, len(steps))):
        _, surface, arrows, pull = snapshots[step]
        middle = np.median(surface)
        half = np.percentile(np.abs(surface - middle), 95)
        side = np.linspace(-worlds.EDGE, worlds.EDGE, worlds.SIDE)
        levels = np.linspace(middle - half, middle + half, 14)
        axes.contourf(side, side, surface, levels, cmap="RdBu_r", alpha=0.7, extend="both")
        scatter(axes, real, arrows[:0])
        length = np.sqrt((pull**2).sum(1, keepdims=True)) + 1e-12
        axes.quiver(*arrows.T, *(pull / length).T, scale=22, width=0.005)
        axes.set_title(f"step {step}", fontsize=10)
    save(figure, "surface.png", 85)


def curves(logs):
    panels = (
        {"d_loss": "loss of D", "g_loss": "loss of G"},
        {"accuracy_real": "D right on real", "accuracy_fake": "D right on generated"},
        {"g_gradient": "norm of G's gradient (at least 1e-6)"},
        {"pairwise_distance": "distance within a batch"},
    )
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    for (name, log), column in zip(logs.items(), figure.subplots(len(panels), len(logs), sharex="col").T):
        column[0].set_title(name, fontsize=10)
        for axes, metrics in zip(column, panels):
            for metric, label in metrics.items():
                axes.plot(
                    log["step"], np.maximum(log[metric], 1e-6) if "grad" in metric else log[metric], label=label, lw=0.9
                )
            if "g_gradient" in metrics:
                axes.set(yscale="log", ylim=(3e-7, 1e5), yticks=(1e-6, 1e-3, 1, 1e3))
            if "accuracy_real" in metrics:
                axes.set_ylim(-0.05, 1.05)
            axes.legend(fontsize=7, loc="best")
            axes.tick_params(labelsize=7)
            axes.grid(alpha=0.3)
        column[-1].set_xlabel("step", fontsize=8)
    save(figure, "curves.png", 85)


def through_epochs(run, columns=10, rows=8):
    """Draw a row for each latent vector and a column for each of ten sample grids of a run."""
    files = list(run.pictures().values())
    files = [files[round(i)] for i in np.linspace(0, len(files) - 1, min(columns, len(files)))]
    h, w, _ = run.settings.shape
    count = 10 * run.settings.classes if run.settings.preset.conditional else 64
    across = 10 if run.settings.preset.conditional else math.isqrt(count)
    chosen = range(0, count, across)[:rows] if run.settings.preset.conditional else range(rows)
    images = []
    for picture in [np.asarray(Image.open(file).convert("RGB")) for file in files]:
        scale = picture.shape[1] // (across * (w + plots.GAP) + plots.GAP)
        picture = picture[::scale, ::scale]
        for i in chosen:
            top, left = (plots.GAP + n * (size + plots.GAP) for n, size in zip(divmod(i, across), (h, w)))
            images.append(picture[top : top + h, left : left + w])
    order = [column * rows + i for i in range(rows) for column in range(len(files))]
    plots.save_grid(HERE / "epochs.png", np.stack(images)[order], len(files))
    print(HERE / "epochs.png", [file.stem for file in files])


def interpolation(run, columns=10, rows=6):
    """Draw G's images of cos(t) a + sin(t) b. If the latent vectors a and b are N(0, 1), this vector is N(0, 1) too."""
    training = run.settings.training()
    run.load(training=training)
    ends = backend.RNG((run.settings.seed, 3)).normal((2, rows, 1, run.settings.preset.latent_size))
    angle = backend.to_device(np.linspace(0, np.pi / 2, columns, dtype=np.float32)[:, None])
    xp = backend.xp
    latent = (xp.cos(angle) * ends[0] + xp.sin(angle) * ends[1]).reshape(rows * columns, -1)
    images = training.sample(latent, xp.arange(rows * columns) // columns if run.settings.preset.conditional else None)
    plots.save_grid(HERE / "interpolation.png", data.to_pixels(backend.to_host(images)), columns)
    print(HERE / "interpolation.png")


def main():
    figures = {"graph": [tiny_graph, step_graph], "transposed": [transposed], "ring": [ring]}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(figures)} (default: all)")
    parser.add_argument("--run", metavar="RUN", help="the folder of a finished run on images")
    args = parser.parse_args()
    if unknown := set(args.names) - set(figures):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}: choose from {', '.join(figures)}")
    backend.use("cpu")
    backend.tune()
    if args.run:
        run = Run.open(args.run)
        if len(run.settings.shape) == 1:
            sys.exit(f"figures.py: {args.run} is a run on a toy world; --run needs a run on images")
        through_epochs(run)
        interpolation(run)
    for name in args.names or ([] if args.run else figures):
        for figure in figures[name]:
            figure()


if __name__ == "__main__":
    main()
