"""report.html: a run on one page, which any browser opens from disk, without a network.

The page is made of the files in page/. The content of a run is inserted as JSON, and the scripts of the page show it as
text. So no text of a run, such as the name of a folder, is read as HTML. The page also gets the weights of G, in half
precision, and computes images itself.
"""

import base64
import functools
import io
import json
import math
import shlex
from pathlib import Path

from .. import files
from ..data import toy
from ..gan.training import Training
from . import class_names, directions, export, plots, quality
from .runs import LOG_COLUMNS
from .schedule import spread
from .terminal import command

PAGE = Path(__file__).with_name("page")
SCRIPTS = ("elements", "network", "play", "plane", "curves", "frames", "report", "watch")  # report shows the run
FRAMES = 60  # pictures at most, evenly over those of the run
BYTES = 1_350_000  # of G and the pictures at most, for a page below 1.5 MB
REAL = 400  # points of a toy world that are shown
POINTS = 300  # of a curve at most, each the mean of the rows of the log that it stands for


def save(run, training: Training | None = None):
    """Write report.html into the folder of a run, from its files. With `training`, the page can play with its G."""
    G = networks(run.settings, training) if training else {}
    content = {**shown(run, BYTES - len(json.dumps(G))), **G}
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    files.write_text(run.folder / "report.html", template().replace("THE RUN GOES HERE", text))


def template():
    """Return the page of no run: one file, with its style and its scripts."""
    page, style = ((PAGE / name).read_text("ascii") for name in ("report.html", "style.css"))
    scripts = "\n".join((PAGE / f"{name}.js").read_text("ascii") for name in SCRIPTS)
    return page.replace("THE STYLE GOES HERE", style).replace("THE SCRIPT GOES HERE", '"use strict";\n' + scripts)


def networks(settings, training):
    """Return G for the page, along its principal directions; for a toy world, also D and some of the real points.

    A network that cannot be exported is left out, and the page has no section to play with it.
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
    """Return the content of the page but for G: a dict of JSON values, with pictures of at most `room` bytes."""
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
        "epochs": len(frames),
        "frames": some(frames, room),
        "curves": curves(log, measured),
        "panels": [panel(*it, config) for it in panels if it[0] != "penalty" or config["penalty"] != "none"],
        "interpolation": embedded(run.folder / "interpolation.png"),
        "metrics": metrics(run.folder / "metrics.json", done),
        "settings": flat(config),
        "commands": commands(run, config),
    }


def some(frames, room):
    """Return [{"epoch", "picture"}] for at most FRAMES of the pictures {epoch: path}, and for fewer without `room`."""
    pictures = {epoch: embedded(frames[epoch]) for epoch in spread(list(frames), FRAMES)}
    found = [{"epoch": epoch, "picture": picture} for epoch, picture in pictures.items() if picture]
    size = sum(len(each["picture"]) for each in found)
    return spread(found, max(2, room * len(found) // max(1, size)))


def embedded(path):
    """Return a picture file as a data URL; None if there is no such file, or no picture in it."""
    try:
        return as_webp(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(2 * FRAMES)  # a page is written often, and most of its pictures are as they were
def as_webp(path, changed):
    """Return a picture as the data URL of a WebP, which has a tenth to two thirds of the size of its PNG."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def curves(log, measured=()):
    """Return {column: numbers} of the rows of a log, at most POINTS each.

    "multiple", from the rows of quality.csv, is the latest value at each point.
    """
    size = max(1, math.ceil(len(log) / POINTS))
    rows = []
    for part in (log[i : i + size] for i in range(0, len(log), size)):
        step, epoch = part[-1][:2]
        rows.append((step, epoch, *(mean(column) for column in list(zip(*part))[2:])))
    found = dict(zip(LOG_COLUMNS, zip(*rows)))
    if measured and rows:  # an epoch can end after its last row
        until = [*found["step"][1:], math.inf]
        seen = ([multiple for at, _, _, multiple in measured if at < end] for end in until)
        found["multiple"] = [multiples[-1] if multiples else None for multiples in seen]
    return found


def mean(numbers):
    """Round to five digits; None, a gap in the curve, if the number is not finite."""
    x = sum(numbers) / len(numbers)
    return float(f"{x:.5g}") if math.isfinite(x) else None


def panel(title, lines, config):
    """Return the settings of one plot of the page. share: whether the values are probabilities or shares of 1."""
    meanings = {
        "loss": "What each side minimises. They play against each other: neither needs to fall.",
        "output of D": "Probability of being real. Both near 0.5: D cannot tell. 1 against 0 for long: D has won.",
        "accuracy of D": "Share of images that D classifies correctly. 1 for long: G learns little.",
        "norm of the gradient": "All parameters together. When G's gradient vanishes, G has stopped learning.",
        "distance within a batch": "If it falls to a fraction, G is collapsing: its images become alike.",
        "penalty": "On the gradient of D.",
        "distance from real images": "Of 5,000 samples, measured every few epochs: 1 would be as good as real ones.",
    }
    if config["loss"] != "bce":
        meanings["output of D"] = "Higher is more real. If the curves are far apart, D tells real from fake easily."
    share = title == "accuracy of D" or (title == "output of D" and config["loss"] == "bce")
    return {
        "title": title, "lines": lines, "meaning": meanings[title], "share": share, "log": title in plots.LOGARITHMIC,
    }  # fmt: skip


def metrics(path, step):
    """Return what evaluate.py measured at this step: "compared", [[name, of samples, of real images]], and "rest",
    [[name, value]]. None if it measured nothing, or at an earlier step."""
    try:
        found = json.loads(path.read_text())
        if found["step"] != step:
            return None
        generated, real = dict(found.pop("samples")), dict(found.pop("real"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # missing, or not in evaluate.py's format
        return None
    pairs = {name: (value, real.get(name)) for name, value in generated.items()}
    compared = [[spaced(name), *map(text, pair)] for name, pair in pairs.items() if pair != (None, None)]
    return {"compared": compared, "rest": flat(found)}


def flat(values, before=""):
    """Return [[name, text]] of a dict and of the dicts in it."""
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
    """Return [[what it does, the command]] for this run."""
    folder = shlex.quote(str(run.folder))
    if len(config["shape"]) == 1:
        return [
            ["go on", f"{command('train')} --resume {folder} --epochs N"],
            ["draw more", f"{command('sample')} {folder} --n 1000 --out points.png"],
        ]
    kind, name = ("digit", "one class") if not config.get("groups") else ("group", "one group")
    one = [[name, f"{command('sample')} {folder} --{kind} {min(7, config['classes'] - 1)}"]]
    return [
        ["go on", f"{command('train')} --resume {folder} --epochs N"],
        ["draw more", f"{command('sample')} {folder} --n 100 --out grid.png"],
        *(one if config["conditional"] else []),
        ["between latent vectors", f"{command('sample')} {folder} --interpolate --out walk.gif"],
        ["nearest training images", f"{command('sample')} {folder} --nearest --out nearest.png"],
        ["measure", f"{command('evaluate')} {folder}"],
    ]
