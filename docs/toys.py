"""The toy worlds of the README: python docs/toys.py trains the runs, keeps their last picture, and writes the table.

All runs have seed 0 and the defaults of train.py: batches of 16, 8,000 steps.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- toys -->\n", "<!-- end of toys -->"
RUNS = {"ring": ("r3gan", "ring"), "collapse": ("vanilla", "ring"), "grid": ("r3gan", "grid")}  # picture: preset, world


def train(preset, world, folder):
    """Train a run. Returns (its last picture, what metrics.json says, seconds)."""
    start = time.perf_counter()
    words = ["train.py", "--device", "cpu", "--preset", preset, "--data", world, "--out", str(folder), "--quiet"]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    picture = max((folder / "samples").glob("epoch_*.png"))
    return picture, json.loads((folder / "metrics.json").read_text()), time.perf_counter() - start


def main():
    columns = []
    with tempfile.TemporaryDirectory() as place:
        for name, (preset, world) in RUNS.items():
            picture, found, seconds = train(preset, world, Path(place) / name)
            shutil.copy(picture, ROOT / "docs" / "toys" / f"{name}.png")
            modes, good = found["samples"]["modes"], found["samples"]["good_samples"]
            caption = f"{modes} of {found['modes']} modes, {good:.0%} good samples"
            columns.append((f"`--preset {preset} --data {world}`", f"![{preset}](docs/toys/{name}.png)", caption))
            print(preset, world, caption, f"{seconds:.0f} s")
    rows = [f"| {' | '.join(cells)} |\n" for cells in zip(*columns)]
    rows.insert(1, "| --- | --- | --- |\n")
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(before + BEGIN + "".join(rows) + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
