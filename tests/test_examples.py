"""The examples run unchanged, on the first images of MNIST."""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

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


def test_the_dcgan_example_trains_and_draws_samples(tmp_path):
    words = [sys.executable, "-c", ON_TWO_BATCHES.format(path=str(EXAMPLE))]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 3, step 0: loss of D" in done.stdout and done.stdout.splitlines()[-1] == "steps 6 6"
    first, last = (matplotlib.image.imread(tmp_path / f"dcgan_{epoch}.png") for epoch in (1, 3))
    assert first.shape == last.shape and (first != last).any() and last.std() > 0.01


def test_the_dcgan_example_has_at_most_50_lines():
    assert len(EXAMPLE.read_text().splitlines()) <= 50


NOTEBOOK = ROOT / "examples/play.ipynb"
CELLS = json.loads(NOTEBOOK.read_text())["cells"]
WITH_FEW_IMAGES = """
import tinygan
mnist = tinygan.data.load()
few = mnist._replace(images=mnist.images[:64], labels=mnist.labels[:64])
tinygan.data.load = lambda *source, **options: few
"""
STEPS = "\nprint('steps', model.run.load())\n"


def test_the_notebook_trains_draws_and_loads_in_ten_cells(tmp_path):
    assert len(CELLS) == 10 and not any(cell.get("outputs") for cell in CELLS)
    code = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    words = [sys.executable, "-c", WITH_FEW_IMAGES + code + STEPS]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "step 2/2" in done.stdout and done.stdout.splitlines()[-1] == "steps 2"


def test_the_notebook_runs_in_a_jupyter_kernel(tmp_path):
    reason = "needs the extra notebook: pip install -e '.[notebook]'"
    nbformat = pytest.importorskip("nbformat", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(
        0, nbformat.v4.new_code_cell(f"import sys\nsys.path.insert(0, {str(ROOT)!r})" + WITH_FEW_IMAGES)
    )
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) == 4  # one grid of samples, and three strips
