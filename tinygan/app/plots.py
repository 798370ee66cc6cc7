"""Draw pictures and plots. A file is written completely or not at all.

matplotlib and Pillow are imported only when they are needed, because their import is slow. Figures use the canvas Agg,
so they need no display.
"""

import itertools
import os
import sys

import numpy as np

from ..files import replace
from .terminal import printable

GAP = 2  # pixels between the images of a grid
CAPTION, LONGEST = 14, 24  # names beside the rows of a grid: their height in pixels, and the largest number of letters
PANELS = (  # the plots of a run: a title, and {metric of gan/health.py: label of its curve}
    ("loss", {"d_loss": "discriminator", "g_loss": "generator"}),
    ("output of D", {"d_real": "D(x)", "d_fake": "D(G(z))", "d_fake_after": "D(G(z)) after D's step"}),
    ("accuracy of D", {"accuracy_real": "on real", "accuracy_fake": "on generated"}),
    ("norm of the gradient", {"d_gradient": "discriminator", "g_gradient": "generator"}),
    ("distance within a batch", {"pairwise_distance": "between two generated images"}),
    ("penalty", {"penalty": "without its weight"}),
)
DISTANCE = ("distance from real images", {"multiple": "times the floor"})  # only with --evaluate-every
LOGARITHMIC = ("norm of the gradient", "distance from real images")


def grid(images, columns=None, scale=2):
    """Return a grid of images, uint8 (N, H, W, C), as one picture, uint8 (H', W', C). scale: an integer enlargement."""
    n, h, w, c = images.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    picture = np.zeros((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), np.uint8)
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture.repeat(scale, 0).repeat(scale, 1)


def captioned(picture, rows, names):
    """Add names at the left of a picture, uint8 (H, W, C), that has `rows` rows of images.

    If there are fewer names than rows, the names are repeated.
    """
    from PIL import Image, ImageDraw, ImageFont

    font, height = ImageFont.load_default(CAPTION), picture.shape[0] / rows
    names = [name if len(name) <= LONGEST else name[: LONGEST - 3] + "..." for name in map(printable, names)]
    margin = 2 * CAPTION + int(max(map(font.getlength, names)))
    image = Image.new("L", (margin, picture.shape[0]))
    for row, name in zip(range(rows), itertools.cycle(names)):
        ImageDraw.Draw(image).text((CAPTION, (row + 0.5) * height), name, 255, font, anchor="lm")
    written = np.asarray(image)[..., None].repeat(picture.shape[2], 2)
    return np.concatenate([written, picture], 1)


