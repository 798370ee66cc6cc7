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
    """Write the curves of a run as PNG. log: {column: sequence of numbers}, with "step" and the metrics of the GAN."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    losses, opinions = figure.subplots(2, 1, sharex=True)
    losses.plot(log["step"], log["d_loss"], label="discriminator")
    losses.plot(log["step"], log["g_loss"], label="generator")
    losses.set_ylabel("loss")
    opinions.plot(log["step"], log["d_real"], label="D(x), real")
    opinions.plot(log["step"], log["d_fake"], label="D(G(z)), generated")
    opinions.set(ylabel="probability of being real", xlabel="step", ylim=(0, 1))
    for axes in (losses, opinions):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
