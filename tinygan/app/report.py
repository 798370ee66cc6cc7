"""report.html: all results of a run on one page. A browser can open it from disk, and it needs no network.

The page is built from the files in the folder page. The content of the run is inserted as JSON, and the scripts of the
page display it as text. So text of a run, such as the name of a folder, is never interpreted as HTML. The page also
contains the weights of G, in half precision, and generates images itself.
"""

import base64
import functools
import io
import json
import math
from pathlib import Path

from .. import files
from ..data import toy
from ..gan.training import Training
from . import class_names, directions, export, plots, quality
from .runs import LOG_COLUMNS
from .schedule import spread
from .terminal import command, quoted

PAGE = Path(__file__).with_name("page")
SCRIPTS = ("elements", "network", "play", "plane", "curves", "frames", "report", "watch")  # in this order
FRAMES = 60  # pictures of the samples, at most
BYTES = 1_350_000  # bytes of G and the pictures of the samples, at most; so the page is smaller than 1.5 MB
REAL = 400  # real points that are shown, on toy data
POINTS = 300  # points of a curve, at most; in a long run, a point is the mean of several rows of the log


def save(run, training: Training | None = None):
    """Write report.html into the folder of a run, from its files. With `training`, the page contains G."""
    G = networks(run.settings, training) if training else {}
    content = {**shown(run, BYTES - len(json.dumps(G))), **G}
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    files.write_text(run.folder / "report.html", template().replace("THE RUN GOES HERE", text))


def template():
    """Return the page without the content of a run, with its style and its scripts in one file."""
    page, style = ((PAGE / name).read_text("ascii") for name in ("report.html", "style.css"))
    scripts = "\n".join((PAGE / f"{name}.js").read_text("ascii") for name in SCRIPTS)
    return page.replace("THE STYLE GOES HERE", style).replace("THE SCRIPT GOES HERE", '"use strict";\n' + scripts)


def networks(settings, training):
    """Return the content of the section "Play with it": G, and on toy data also D and some real points.

    The inputs of this copy of G are ordered: the first changes the image most, the second less, and so on
    (directions.py). If G cannot be exported, the result is empty, and the page does not have this section.
    """
    try:
        G = export.generator(training, settings.shape, class_names.of(settings))
        found, names = directions.principal(training, G)
        steps = export.in_half_precision(directions.rotated(G, found).operations)
        content = {"generator": {**G.about(), "operations": steps, "names": names}}
        if settings.points:
            content["discriminator"] = export.in_half_precision(export.operations(training.gan.D))
            content["real"] = toy.load(settings.data).images[:REAL].round(3).tolist()
    except export.ExportError:
        return {}
    return content


def shown(run, room):
    """Return the content of the page except `networks`, as JSON values. room: bytes for the pictures of the samples."""
    config = {**run.settings.to_json(), **run.about}
    (log, timings), measured = run.read_rows(), quality.read(run)
    done = max((rows[-1][0] for rows in (log, timings) if rows), default=0)
    panels = [*plots.PANELS, *([plots.DISTANCE] if measured else [])]
    frames = run.pictures()
    return {
        "name": run.folder.absolute().name,
        "preset": config["preset"],
        "data": config["data"] or "MNIST",
        "device": config.get("device"),
        "steps": config["steps"],
        "done": done,
        "pictures": len(frames),
        "frames": some(frames, room),
        "curves": curves(log, measured),
        "panels": [panel(*it, config) for it in panels if it[0] != "penalty" or config["penalty"] != "none"],
        "interpolation": embedded(run.folder / "interpolation.png"),
        "metrics": metrics(run.folder / "metrics.json", done),
        "settings": flat(config),
        "commands": commands(run, config),
    }