def save_grid(path, images, columns=None, names=()):
    """Write a grid of images, uint8 (N, H, W, C), as PNG, with `names` at the left of its rows."""
    picture = grid(images, columns)
    picture = as_image(captioned(picture, -(-len(images) // columns), names) if names else picture)
    replace(path, lambda file: picture.save(file, "PNG"))


def named(path, name):
    """Return the picture of a PNG file with a name below it, as an array, uint8 (H, W, C)."""
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(path) as file:
        image = Image.new("L" if file.mode == "L" else "RGB", (file.width, file.height + 2 * CAPTION))
        image.paste(file)
        middle = file.width / 2, file.height + CAPTION
    ImageDraw.Draw(image).text(middle, name, "white", ImageFont.load_default(CAPTION), anchor="mm")
    return np.atleast_3d(np.asarray(image))


def as_image(array):
    """Return an array, uint8 (H, W, C), as a Pillow image."""
    from PIL import Image

    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def new_figure(width, height):
    """Return a matplotlib Figure of this size in inches, with Agg as its canvas."""
    removed = {}
    if "ipykernel" not in sys.modules:  # outside notebooks, MPLBACKEND may name a backend that only notebooks have
        removed = {name: os.environ.pop(name) for name in ("MPLBACKEND",) if name in os.environ}
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    finally:
        os.environ.update(removed)
    return FigureCanvasAgg(Figure(figsize=(width, height), layout="constrained")).figure


def save_figure(path, figure, dpi=100):
    """Write a figure as PNG."""
    replace(path, lambda file: figure.savefig(file, format="png", dpi=dpi))


def save_strips(path, strips):
    """Write strips one below the other as PNG. strips: [(title, images), ...], with images of uint8 (N, H, W, C)."""
    width = max(len(images) for _, images in strips)
    figure = new_figure(8, 1.15 * len(strips))
    for axes, (title, images) in zip(figure.subplots(len(strips)), strips):
        picture = grid(images, width, scale=1)
        axes.imshow(picture.repeat(3, 2) if picture.shape[2] == 1 else picture)
        axes.set_title(title, fontsize=9, loc="left", parse_math=False)
        axes.axis("off")
    save_figure(path, figure, dpi=150)


def save_curves(path, log, quality=()):
    """Write the curves of a run as PNG.

    log: {"step": array, metric of gan/health.py: array, ...}. quality: (step, distance in multiples of the floor) of
    each measurement.
    """
    panels = [
        (label, [(name, log["step"], log[column]) for column, name in curves.items()]) for label, curves in PANELS
    ]
    panels = [panel for panel in panels if panel[0] != "penalty" or log["penalty"].any()]  # most presets have none
    if quality:
        panels.append((DISTANCE[0], [(DISTANCE[1]["multiple"], *np.array(quality).T)]))
    figure = new_figure(12, 2.7 * -(-len(panels) // 2))
    subplots = figure.subplots(-(-len(panels) // 2), 2, sharex=True).flatten()
    for axes in subplots[len(panels) :]:
        axes.set_visible(False)
    for axes, (label, curves) in zip(subplots, panels):
        for name, steps, values in curves:
            axes.plot(steps, values, ".-" if len(steps) < 50 else "-", label=name, linewidth=1)
        axes.set_ylabel(label)
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
        if label in LOGARITHMIC and all((values > 0).all() for *_, values in curves):
            axes.set_yscale("log")
    figure.supxlabel("step")
    save_figure(path, figure)


def save_world(path, real, generated, surface, arrows, pull, edge, title):
    """Write a plot of toy data as PNG: points (N, 2) over D's output in [-edge, edge]^2, and arrows.

    surface: D's output, (rows, columns). arrows: points (M, 2) at which arrows begin. pull: their directions (M, 2).
    All arrows have the same length, because the lengths of `pull` differ by orders of magnitude.
    """
    figure, axes = point_axes(real, generated, edge)
    extent = (-edge, edge, -edge, edge)
    shown = axes.imshow(surface, origin="lower", extent=extent, cmap="RdBu_r", alpha=0.5, interpolation="bilinear")
    key = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02, aspect=40)
    key.set_label("D's output: red is more real, blue is more fake", fontsize="small")
    key.ax.tick_params(labelsize="small")
    length = np.sqrt((pull**2).sum(1, keepdims=True)) + 1e-12
    axes.quiver(*arrows.T, *(pull / length).T, color="tab:purple", scale=25, width=0.003)
    axes.plot([], [], color="tab:purple", label="G's loss decreases")
    axes.set_title(title)
    axes.legend(loc="upper right", fontsize="small", markerscale=4)
    save_figure(path, figure)


def save_points(path, real, generated, edge):
    """Write a plot of real and generated points (N, 2) as PNG."""
    figure, axes = point_axes(real, generated, edge)
    axes.legend(loc="upper right", fontsize="small", markerscale=4)
    save_figure(path, figure)


def point_axes(real, generated, edge):
    """Return (figure, axes) of a plot of real and generated points (N, 2)."""
    figure = new_figure(5, 5)
    axes = figure.subplots()
    axes.scatter(*real.T, s=3, c="tab:green", label="real", linewidths=0, zorder=2)
    axes.scatter(*generated.T, s=3, c="black", label="generated", linewidths=0, zorder=2)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=[], yticks=[])
    return figure, axes


def save_gif(path, pictures, seconds=0.15, last=2.0):
    """Write an animated GIF of pictures of one size: PNG files or arrays, uint8 (H, W, C).

    seconds: the time of each picture. last: the time of the last picture.
    """
    frames = [gif_frame(picture) for picture in pictures]
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [int(1000 * last)]
    options = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    replace(path, lambda file: frames[0].save(file, "GIF", **options))


def gif_frame(picture):
    """Return a picture, a PNG file or an array, as an image with at most 256 colours, the limit of GIF.

    Colours are chosen by their distances from each other, not by their frequency. So a few green points on a large
    surface remain green.
    """
    from PIL import Image

    image = as_image(picture) if isinstance(picture, np.ndarray) else Image.open(picture)
    if image.mode == "L":
        return image
    return image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
