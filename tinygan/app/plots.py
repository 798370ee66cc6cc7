"""Pictures of a run. matplotlib is imported where it is used, because that takes a second."""

import numpy as np

GAP = 2  # pixels between the images of a grid
PANELS = (  # plots of a run: title, and the name of each metric of health.py in it
    ("loss", {"d_loss": "discriminator", "g_loss": "generator"}),
    ("output of D", {"d_real": "D(x)", "d_fake": "D(G(z))", "d_fake_after": "D(G(z)) after D's step"}),
    ("accuracy of D", {"accuracy_real": "on real", "accuracy_fake": "on generated"}),
    ("norm of the gradient", {"d_gradient": "discriminator", "g_gradient": "generator"}),
    ("distance within a batch", {"pairwise_distance": "between two generated images"}),
    ("penalty", {"penalty": "before its weight"}),
)
DISTANCE = ("distance from real images", {"multiple": "times the floor"})  # where --evaluate-every measures it
LOGARITHMIC = ("norm of the gradient", "distance from real images")


def grid(images, columns=None, scale=2):
    """Return one picture, uint8 (H', W', C), of images, uint8 (N, H, W, C), in rows on black, enlarged by `scale`."""
    n, h, w, c = images.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    picture = np.zeros((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), np.uint8)
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture.repeat(scale, 0).repeat(scale, 1)


def save_grid(path, images, columns=None):
    """Write a grid of images, uint8 (N, H, W, C), as PNG."""
    from matplotlib.image import imsave

    picture = grid(images, columns)
    imsave(path, picture.repeat(3, 2) if picture.shape[2] == 1 else picture)


def save_strips(path, strips):
    """Write strips, [(title, images, uint8 (N, H, W, C))], one below the other as PNG."""
    from matplotlib.figure import Figure

    width = max(len(images) for _, images in strips)
    figure = Figure(figsize=(8, 1.15 * len(strips)), layout="constrained")
    for axes, (title, images) in zip(figure.subplots(len(strips)), strips):
        picture = grid(images, width, scale=1)
        axes.imshow(picture.repeat(3, 2) if picture.shape[2] == 1 else picture)
        axes.set_title(title, fontsize=9, loc="left")
        axes.axis("off")
    figure.savefig(path, dpi=150)


def save_curves(path, log, quality=()):
    """Write the curves of a run as PNG. log: {column: array}, with "step" and the metrics of health.py; quality:
    (step, multiple of the floor) of each measurement."""
    from matplotlib.figure import Figure

    panels = [
        (label, [(name, log["step"], log[column]) for column, name in curves.items()]) for label, curves in PANELS
    ]
    panels = [panel for panel in panels if panel[0] != "penalty" or log["penalty"].any()]  # most presets have none
    if quality:
        panels.append((DISTANCE[0], [(DISTANCE[1]["multiple"], *np.array(quality).T)]))
    figure = Figure(figsize=(12, 2.7 * -(-len(panels) // 2)), layout="constrained")
    places = figure.subplots(-(-len(panels) // 2), 2, sharex=True).flatten()
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes, (label, curves) in zip(places, panels):
        for name, steps, values in curves:
            axes.plot(steps, values, ".-" if len(steps) < 50 else "-", label=name, linewidth=1)
        axes.set_ylabel(label)
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
        if label in LOGARITHMIC and all((values > 0).all() for *_, values in curves):
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
    axes.legend(loc="upper right", fontsize="small", markerscale=4)
    figure.savefig(path, dpi=100)


def save_gif(path, pictures, seconds=0.15, last=2.0):
    """Write an animation of pictures of one size, PNG files or arrays, uint8 (H, W, C); the last one stays longer."""
    from PIL import Image

    def frame(picture):
        if isinstance(picture, np.ndarray):
            image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        else:
            image = Image.open(picture)
        return image if image.mode == "L" else image.convert("RGB").quantize(64)

    frames = [frame(picture) for picture in pictures]
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [int(1000 * last)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
