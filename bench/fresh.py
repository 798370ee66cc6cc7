"""Measure a new process: the time of imports, the time to the first step of train.py, and the peak memory.

    python bench/fresh.py            prints a table, and writes it to bench/results/fresh.md

Imports and memory are also measured for PyTorch. Each figure is the median of three processes. The script needs the
extra `bench`.
"""

import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from turns import environment

ROOT = Path(__file__).parent.parent
PROCESSES = 3
STEPS = 5  # steps of dcgan at batch 128, after which the peak memory is read
FIRST_STEP = f"""
import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ["train.py", "--device", "cpu", "--out", "DISCARDED"]
import train
from tinygan.gan.training import Training
step = Training.step
def first(*args):
    step(*args)
    sys.stdout.flush()
    import os; os._exit(0)
Training.step = first
train.main()
"""
CODE = {  # name: code that is timed in a new process
    "import numpy": "import numpy",
    "import tinygan": f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tinygan",
    "import torch": "import torch",
    "python train.py, to the end of its first step": FIRST_STEP,
}


def seconds(code, folder):
    started = time.perf_counter()
    code = code.replace("DISCARDED", str(folder / str(time.perf_counter_ns())))
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, stdout=subprocess.DEVNULL, env=environment()
    )
    return time.perf_counter() - started


def peak(side):
    """Return the largest resident set, in MB, of a new process that does a few steps."""
    words = [sys.executable, "-W", "ignore", __file__, side]
    return float(subprocess.run(words, check=True, capture_output=True, text=True, env=environment()).stdout)


def steps(side):
    """Do a few steps and print the peak memory. `peak` runs this in a new process."""
    sys.path[:0] = [str(ROOT), str(ROOT / "bench")]
    import worker

    from tinygan import backend

    if side == "tinygan":
        backend.tune()

    step = worker.tinygan_step("dcgan", 128) if side == "tinygan" else worker.torch_step("dcgan", 128)
    for _ in range(STEPS):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        times = {name: [seconds(code, Path(folder)) for _ in range(PROCESSES)] for name, code in CODE.items()}
    rows = [(name, f"{statistics.median(them):.2f} s") for name, them in times.items()]
    for side in ("tinygan", "torch"):
        megabytes = statistics.median(peak(side) for _ in range(PROCESSES))
        rows.append((f"peak memory of dcgan's step at batch 128, {side}", f"{megabytes:.0f} MB"))
    lines = ["| | median of three processes |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    text = "\n".join([*lines, "", f"Linux on {platform.machine()}, Python {platform.python_version()}, "
                                  f"NumPy {np.__version__}. Written by `bench/fresh.py`.", ""])  # fmt: skip
    (ROOT / "bench/results/fresh.md").write_text(f"# A fresh process\n\n{text}")
    print(text)


if __name__ == "__main__":
    steps(sys.argv[1]) if len(sys.argv) > 1 else main()
