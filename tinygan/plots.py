"""Pictures of a run. matplotlib is imported where it is used, so that training starts without waiting for it."""

import numpy as np

GAP = 2  # pixels between the images of a grid


def grid(images, columns=None):
    """images: uint8 (N, H, W, C) -> one picture, uint8 (rows, columns, C), the images side by side on black."""
    n, h, w, c = images.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    picture = np.zeros((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), np.uint8)
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture


def save_grid(path, images, columns=None, scale=2):
    """Write a grid of images, uint8 (N, H, W, C), as PNG, each pixel `scale` pixels wide."""
    from matplotlib.image import imsave

    picture = grid(images, columns).repeat(scale, 0).repeat(scale, 1)
    imsave(path, picture.repeat(3, 2) if picture.shape[2] == 1 else picture)


def save_curves(path, log):
    """Write the curves of a run as PNG. log: {column: array}, with "step" and the metrics of health.py."""
    from matplotlib.figure import Figure

    panels = [
        ("loss", {"d_loss": "discriminator", "g_loss": "generator"}),
        ("output of D", {"d_real": "D(x)", "d_fake": "D(G(z))", "d_fake_after": "D(G(z)) after D's step"}),
        ("accuracy of D", {"accuracy_real": "on real", "accuracy_fake": "on generated"}),
        ("norm of the gradient", {"d_gradient": "discriminator", "g_gradient": "generator"}),
        ("spread of a batch", {"spread": "distance of two generated images"}),
        ("penalty", {"penalty": "before its weight"}),
    ]
    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, (label, curves) in zip(figure.subplots(3, 2, sharex=True).flat, panels):
        for column, name in curves.items():
            axes.plot(log["step"], log[column], label=name, linewidth=1)
        axes.set_ylabel(label)
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
        if label == "norm of the gradient" and all((log[column] > 0).all() for column in curves):
            axes.set_yscale("log")
    figure.supxlabel("step")
    figure.savefig(path, dpi=100)


def save_world(path, real, generated, surface, arrows, pull, edge, title):
    """Write a toy world as PNG: points (N, 2) over D's surface, (rows, columns) within [-edge, edge]^2, and at the
    points `arrows` the directions `pull`, drawn at one length (their sizes differ by orders of magnitude)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    extent = (-edge, edge, -edge, edge)
    axes.imshow(surface, origin="lower", extent=extent, cmap="RdBu_r", alpha=0.5, interpolation="bilinear")
    axes.scatter(*real.T, s=3, c="tab:green", label="real", linewidths=0)
    axes.scatter(*generated.T, s=3, c="black", label="generated", linewidths=0)
    length = np.sqrt((pull**2).sum(1, keepdims=True)) + 1e-12
    axes.quiver(*arrows.T, *(pull / length).T, color="tab:purple", scale=25, width=0.003)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), title=title, xticks=[], yticks=[])
    axes.legend(loc="upper right", fontsize="small")
    figure.savefig(path, dpi=100)


def save_gif(path, pictures, seconds=0.15):
    """Write an animation of PNG files that have one size; the last one stays for two seconds."""
    from PIL import Image

    frames = [Image.open(picture).convert("RGB").quantize(64) for picture in pictures]
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [2000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
