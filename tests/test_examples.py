"""The examples run as they stand, here on two batches of each epoch."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/dcgan.py"
ON_TWO_BATCHES = """
import runpy
from tinygan import data
mnist = data.load()
few = mnist._replace(images=mnist.images[:128], labels=mnist.labels[:128])
data.load = lambda: few
names = runpy.run_path({path!r})
print("steps", *(int(names[optimizer].t.item()) for optimizer in ("G_optimizer", "D_optimizer")))
"""


def test_the_first_page_of_code_trains_and_draws_its_samples(tmp_path):
    words = [sys.executable, "-c", ON_TWO_BATCHES.format(path=str(EXAMPLE))]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 3, step 0: loss of D" in done.stdout and done.stdout.splitlines()[-1] == "steps 6 6"
    first, last = (matplotlib.image.imread(tmp_path / f"dcgan_{epoch}.png") for epoch in (1, 3))
    assert first.shape == last.shape and (first != last).any() and last.std() > 0.01


def test_the_first_page_of_code_is_one_page():
    assert len(EXAMPLE.read_text().splitlines()) <= 50
