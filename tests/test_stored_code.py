"""Stored code is never older than its source. A damaged file or a full disk costs a warning, and nothing else."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygan import backend

pytestmark = pytest.mark.skipif(backend.kernels() != "numba", reason="only Numba stores compiled code")
ROOT = Path(__file__).parent.parent
if backend.kernels() == "numba":
    from numba import float64, prange, types

    from tinygan.backend.compiled import cache

    VOID = types.void(float64[::1])


def double(x):
    for i in prange(len(x)):
        x[i] *= 2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for compiled code."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    for function in (cache.make_room, cache.warn):
        function.cache_clear()
    return tmp_path


def compiled():
    """Compile `double`, or load its code. Return whether it was loaded."""
    kernel = cache.kernel(double, VOID)
    x = np.ones(3)
    kernel(x)
    assert (x == 2).all()
    return bool(kernel.stats.cache_hits)


def key(text, **names):
    """Return the key of the function f that is defined by a text."""
    exec(text, names)
    return cache.name_by_content(names["f"])


def test_code_is_stored_under_all_that_it_reads():
    helper, shape = "def g(x): return x + 1\n", "lambda x: x * 2"
    texts = {
        "": "f = lambda x: x * 2",
        "a number": "f = lambda x: x * 3",
        "a global": "C = 2\nf = lambda x: x * C",
        "another global": "C = 3\nf = lambda x: x * C",
        "a helper": f"{helper}f = lambda x: g(x)",
        "another helper": f"{helper.replace('1', '2')}f = lambda x: g(x)",
        "a default": "f = lambda x, a=2: x * a",
        "another default": "f = lambda x, a=3: x * a",
        "a closure": f"def make(a): return lambda x: x * a\n{shape}\nf = make(2)",
        "another closure": f"def make(a): return lambda x: x * a\n{shape}\nf = make(3)",
        "a helper that is defined inside": "def f(x):\n  g = lambda x: x + 1\n  return g(x)",
        "another helper that is defined inside": "def f(x):\n  g = lambda x: x + 2\n  return g(x)",
    }
    keys = [key(text) for text in texts.values()]
    assert len({*keys}) == len(texts) and None not in keys
    assert keys == [key(text) for text in texts.values()]
    assert key("f = lambda x: x * C[0]", C=np.ones(1)) != key("f = lambda x: x * C[0]", C=np.zeros(1))


def test_code_that_reads_an_unknown_object_is_not_stored(folder):
    assert key("f = lambda x: c", c=object()) is None


def test_stored_code_is_loaded(folder):
    assert not compiled() and compiled()


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_a_damaged_file_is_compiled_again_with_one_warning(damage, folder, caplog):
    compiled()
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert not compiled() and compiled()
    assert [record.getMessage() for record in caplog.records] == [
        f"compiled code in {folder} is damaged: compiling it again"
    ]


def test_where_nothing_can_be_stored_code_is_compiled_with_one_warning(folder, caplog, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert not compiled() and not compiled()
    (record,) = caplog.records
    assert record.getMessage().endswith("(No space left on device): each process compiles it again")
    assert not list(folder.iterdir())


def test_the_folder_keeps_the_files_that_were_used_last(folder, monkeypatch):
    monkeypatch.setattr(cache, "FILES", 3)
    for n in range(5):
        (folder / str(n)).touch()
        os.utime(folder / str(n), (n, n))
    compiled()
    assert sorted(path.name for path in folder.iterdir())[:3] == ["2", "3", "4"]


def run(folder, place, *words):
    """Run Python in a new process, which imports tinygan from `folder` and stores code in `place`.

    Return its output and its warnings.
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(place), "PYTHONPATH": str(folder), backend.KERNELS: "numba"}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr.splitlines()


def test_a_second_run_of_a_changed_tile_computes_the_change(tmp_path):
    """The functions that are stored are in other files than the tile."""
    shutil.copytree(ROOT / "tinygan", tmp_path / "tinygan", ignore=shutil.ignore_patterns("__pycache__"))
    product = (
        "import numpy as np; from tinygan import backend; backend.tune(1)\n"
        "print(backend.matmul(np.ones((128, 128)), np.ones((128, 128)))[0, 0])"
    )
    tile, results = tmp_path / "tinygan/backend/compiled/tile.py", []
    for begin in ("[0.0]", "[0.5]"):  # the first number of each sum
        tile.write_text(tile.read_text().replace("[0.0] * lanes", f"{begin} * lanes"))
        results += run(tmp_path, tmp_path, "-c", product)[0]
    assert results == ["128.0", "128.5"]


def test_functions_on_one_line_have_their_own_code_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    for step, expected in ((1, ["2.0", "3.0"]), (-1, ["3.0", "2.0"])):
        script.write_text(
            "import numpy as np; from tinygan import backend; backend.tune(1)\n"
            "functions = [backend.fuse(f) for f in (lambda x: x * 2, lambda x: x * 3)]\n"
            f"print(*(f(np.ones(2))[0] for f in functions[::{step}]))"
        )
        assert run(ROOT, tmp_path, script)[0] == expected


def test_numba_computes_where_the_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    code = "from tinygan import backend; backend.tune(1); print(backend.kernels())"
    printed, warned = run(ROOT, tmp_path / "file", "-c", code)
    assert printed == ["numba"] and len(warned) == 2 and "cannot be stored" in warned[0]