def some(frames, room):
    """Return [{"step": ..., "picture": ...}] for at most FRAMES of the pictures {step: path}.

    The pictures have about `room` bytes together. At least two pictures are returned, if there are two.
    """
    pictures = {step: embedded(frames[step]) for step in spread(list(frames), FRAMES)}
    found = [{"step": step, "picture": picture} for step, picture in pictures.items() if picture]
    size = sum(len(each["picture"]) for each in found)
    return spread(found, max(2, room * len(found) // max(1, size)))


def embedded(path):
    """Return a picture file as a data URL; None if the file does not exist or is not a picture."""
    try:
        return as_webp(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(2 * FRAMES)  # the page is written often, and most pictures do not change
def as_webp(path, changed):
    """Return a picture as the data URL of a WebP, which is smaller than PNG. changed: the time of its last change."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def curves(log, measured=()):
    """Return {column: at most POINTS numbers} for the rows of a log.

    measured: the rows of quality.csv. They give the column "multiple": at each point, the latest measured value.
    """
    size = max(1, math.ceil(len(log) / POINTS))
    rows = []
    for part in (log[i : i + size] for i in range(0, len(log), size)):
        step, epoch = part[-1][:2]
        rows.append((step, epoch, *(mean(column) for column in list(zip(*part))[2:])))
    found = dict(zip(LOG_COLUMNS, zip(*rows)))
    measured = [row for row in measured if math.isfinite(row[3])]
    if measured and rows:  # a measurement can be a few steps after the last row of its epoch
        until = [*found["step"][1:], math.inf]
        earlier = ([multiple for at, _, _, multiple in measured if at < end] for end in until)
        found["multiple"] = [multiples[-1] if multiples else None for multiples in earlier]
    return found


def mean(numbers):
    """Return the mean, rounded to five digits, or None if the mean is not finite. None is a gap in the curve."""
    x = sum(numbers) / len(numbers)
    return float(f"{x:.5g}") if math.isfinite(x) else None


def panel(title, lines, config):
    """Return the settings of a plot of the page. fraction: values are from 0 to 1; log: the axis is logarithmic."""
    meanings = {
        "loss": "The losses that G and D minimise. G and D are opponents, so no loss needs to fall.",
        "output of D": "The probability that an image is real. Both near 0.5: D cannot tell real from fake. "
        "Real near 1 and fake near 0 for a long time: D has won.",
        "accuracy of D": "The fraction of images that D classifies correctly. Near 1 for a long time: G learns little.",
        "norm of the gradient": "Over all parameters of a network. If G's gradient vanishes, G no longer learns.",
        "distance within a batch": "If it falls to a small fraction of its highest value, G is collapsing: its images "
        "become alike.",
        "penalty": "The penalty on the gradient of D.",
        "distance from real images": "Measured with 5,000 samples every few epochs. Real images have the value 1.",
    }
    if config["loss"] != "bce":
        meanings["output of D"] = "Higher is more real. If the curves are far apart, D tells real from fake easily."
    fraction = title == "accuracy of D" or (title == "output of D" and config["loss"] == "bce")
    return {
        "title": title, "lines": lines, "meaning": meanings[title], "fraction": fraction,
        "log": title in plots.LOGARITHMIC,
    }  # fmt: skip


def metrics(path, step):
    """Return the content of metrics.json; None if the file is missing, or if it was measured at another step.

    "compared": [[name, value for samples, value for real images], ...]. "rest": [[name, value], ...] of all else.
    """
    try:
        found = json.loads(path.read_text())
        if found["step"] != step:
            return None
        generated, real = dict(found.pop("samples")), dict(found.pop("real"))
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):  # missing, or in another format
        return None
    pairs = {name: (value, real.get(name)) for name, value in generated.items()}
    compared = [[spaced(name), *map(text, pair)] for name, pair in pairs.items() if pair != (None, None)]
    return {"compared": compared, "rest": flat(found)}


def flat(values, before=""):
    """Return [[name, text], ...] for the values of a dict. For {"a": {"b": 1}} the name is "a b"."""
    rows = []
    for name, value in values.items():
        inner = isinstance(value, dict)
        rows += flat(value, f"{before}{spaced(name)} ") if inner else [[before + spaced(name), text(value)]]
    return rows


def spaced(name):
    return str(name).replace("_", " ")


def text(value):
    """Return a JSON value as text."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return {"None": "-", "True": "yes", "False": "no"}.get(str(value), str(value))


def commands(run, config):
    """Return [[title, command], ...]: commands that the user can run next."""
    folder = quoted(run.folder)
    if len(config["shape"]) == 1:
        return [
            ["continue the training", f"{command('train')} --resume {folder} --epochs N"],
            ["generate more", f"{command('sample')} {folder} --n 1000 --out points.png"],
        ]
    kind, name = ("digit", "one class") if not config.get("groups") else ("group", "one group")
    one = [[name, f"{command('sample')} {folder} --{kind} {min(7, config['classes'] - 1)}"]]
    return [
        ["continue the training", f"{command('train')} --resume {folder} --epochs N"],
        ["generate more", f"{command('sample')} {folder} --n 100 --out grid.png"],
        *(one if config["conditional"] else []),
        ["between latent vectors", f"{command('sample')} {folder} --interpolate --out walk.gif"],
        ["nearest training images", f"{command('sample')} {folder} --nearest --out nearest.png"],
        ["measure", f"{command('evaluate')} {folder}"],
    ]
