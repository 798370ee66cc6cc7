"""The benchmarks refuse tables that cannot be trusted, and bench/on_gpu.py keeps every result that it has found.

Nothing is measured here, and no GPU is needed.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT

from tinygan.gan import presets

sys.path.insert(0, str(ROOT / "bench"))
import against
import gpu
import limits
import machine
import on_gpu
import turns

LEAVES_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print('{"child": %d}\\n{"ch' % child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid):
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_a_command_over_its_limit_is_killed_with_its_children_and_keeps_its_output(tmp_path):
    with open(tmp_path / "log.txt", "wb") as log:
        done = limits.call([sys.executable, "-c", LEAVES_A_CHILD], 1.0, log=log)
    assert done.status == limits.LIMIT and done.sentence() == "over its limit of 1 s"
    child = done.json()["child"]  # of the last whole line
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        continue  # a killed process exists until init has noticed it
    assert not is_running(child)
    assert f'{{"child": {child}}}' in (tmp_path / "log.txt").read_text()


def test_a_failed_command_gives_its_status_and_the_last_line_of_its_output():
    done = limits.call([sys.executable, "-c", "print('before'); raise SystemExit('no GPU\\n')"], 60)
    assert (done.status, done.sentence(), done.json()) == (1, "no GPU", {})


@pytest.mark.parametrize(
    "code, row",
    [
        (
            'print(\'{"side": "a", "ms": 1}\', flush=True); raise SystemExit(\'and then\')',
            {"ms": 1, "failed": "and then"},
        ),
        ("raise SystemExit('no GPU')", {"failed": "no GPU", "preset": "cgan", "batch": 32}),
    ],
)
def test_a_cell_that_fails_keeps_what_it_has_measured_or_its_error(code, row, monkeypatch, tmp_path):
    (tmp_path / "worker.py").write_text(code)
    monkeypatch.setattr(gpu, "WORKER", tmp_path / "worker.py")
    found = gpu.cell("a", "cgan", 32, True, 2.0, gpu.SIZES, 60)
    assert found.items() >= {"side": "a", **row}.items()


@pytest.fixture
def stay(tmp_path, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    return on_gpu.Stay(tmp_path, budget=100, dry=False, temporary=tmp_path / "temporary")


def saved(stay):
    return json.loads((stay.out / "results.json").read_text())


def test_a_stage_that_fails_keeps_its_partial_result_and_the_next_stage_runs(stay, monkeypatch):
    def fails(stay):
        stay.keep("bench", {"rows": [{"side": "a", "preset": "cgan", "batch": 32, "failed": "no GPU"}]})
        raise OSError("the disk is full")

    def reads(stay):
        return {"before": sorted(saved(stay))}

    stages = {"bench": (fails, 50, 5), "suite": (reads, 50, 5), "equal": (reads, 500, 101)}
    monkeypatch.setattr(on_gpu, "STAGES", {name: on_gpu.Stage(*stage) for name, stage in stages.items()})
    on_gpu.visit(stay, stages)
    found = saved(stay)
    assert found["bench"]["rows"][0]["failed"] == "no GPU" and found["bench"]["failed"] == "OSError: the disk is full"
    assert found["suite"] == {"before": ["about", "bench"]}
    assert found["equal"]["skipped"].endswith("s were left, and it needs 101 s")


def test_the_commands_of_a_stay_get_its_environment_and_the_time_that_is_left(stay):
    stay.until = time.monotonic() + 60
    code = "import os; print(os.environ.get('NVIDIA_TF32_OVERRIDE'), os.environ['CUPY_CACHE_DIR'], os.environ['B'])"
    done = stay.python("-c", code, B="1")
    assert done.output.split() == ["None", str(stay.temporary / "kernels"), "1"]
    assert stay.results["about"]["unset"] == {"NVIDIA_TF32_OVERRIDE": "0"}
    stay.until = time.monotonic()
    assert stay.python("-c", "while True: pass").status == limits.LIMIT


def test_the_table_of_a_stay_has_at_most_60_lines(stay):
    row = {"side": "a", "preset": "cgan", "batch": 32, "failed": "no GPU"}
    lines = on_gpu.table({"suite": {str(i): "x" * 500 for i in range(99)}, "bench": {"rows": [row] * 99}}).splitlines()
    assert len(lines) == 60 and max(map(len, lines)) <= 200 and "failed: no GPU" in lines[-1]


def test_the_test_files_of_a_stay_exist():
    for name in [*on_gpu.EQUAL, *(f"test_{name}.py" for name in on_gpu.SUITE)]:
        assert (ROOT / "tests" / name).exists()
    assert set(on_gpu.FIRST) < set(on_gpu.STAGES) and {preset for preset, _ in gpu.PLACES} < set(presets.PRESETS)


def test_processes_of_benchmarks_get_no_setting_of_openblas(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = turns.environment(2, "numpy")
    assert "OPENBLAS_CORETYPE" not in found and found["PATH"] == os.environ["PATH"]
    assert (found["OMP_NUM_THREADS"], found["TINYGAN_KERNELS"]) == ("2", "numpy")


def test_a_benchmark_starts_again_without_settings_of_openblas():
    code = "import os, turns; turns.start_again(); print(os.environ.get('OPENBLAS_CORETYPE'), os.environ['KEPT'])"
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell", "KEPT": "yes", "PYTHONPATH": str(ROOT / "bench")}
    assert limits.call([sys.executable, "-c", code], 60, environment).output == "None yes\n"


class Side:
    """A worker that writes down its turns."""

    def __init__(self, name, seconds, turns):
        self.name, self.seconds, self.turns = name, seconds, turns

    def turn(self, steps):
        self.turns.append((self.name, steps))
        return {"wall": self.seconds, "processor": self.seconds}


def test_sides_take_turns_of_equal_length_in_alternating_order():
    order = []
    workers = [Side("a", 0.01, order), Side("b", 0.05, order)]
    taken = turns.take_turns(workers, 3)
    first, steps = turns.LEAST, 5  # 5 steps of the slower side take the time of a turn
    assert order[:2] == [("a", first), ("b", first)]
    assert order[2:] == [(name, steps) for name in "ab" + "ba" + "ab"]
    assert [[turn["wall"] for turn in own] for own in taken] == [[0.01] * 3, [0.05] * 3]


@pytest.fixture
def rated(monkeypatch, tmp_path):
    """Return a function that makes a Machine with these rates. The best rate known is 100."""
    monkeypatch.setattr(machine, "BEST", tmp_path / "machine.json")
    monkeypatch.setattr(machine, "Worker", lambda *_, **__: None)

    def make(*rates):
        made = machine.Machine(1)
        machine.BEST.write_text(json.dumps({made.name: {"product": 100}}))
        made.samples = [{"product": rate} for rate in rates]
        return made

    return make


def test_a_table_is_doubted_if_the_machine_is_slow_or_if_its_passes_differ(rated):
    good, slow = rated(70, 85, 90), rated(95, 79, 70)
    assert machine.doubts([good], {"cgan 32": [1.0, 1.09]}) == []
    (doubt,) = machine.doubts([slow], {})
    assert "the rate of product is 79% of its best, less than 80%" in doubt
    (doubt,) = machine.doubts([good], {"cgan 32": [1.0, 1.11]})
    assert doubt == "cgan 32: the two passes differ by 11%, more than 10%"


def test_the_best_rate_of_a_machine_is_kept(rated):
    rated(90, 120).save()
    (rates,) = machine.known().values()
    assert rates == {"product": 120}
    assert rated(110).best() == {"product": 110}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a clone")
def test_the_other_commit_is_checked_out_and_removed():
    with against.checkout("HEAD") as folder:
        assert (folder / "tinygan/optim.py").exists()
    assert not folder.exists()
    with pytest.raises(SystemExit, match="no-such-commit cannot be checked out"), against.checkout("no-such-commit"):
        pass


@pytest.mark.parametrize("name", ["vanilla", "dcgan", "cgan", "wgan-gp", "sngan", "r3gan"])
def test_pytorchs_networks_have_tinygans_numbers_of_parameters_and_settings(name):
    torch_gans = pytest.importorskip("torch_gans", reason="needs PyTorch", exc_type=ImportError)
    preset = presets.PRESETS[name]
    training = presets.build(preset, (28, 28, 1), 0, 10)
    G, D, latent = torch_gans.networks(name)
    for theirs, ours in ((G, training.gan.G), (D, training.gan.D)):
        assert sum(p.numel() for p in theirs.parameters()) == sum(p.size for p in ours.parameters())
    assert latent == preset.latent_size and torch_gans.ADAM[name] == dict(lr=preset.lr, betas=preset.betas)
