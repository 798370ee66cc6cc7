"""Train on toy worlds, keep the last picture of each run, and write the table of the README: python docs/toys.py

All runs have seed 0 and the defaults of train.py: batches of 128, 8,000 steps.
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
RUNS = {  # name of the picture: options of train.py
    "ring": "--preset r3gan --data ring",
    "dropped": "--preset vanilla --data grid",
    "grid": "--preset r3gan --data grid",
}


def train(options, folder):
    """Train a run. Return (path of its last picture, content of metrics.json, seconds)."""
    start = time.perf_counter()
    words = ["train.py", "--device", "cpu", *options.split(), "--out", str(folder), "--quiet"]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    picture = max((folder / "samples").glob("step_*.png"))
    return picture, json.loads((folder / "metrics.json").read_text()), time.perf_counter() - start


def main():
    columns = []
    with tempfile.TemporaryDirectory() as place:
        for name, options in RUNS.items():
            picture, found, seconds = train(options, Path(place) / name)
            shutil.copy(picture, ROOT / "docs" / "toys" / f"{name}.png")
            modes, good = found["samples"]["modes"], found["samples"]["good_samples"]
            caption = f"{modes} of {found['modes']} modes, {good:.0%} good samples"
            columns.append((f"`{options}`", f"![{options}](docs/toys/{name}.png)", caption))
            print(f"{options}: {caption}, {seconds:.0f} s")
    rows = [f"| {' | '.join(cells)} |\n" for cells in zip(*columns)]
    rows.insert(1, "| --- | --- | --- |\n")
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    readme.write_text(before + BEGIN + "".join(rows) + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
