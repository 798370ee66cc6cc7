"""Run everything that a short stay on a GPU should answer, with a limit for each stage.

    python3 bench/on_gpu.py --out DIR --budget 540                              the first call
    python3 bench/on_gpu.py --out DIR2 --budget 200 --only suite sanitizer      the second call
    python3 bench/on_gpu.py --out DIR --budget 3600 --dry                       a rehearsal: all of it, but tiny

Nothing is installed: the checkout is on PYTHONPATH, and the Python that runs the script needs CuPy, pytest and
matplotlib. PyTorch for CUDA, pytest-xdist, pytest-timeout and compute-sanitizer are used if they are there. Each
command is a process group with a limit, and a failure never ends the script. After each result DIR/results.json is
written again, so a stay that is cut off keeps what was found before. DIR/log.txt has the output of every command.
The last lines of the output are a table.

A rehearsal needs a device too, but no speed: a simulated one will do.
"""

import argparse
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import gpu
from limits import call

ROOT = Path(__file__).parent.parent
PATIENCE = 20  # a rehearsal may take this many times the limit
TINY = 64, 1024  # in place of gpu.SIZES, in a rehearsal
UNSET = ("NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION", "CUDA_LAUNCH_BLOCKING")
BAD = ("failure", "error")  # the elements of a JUnit report for a test that failed
EQUAL = ["test_on_gpu.py", "test_cuda_graph.py"]
SUITE = """backend convolution engine ema evaluate gan gradients health layers losses metrics on_gpu optim parity
    presets quality random_gradients resume sample scripts spectral""".split()


class Stay:
    """What all stages share. results: {stage: its result}. out: the folder where they are written after each change."""

    def __init__(self, out, budget, dry, temporary):
        self.out, self.dry, self.temporary = out, dry, Path(temporary)
        self.deadline = time.monotonic() + budget
        self.until = self.deadline  # the end of the present stage
        self.log = open(out / "log.txt", "wb")
        inherited = {name: os.environ[name] for name in UNSET if name in os.environ}
        self.results = {"about": {"budget": budget, "dry": dry, "unset": inherited}}
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "4"}
        self.environment = {**kept, **own, "CUPY_CACHE_DIR": str(self.temporary / "kernels")}

    def keep(self, stage, result):
        self.results[stage] = result
        path = self.out / "results.json"
        path.with_suffix(".new").write_text(json.dumps(self.results, indent=1) + "\n")
        path.with_suffix(".new").replace(path)

    def left(self):
        """Return the seconds that the present stage has left."""
        return self.until - time.monotonic()

    def python(self, *words, limit=None, **variables):
        """Run Python in the checkout, within the limits of the stage. Returns a Done."""
        limit = min(self.left(), limit * (PATIENCE if self.dry else 1) if limit else self.left())
        return call([sys.executable, *words], limit, {**self.environment, **variables}, self.log)


def facts(stay):
    done = stay.python(gpu.WORKER, "facts", json.dumps(TINY if stay.dry else gpu.SIZES))
    return done.result()


def smoke(stay):
    """Train a few steps: cold, then with compiled kernels. If this fails, try what could be the cause."""
    size = ["--max-steps", 6, "--batch-size", 4] if stay.dry else ["--max-steps", 60]
    words = [ROOT / "train.py", "--device", "cuda", "--debug", *size]
    found = {}

    def attempt(name, *more, **variables):
        done = stay.python(*words, *more, "--out", stay.temporary / name.replace(" ", "-"), **variables)
        compiled = len(list((stay.temporary / "kernels").rglob("*.cubin")))
        found[name] = {"status": done.status, "seconds": round(done.seconds, 2), "kernels": compiled}
        if done.status:
            found[name]["output"] = done.output[-4000:]
        stay.keep("smoke", found)
        return done.status == 0

    if attempt("cold"):
        attempt("warm")
    else:
        attempt("no graph", "--no-graph")
        attempt("blocking", "--no-graph", CUDA_LAUNCH_BLOCKING="1")
        attempt("no TF32", NVIDIA_TF32_OVERRIDE="0")
    return found


