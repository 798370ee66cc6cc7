"""The three floors: imports go down only, and only the backend knows NumPy from CuPy."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANKS = {  # a module imports from its own rank or from lower ones
    "backend": 0, "autograd": 1, "layers": 2, "optim": 3,  # the engine
    "files": 0, "data": 3, "metrics": 4,  # beside the game: what is learned from; how good samples are
    "gan": 4,  # the game
    "app": 5,  # the application
}  # fmt: skip
APART = {("metrics", "gan"), ("gan", "metrics"), ("gan", "data"), ("backend", "files"), ("files", "backend")}
WITH_NUMPY = {"backend", "data", "metrics", "app"}  # host arrays: files, pictures, tables
FILES = [
    path
    for path in sorted((ROOT / "tinygan").rglob("*.py"))
    if path.parent != ROOT / "tinygan" or path.stem != "__init__"
]


def room(parts):
    return parts[1].removesuffix(".py") if len(parts) > 1 else None


def imports_of(path):
    """The dotted names that a file imports, as tuples."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = start + tuple((node.module or "").split(".")) if node.module else start
            yield from ((*base, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only_and_only_the_backend_knows_its_arrays(path):
    here = room(path.relative_to(ROOT).parts)
    for parts in imports_of(path):
        if parts[0] == "tinygan":
            there = room(parts)
            assert RANKS[there] <= RANKS[here], f"{path} imports upwards: {'.'.join(parts)}"
            assert (here, there) not in APART, f"{path} imports {'.'.join(parts)}: the two stand apart"
            assert not parts[-1].startswith("_"), f"{path} imports a private name: {parts[-1]}"
        if parts[0] == "cupy":
            assert here == "backend", f"{path} imports cupy"
        if parts[0] == "numpy":
            assert here in WITH_NUMPY or path.name == "check.py", f"{path} imports numpy"


def test_every_module_has_a_rank():
    assert {room(path.relative_to(ROOT).parts) for path in FILES} == set(RANKS)
