"""No module imports from a higher rank, the engine and the game are small, and every device has the same functions."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANKS = {  # a module imports from its own rank or from lower ones
    "backend": 0, "autograd": 1, "layers": 2, "optim": 3,  # the engine
    "extras": 0, "files": 0, "version": 0, "archive": 0, "data": 3, "metrics": 4,  # beside the game
    "gan": 4,  # the game
    "app": 5,  # the application
    "__main__": 6,  # the command
}  # fmt: skip
# (a, b): a may not import b, though their ranks allow it
APART = {("metrics", "gan"), ("gan", "metrics"), ("gan", "data"), ("backend", "files"), ("files", "backend")}
WITH_NUMPY = {"archive", "backend", "data", "metrics", "app"}  # these may import NumPy
FILES = [
    path
    for path in sorted((ROOT / "tinygan").rglob("*.py"))
    if path.parent != ROOT / "tinygan" or path.stem != "__init__"
]


def place(parts):
    """Return the name in RANKS of a module: "gan" for tinygan/gan/losses.py, "optim" for tinygan/optim.py."""
    return parts[1].removesuffix(".py") if len(parts) > 1 else None


def imports_of(path):
    """Yield the dotted names that a file imports, as tuples."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = start + tuple((node.module or "").split(".")) if node.module else start
            yield from ((*base, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_nothing_from_higher_ranks_and_array_libraries_only_where_allowed(path):
    here = place(path.relative_to(ROOT).parts)
    for parts in imports_of(path):
        if parts[0] == "tinygan":
            there = place(parts)
            assert RANKS[there] <= RANKS[here], f"{path} imports upwards: {'.'.join(parts)}"
            assert (here, there) not in APART, f"{path} imports {'.'.join(parts)}, which APART forbids"
            assert not parts[-1].startswith("_"), f"{path} imports a private name: {parts[-1]}"
        if parts[0] == "cupy":
            assert here == "backend", f"{path} imports cupy"
        if parts[0] == "numpy":
            assert here in WITH_NUMPY or path.name == "check.py", f"{path} imports numpy"


def test_every_module_has_a_rank():
    assert {place(path.relative_to(ROOT).parts) for path in FILES} == set(RANKS)


CORE = "autograd", "layers", "optim.py", *(f"gan/{name}.py" for name in ("gan", "losses", "penalties", "models"))
DEFAULT_RUN = (  # what one reads to follow `python train.py` from the first line to the digits
    "../train.py",
    *(f"gan/{name}.py" for name in (
        "gan", "matching", "losses", "models", "conditional", "ema", "training", "presets",
    )),
    "optim.py",
    *(f"layers/{name}.py" for name in (
        "module", "sequential", "linear", "conv", "norm", "activation", "initial", "flat",
    )),
    *(f"autograd/{name}.py" for name in (
        "tensor", "backward", "arithmetic", "activations", "shapes", "convolution", "normalization", "composed",
    )),
    "backend/__init__.py", "backend/fast.py",
)  # fmt: skip
SIZES = {  # part of tinygan/: (its files, the largest number of lines)
    "the core": (CORE, 1750),
    "what the default run needs": (DEFAULT_RUN, 2500),
    "engine and game": (("backend", "autograd", "layers", "optim.py", "gan"), 5500),
}


@pytest.mark.parametrize("part", SIZES)
def test_the_engine_and_the_game_are_small(part):
    names, most = SIZES[part]
    places = [ROOT / "tinygan" / name for name in names]
    files = [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]
    assert most / 2 < sum(len(file.read_text().splitlines()) for file in files) <= most


def functions(*paths):
    """Return {name: names of the arguments} of the functions in these files."""
    nodes = [node for path in paths for node in ast.parse(path.read_text()).body]
    return {
        node.name: [a.arg for a in (*node.args.posonlyargs, *node.args.args)] + ["*"] * bool(node.args.vararg)
        for node in nodes
        if isinstance(node, ast.FunctionDef)
    }


OWN = {"use", "tune", "load_arrays", "kernels"}  # defined only in backend/__init__.py
BACKEND = ROOT / "tinygan" / "backend"


def offered(device):
    """Return {name: names of the arguments} of all that a device defines or imports. For a class: None."""
    path = BACKEND / device / "__init__.py"
    names = functions(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            file = BACKEND / device / f"{module}.py"
            known = offered("cpu") if module.startswith("cpu") else functions(file) if file.exists() else {}
            names |= {alias.asname or alias.name: known.get(alias.name) for alias in node.names}
    return names


@pytest.mark.parametrize("device", ["cpu", "compiled", "cuda"])
def test_every_device_has_the_functions_of_the_backend(device):
    interface, found = functions(BACKEND / "__init__.py"), offered(device)
    interface = {name: args for name, args in interface.items() if not name.startswith("_") and name not in OWN}
    assert {"conv2d", "fuse", "matmul", "capture"} < interface.keys()
    assert {"RNG", "xp", "start"} <= found.keys()
    for name, args in interface.items():
        assert found[name] == args, f"{name} of {device} has the arguments {found[name]}, not {args}"


def test_importing_tinygan_changes_nothing_in_the_process():
    code = (
        "import os, threading, numpy\n"
        "before, modules = (dict(os.environ), threading.active_count(), numpy.geterr()), set(sys.modules)\n"
        "import tinygan\n"
        "from tinygan.backend.cpu import threads\n"
        "assert (dict(os.environ), threading.active_count(), numpy.geterr()) == before and threads.THREADS == 1\n"
        "assert not (set(sys.modules) - modules) & {'numba', 'matplotlib', 'cupy'}\n"
    )
    done = subprocess.run([sys.executable, "-c", "import sys\n" + code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
