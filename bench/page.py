"""Measure the page of a run for each preset: its size, and how many images a second it computes in Chromium.

python bench/page.py            prints a table, and writes it to bench/results/page.md
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import Browser  # noqa: E402
from presets import this_machine  # noqa: E402
from runs import lively, new_run  # noqa: E402

from tinygan import backend  # noqa: E402
from tinygan.app import report  # noqa: E402
from tinygan.gan.presets import PRESETS  # noqa: E402

SHAPE, CLASSES = (28, 28, 1), 10
TIME = """
    let images = 0, begun = performance.now();
    while (performance.now() < begun + 2000) { play.G(randomPoint(play.point.length), images % 10); images++; }
    return images / (performance.now() - begun) * 1000;"""


def measure(preset, folder, browser):
    """Return the size of a page without pictures, in MB, and the number of images that it computes in a second."""
    run = new_run(folder / preset, preset, shape=SHAPE, classes=CLASSES)
    report.save(run, lively(run.settings.training()))
    page = run.folder / "report.html"
    opened = browser.open(page.as_uri())
    rate = max(opened.run(TIME) for _ in range(3))
    assert not opened.errors()
    return page.stat().st_size / 1e6, rate


def main():
    backend.use("cpu")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        found = {preset: measure(preset, Path(folder), browser) for preset in PRESETS}
    lines = ["| preset | the page without pictures | images a second |", "| --- | --- | --- |"]
    lines += [f"| {preset} | {size:.2f} MB | {rate:.0f} |" for preset, (size, rate) in found.items()]
    machine = this_machine().partition(" of ")[2]
    text = "\n".join(
        [*lines, "", f"The best of three measurements of two seconds, in Chromium on one core of {machine}.", ""]
    )
    (ROOT / "bench/results/page.md").write_text(f"# Images in the page\n\n{text}")
    print(text)


if __name__ == "__main__":
    main()
