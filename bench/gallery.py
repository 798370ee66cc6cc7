"""The README's table of presets, from finished runs: samples, size, the time of an epoch here, the lesson.

    python bench/gallery.py runs/vanilla-... runs/dcgan-... ...

Writes docs/presets/<preset>.png, bench/results/presets.json, and the README between its marks. Time: the median of ten
steps, times the steps of an epoch, on the machine it runs on.
"""

import json
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data, plots  # noqa: E402
from tinygan.backend import threads  # noqa: E402
from tinygan.runs import Run  # noqa: E402

LESSONS = {
    "vanilla": "two small networks and two losses are enough for digits, and for noise around them",
    "lsgan": "a squared distance in place of a logarithm: D's gradient does not fade when it is sure",
    "dcgan": "convolutions see strokes and not pixels, and BatchNorm keeps the game going",
    "sngan": "a bound on D's slope, one division a layer, steadies the same game without BatchNorm in D",
    "cgan": "told the class, both players learn what belongs to it: a row for each digit",
    "wgan-gp": "a penalty on the slope of D makes its loss a distance; the second derivative is the price",
    "r3gan": "compare real with fake in pairs and keep D flat at both: no normalisation is needed",
}
STRIP = 10  # images in the picture of a preset


def strip(run, training):
    """Write ten samples of a run side by side; one of each class where they are chosen."""
    latent = backend.Generator(0).normal((STRIP, run.preset.latent_size))
    classes = backend.xp.arange(STRIP) if run.preset.conditional else None
    images = data.to_pixels(backend.to_host(training.sample(latent, classes)))
    path = ROOT / "docs" / "presets" / f"{run.settings['preset']}.png"
    path.parent.mkdir(exist_ok=True)
    plots.save_grid(path, images, STRIP)


def seconds_per_epoch(run, dataset):
    training, batches = run.build(), run.batches(dataset)
    batches.start_epoch(0)
    seconds = []
    for _ in range(11):
        started = time.perf_counter()
        training.step(batches)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:]) * batches.steps_per_epoch


def row(folder, dataset):
    run = Run.open(folder)
    training = run.build()
    run.load(training=training)
    strip(run, training)
    name, steps = run.settings["preset"], int(training.steps[0])
    sizes = [sum(p.size for p in network.parameters()) for network in (training.gan.G, training.gan.D)]
    return {
        "preset": name, "steps": steps, "budget": run.preset.steps, "G": sizes[0], "D": sizes[1],
        "epoch": round(seconds_per_epoch(run, dataset)), "lesson": LESSONS[name],
    }  # fmt: skip


def main(folders):
    dataset = data.load()
    rows = sorted((row(folder, dataset) for folder in folders), key=lambda r: list(LESSONS).index(r["preset"]))
    lines = [
        "| preset | ten samples, unchosen | steps of the budget | parameters G, D | an epoch here | what it teaches |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        picture = f"![{r['preset']}](docs/presets/{r['preset']}.png)"
        sizes = f"{r['G'] / 1e6:.2f} M, {r['D'] / 1e6:.2f} M"
        lines.append(
            f"| {r['preset']} | {picture} | {r['steps']} of {r['budget']} | {sizes} | {r['epoch']} s | {r['lesson']} |"
        )
    here = (
        f"Written by `bench/gallery.py`; times: {threads.THREADS} threads of an Intel Xeon "
        f"({platform.machine()}), NumPy {np.__version__}."
    )
    text = "\n".join([*lines, "", here, ""])
    (ROOT / "bench/results/presets.json").write_text(json.dumps(rows, indent=1) + "\n")
    readme = (ROOT / "README.md").read_text()
    before, rest = readme.split("<!-- presets -->\n")
    after = rest.split("<!-- end of presets -->")[1]
    (ROOT / "README.md").write_text(f"{before}<!-- presets -->\n{text}<!-- end of presets -->{after}")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