def pytest(stay, name, files, *more):
    """Run test files. Returns the counts, and the names of the tests that failed."""
    report = stay.out / f"{name}.xml"
    words = ["-m", "pytest", "--device", "cuda", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    if importlib.util.find_spec("xdist") and not stay.dry:
        words += ["-n", min(8, os.cpu_count())]
    if importlib.util.find_spec("pytest_timeout"):
        words += ["--timeout", 60 * (PATIENCE if stay.dry else 1)]
    done = stay.python(*words, *more, *(ROOT / "tests" / file for file in files))
    found = {"status": done.status, "seconds": round(done.seconds, 1), "last": done.sentence()}
    if report.exists():
        cases = ElementTree.parse(report).getroot().iter("testcase")
        failed = {f"{case.get('classname')}::{case.get('name')}" for case in cases for x in case if x.tag in BAD}
        found["failed tests"] = sorted(failed)
    return found


def equal(stay):
    return pytest(stay, "equal", EQUAL, *(["-k", "3-5-7 or python_runs"] if stay.dry else []))


def suite(stay):
    return pytest(stay, "suite", ["test_optim.py"] if stay.dry else [f"test_{name}.py" for name in SUITE])


def train(stay):
    """Train the default run to its end, and measure its samples."""
    run, small = stay.temporary / "run", stay.dry
    size = ["--max-steps", 6, "--batch-size", 4] if small else []
    done = stay.python(ROOT / "train.py", "--device", "cuda", "--quiet", "--out", run, *size)
    found = {"status": done.status, "seconds": round(done.seconds, 1), "last": done.sentence()}
    stay.keep("train", found)
    pictures = sorted((run / "samples").glob("*.png"))
    if pictures:
        shutil.copy(pictures[-1], stay.out / "digits.png")
        found["steps and seconds"] = (run / "timings.csv").read_text().splitlines()
        stay.keep("train", found)
        done = stay.python(
            ROOT / "evaluate.py", run, *(["--n", 50, "--device", "cpu"] if small else ["--device", "cuda"])
        )
        found["evaluate"] = {"status": done.status, "seconds": round(done.seconds, 1), "last": done.sentence()}
        if (run / "metrics.json").exists():
            shutil.copy(run / "metrics.json", stay.out)
    return found


def profile(stay):
    found = {}
    for preset, batch_size in [("vanilla", 4)] if stay.dry else [("cgan", 32), ("dcgan", 128)]:
        done = stay.python(gpu.WORKER, "profile", json.dumps([preset, batch_size]), limit=15)
        found[f"{preset} {batch_size}"] = done.result()
        stay.keep("profile", found)
    return found


def bench(stay):
    rows = []
    places, sides = ([("vanilla", 4)], ["tinygan graph"]) if stay.dry else (gpu.PLACES, gpu.SIDES)
    for side in sides:
        for preset, batch_size in places:
            limit = min(stay.left(), gpu.SIDES[side] * (PATIENCE if stay.dry else 1))
            how = (0.01, TINY) if stay.dry else (2.0, gpu.SIZES)
            if limit > 5:
                rows.append(gpu.cell(side, preset, batch_size, True, *how, limit, stay.environment, stay.log))
                stay.keep("bench", {"rows": rows})
    return {"rows": rows}


def sanitizer(stay):
    """Run steps under compute-sanitizer, with an allocation for each array, so that it sees where an array ends."""
    program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    what = [["vanilla"], 4] if stay.dry else [["cgan", "wgan-gp", "r3gan"], 16]
    words = [gpu.WORKER, "check", json.dumps(what)]
    if stay.dry or not Path(program).exists():
        done = stay.python(*words)
        return {"without compute-sanitizer": {"status": done.status, "last": done.sentence()}}
    found = {}
    for tool, more in {"memcheck": ["--padding", 64], "racecheck": [], "synccheck": []}.items():
        checked = [program, "--tool", tool, *more, "--kernel-name", "kns=tinygan", "--error-exitcode", 9]
        done = call([*checked, sys.executable, *words], stay.left(), stay.environment, stay.log)
        found[tool] = {"status": done.status, "seconds": round(done.seconds, 1), "last": done.sentence()}
        stay.keep("sanitizer", found)
    return found


class Stage(NamedTuple):
    run: object
    limit: float  # seconds
    least: float  # the stage does not start if fewer seconds are left


STAGES = {
    "facts": Stage(facts, 25, 5), "smoke": Stage(smoke, 60, 15), "equal": Stage(equal, 100, 30),
    "train": Stage(train, 80, 20), "profile": Stage(profile, 30, 15), "bench": Stage(bench, 260, 10),
    "suite": Stage(suite, 120, 30), "sanitizer": Stage(sanitizer, 80, 20),
}  # fmt: skip
FIRST = ["facts", "smoke", "equal", "train", "profile", "bench"]


def visit(stay, names):
    """Run the stages one after the other. Each result is kept; a stage that fails keeps its error."""
    for name in names:
        stage, left = STAGES[name], stay.deadline - time.monotonic()
        if left < stage.least:
            stay.keep(name, {"skipped": f"{left:.0f} s were left, and it needs {stage.least} s"})
            continue
        stay.until = time.monotonic() + min(left, stage.limit * (PATIENCE if stay.dry else 1))
        try:
            stay.keep(name, stage.run(stay))
        except Exception as error:  # what follows is worth more than this stage
            stay.keep(name, {**stay.results.get(name, {}), "failed": f"{type(error).__name__}: {error}"})
        print(f"{name}: {json.dumps(stay.results[name])[:300]}", flush=True)


def table(results):
    """Return at most 60 lines: a line for each result of a stage, and the table of gpu.py."""
    lines, rows = [], []
    for stage, result in results.items():
        for key, value in result.items():
            if key == "rows":
                rows = gpu.table(value).splitlines()
            else:
                lines.append(f"{stage:9} {key}: {value if isinstance(value, str) else json.dumps(value)}"[:200])
    return "\n".join([*lines[:30], *rows][:60])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of the results")
    parser.add_argument("--budget", type=float, required=True, metavar="SECONDS", help="the time of the whole call")
    parser.add_argument("--only", nargs="+", choices=STAGES, metavar="STAGE", help=f"default: {' '.join(FIRST)}")
    parser.add_argument("--dry", action="store_true", help="a rehearsal: every stage, but tiny")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the present command is killed too
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        stay = Stay(args.out, args.budget, args.dry, temporary)
        visit(stay, args.only or (list(STAGES) if args.dry else FIRST))
    print(table(stay.results))


if __name__ == "__main__":
    main()
