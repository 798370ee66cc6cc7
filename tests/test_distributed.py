"""Several processes train as one (backend/distributed). The tests start real processes with mpiexec."""

import importlib.util
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, checkpoint, lines
from equality import CASES, PARTS

from tinygan import backend
from tinygan.app import checkpoint as checkpoints
from tinygan.backend import distributed
from tinygan.backend.distributed import RowsRNG

BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
OPENMPI = bool(MPIEXEC) and "Open MPI" in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
needs_mpi = pytest.mark.skipif(
    not (MPIEXEC and importlib.util.find_spec("mpi4py")), reason="needs MPI: pip install -e '.[mpi]'"
)
needs_cpu = pytest.mark.skipif(backend.device != "cpu", reason="the processes of these tests use the CPU")
pytestmark = [needs_mpi, needs_cpu]
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", backend.KERNELS: "numpy", "PYTHONPATH": str(ROOT)}
WARM = 100, 120, 140  # one process does so many steps, then N processes continue (see equality.py)


def start(n, *words, **options):
    command = [MPIEXEC, "-n", str(n), sys.executable, *map(str, words)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    return subprocess.Popen(command, **{"env": ENVIRONMENT, **pipes, **options})


def train(n, *words, **options):
    """Train on n processes. Return (exit status, stdout, stderr)."""
    process = start(n, "train.py", "--device", "cpu", *words, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, own(err)


def own(err):
    """Return what our programs printed to stderr. OpenMPI's launcher adds a text that begins with a line of dashes."""
    return err.split("-" * 20)[0] if OPENMPI else err


def differences(n, dtype, steps, *cases, device="cpu", warm=(0,)):
    """Run equality.py on n processes. Return its lines as dictionaries."""
    process = start(n, "tests/equality.py", device, dtype, ",".join(map(str, warm)), steps, *cases)
    out, err = process.communicate(timeout=3000)
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    expected = [(case, before) for case in cases or CASES for before in warm]
    assert [(row["case"], row["warm"]) for row in rows] == expected, out + err
    assert all(row["processes"] == n for row in rows)
    return rows


def check(rows, most, rounding=()):
    """Assert that all processes end with the same bits, and differ by at most `most` from one process.

    rows: lines of equality.py, in which differences are relative. Of each case, the median of the rows is tested.
    rounding: parts that may also differ by ten times their "rounding".
    """
    for case in dict.fromkeys(row["case"] for row in rows):
        ours = [row for row in rows if row["case"] == case]
        assert all(row["same"] for row in ours), f"{case}: the processes end with different bits"
        for part in PARTS:
            found = statistics.median(row[part] for row in ours)
            limit = max(most, 1e-6) if part == "history" else most  # the history is in float32
            if part in rounding:
                limit = max(limit, 10 * statistics.median(row["rounding"][part] for row in ours))
            assert found <= limit, f"{case}: {part} differs by {found:.2g}, more than {limit:.2g}"


def test_two_processes_equal_one_process_in_float64_after_20_steps_of_each_preset():
    check(differences(2, "float64", 20), most=1e-12)


@pytest.mark.slow
def test_four_processes_equal_one_process_in_float64():
    check(differences(4, "float64", 20), most=1e-12)


def test_two_processes_equal_one_process_in_float32_after_20_steps_from_a_trained_state():
    """These two cases are the most sensitive to rounding.

    cgan has BatchNorm in both networks. In the case ring, some biases of D have no effect on the loss.
    """
    check(differences(2, "float32", 20, "cgan", "ring", warm=WARM), most=1e-5, rounding=["shifts"])


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_n_processes_equal_one_process_in_float32_after_20_steps_from_a_trained_state(n):
    """The median of three is tested, because sometimes a rounding error moves a number across a ReLU's kink."""
    check(differences(n, "float32", 20, warm=WARM), most=1e-5, rounding=["shifts"])


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_n_processes_equal_one_process_in_float32_from_the_first_step_up_to_rounding(n):
    """Adam's first steps are as large as the learning rate, even for tiny gradients. So rounding has a large effect."""
    check(differences(n, "float32", 20), most=1e-5, rounding=PARTS)


def test_gpus_exchange_sums_through_nccl():
    """The test uses stand-ins for CuPy and NCCL. MPI computes the sums. The captured graph of a step contains them."""
    rows = differences(2, "float32", 4, "cgan", "r3gan", device="standin")  # the third step is captured
    check(rows, most=1e-5, rounding=PARTS)


@pytest.fixture(scope="module")
def pair(tiny, tmp_path_factory):
    """Train for two epochs on two processes. Return the run folder, and (exit status, stdout, stderr)."""
    folder = tmp_path_factory.mktemp("pair") / "run"
    return folder, train(2, "--data", tiny, "--batch-size", 4, "--epochs", 2, "--out", folder)


def test_process_0_writes_the_run_and_prints_for_all(pair, trained):
    folder, (status, out, err) = pair
    assert status == 0 and err == ""
    assert out.count("step 44/44") == 1 and "2 processes, each with 2 images of a batch" in out
    assert {path.name for path in folder.iterdir()} == {path.name for path in trained[0].iterdir()}
    ours, one = (np.array(lines(run / "log.csv")[1:], float) for run in (folder, trained[0]))
    assert np.allclose(ours[:2], one[:2], rtol=1e-3)  # in later rows rounding makes larger differences


def test_a_run_continues_with_another_number_of_processes(pair, tiny, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(pair[0], folder)
    before = int(checkpoint(folder)["training.steps"][0])
    status, _, err = train(1, "--resume", folder, "--epochs", 3)
    assert status == 0, err
    ends = [folder, tmp_path / "other"]
    shutil.copytree(pair[0], ends[1])
    status, _, err = train(2, "--resume", ends[1], "--epochs", 3)
    assert status == 0, err
    one, two = map(checkpoint, ends)
    assert int(one["training.steps"][0]) == int(two["training.steps"][0]) == before + 22
    assert all((one[key] == two[key]).all() for key in one if ".rng." in key or "batches" in key)
    a, b = np.array(lines(ends[0] / "log.csv")[1:], float), np.array(lines(ends[1] / "log.csv")[1:], float)
    assert np.allclose(a[:5], b[:5], rtol=1e-2)


def processes(folder):
    """Return {rank: pid} of the processes that train in a folder."""
    found = {}
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_text().split("\0")
            environment = (path / "environ").read_text().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        variables = dict(value.split("=", 1) for value in environment if "=" in value)
        rank = [variables[name] for _, name in distributed.LAUNCHERS if name in variables]
        if "train.py" in words and str(folder) in words and rank and not words[0].endswith(("mpiexec", "mpirun")):
            found[int(rank[0])] = int(path.name)
    return found


def begun(tiny, folder):
    """Start a long run on two processes, and wait for the end of its first epoch."""
    options = "--device", "cpu", "--batch-size", 4, "--epochs", 500
    process = start(2, "train.py", "--data", tiny, "--out", folder, *options)
    while not (folder / "samples" / "step_0000022.png").exists() and process.poll() is None:
        time.sleep(0.05)
    return process


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open (Linux)")
@pytest.mark.parametrize("rank", [0, 1])
def test_if_a_process_dies_all_end_with_a_sentence_and_a_whole_checkpoint(tiny, tmp_path, rank):
    folder = tmp_path / "run"
    process = begun(tiny, folder)
    pids = processes(folder)
    assert pids.keys() == {0, 1}
    os.kill(pids[rank], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "one of the processes has died" in err and "--resume" in err
    assert not processes(folder)
    assert checkpoints.read(folder / "checkpoint" / "last.npz")


def test_ctrl_c_saves_once(tiny, tmp_path):
    folder = tmp_path / "run"
    process = begun(tiny, folder)
    process.send_signal(signal.SIGINT)  # to mpiexec, which passes it on
    out, err = process.communicate(timeout=60)
    assert process.returncode == (1 if OPENMPI else 130) and out.count("and saved") == 1 and "Traceback" not in err
    step = int(checkpoint(folder)["training.steps"][0])
    assert f"stopped at step {step}" in out


def test_a_batch_that_cannot_be_divided_is_refused_in_one_sentence(tiny, tmp_path):
    status, _, err = train(3, "--data", tiny, "--batch-size", 4, "--out", tmp_path / "run")
    assert status != 0 and not (tmp_path / "run").exists()
    assert err.strip() == (
        "train.py: a batch of 4 images cannot be divided among 3 processes: "
        "choose a --batch-size that is a multiple of 3"
    )


def test_an_error_of_one_process_ends_all(tmp_path):
    code = (
        "import sys; from tinygan.backend import distributed; from tinygan.app.errors import run_program\n"
        "def main(args):\n"
        "    distributed.start()\n"
        "    if distributed.rank == 1: raise ValueError('no memory on this one')\n"
        "    distributed.largest(0)\n"
        "class args: debug = False\n"
        "distributed.mute_others(); sys.exit(run_program('train.py', main, args))\n"
    )
    process = start(2, "-c", code)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and own(err).strip() == "process 1: train.py: no memory on this one"


def test_processes_that_differ_are_noticed_and_named():
    code = (
        "import types; from tinygan import backend; from tinygan.app import agreement\n"
        "from tinygan.backend import distributed; distributed.start()\n"
        "part = types.SimpleNamespace(state_dict=lambda: {'a': backend.xp.ones(2), 'b': backend.xp.full(1, 1e-9)})\n"
        "settings = types.SimpleNamespace(to_json=dict)\n"
        "agreement.check(settings, part=part)\n"
        "if distributed.rank == 1: part = types.SimpleNamespace(state_dict=lambda: {'a': backend.xp.ones(2),"
        " 'b': backend.xp.full(1, 2e-9)})\n"
        "try: agreement.check(settings, part=part)\n"
        "except RuntimeError as error: distributed.rank or print(error)\n"
        "distributed.finish()\n"
    )
    out, err = start(2, "-c", code).communicate(timeout=60)
    assert out.startswith("process 1 differs from process 0 in part.b: "), out + err


def test_processes_on_different_devices_are_refused():
    code = (
        "from tinygan.backend import distributed; distributed.start()\n"
        "try: distributed.connect('cuda:1' if distributed.rank else 'cpu')\n"
        "except RuntimeError as error: distributed.rank or print(error)\n"
        "distributed.finish()\n"
    )
    out, err = start(2, "-c", code).communicate(timeout=60)
    assert out.strip() == "process 0 uses cpu, process 1 uses cuda: choose a --device", out + err


def test_all_reduce_is_differentiated_to_third_order_through_batch_norm():
    """Each process has half of the rows of x. Its derivatives equal those of one process with all rows."""
    process = start(2, "tests/reduced.py")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and out.split() == ["1", "2", "3"], out + err


def test_a_launcher_of_another_mpi_is_noticed():
    done = subprocess.run(
        [sys.executable, "-c", "from tinygan.backend import distributed; distributed.start()"],
        env={**ENVIRONMENT, "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"},
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert "4 processes were started, but mpi4py finds 1" in done.stderr


def test_each_process_takes_its_rows_of_the_same_random_numbers(monkeypatch):
    whole = backend.RNG(0).normal((6, 3))
    monkeypatch.setattr(distributed, "size", 3)
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", rank)
        rng = RowsRNG(backend.RNG(0))
        rng.rows = 2
        assert (rng.normal((2, 3)) == whole[2 * rank : 2 * rank + 2]).all()


def test_one_process_imports_no_mpi():
    code = (
        "import sys, train; from tinygan.backend import distributed\n"
        "distributed.start(); print('mpi4py' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr
