"""Count the lines of each part of the code, of the longest file, and of the longest function.

python docs/measure.py              prints the table of docs/tour.md
python docs/measure.py --write      also writes the table into docs/tour.md
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "docs/tour.md"
BEGIN, END = "<!-- by docs/measure.py -->\n", "<!-- end -->"

PARTS = {
    "backend/: shared by all devices": ["tinygan/backend"],
    "backend/cpu/: NumPy": ["tinygan/backend/cpu"],
    "backend/compiled/: Numba": ["tinygan/backend/compiled"],
    "backend/cuda/: CuPy": ["tinygan/backend/cuda"],
    "autograd/": ["tinygan/autograd"],
    "layers/": ["tinygan/layers"],
    "optim.py": ["tinygan/optim.py"],
    "gan/: the step, losses, penalties, models": [
        f"tinygan/gan/{name}.py" for name in ("gan", "losses", "penalties", "models")
    ],
    "gan/: the rest (presets, training, EMA, health, labels, augmentation)": [
        f"tinygan/gan/{name}.py"
        for name in ("__init__", "presets", "training", "ema", "health", "conditional", "matching", "augment")
    ],
    "data/": ["tinygan/data"],
    "metrics/": ["tinygan/metrics"],
    "app/": ["tinygan/app"],
}
CORE = ["autograd/", "layers/", "optim.py", "gan/: the step, losses, penalties, models"]
REST = "the rest of tinygan/"


def sources(*places):
    """Yield the Python files at these paths in the repository. For a folder, yield the files directly in it."""
    for place in places:
        path = ROOT / place
        yield from sorted(path.glob("*.py")) if path.is_dir() else [path]


def everything():
    """Return all Python files of the package tinygan."""
    return sorted((ROOT / "tinygan").rglob("*.py"))


def lines(path):
    return len(path.read_text().splitlines())


def functions(path):
    """Yield (number of lines, "file: name") of every function and method in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}: {node.name}"


def parts():
    """Return {part: (number of files, number of lines)}. The last parts are the whole library and the scripts."""
    found = {part: list(sources(*places)) for part, places in PARTS.items()}
    library = everything()
    found[REST] = [path for path in library if not any(path in files for files in found.values())]
    found["the library"] = library
    found["scripts"] = sorted(ROOT.glob("*.py"))
    return {part: (len(files), sum(map(lines, files))) for part, files in found.items()}


def table():
    """Return the table of line counts, and the sentences below it, as Markdown."""
    sizes = parts()
    rows = [f"| {part} | {files} | {count:,} |" for part, (files, count) in sizes.items()]
    read = [*everything(), *sorted(ROOT.glob("*.py"))]
    longest, where = max((lines(path), str(path.relative_to(ROOT))) for path in read)
    most, function = max(found for path in read for found in functions(path))
    short = sum(lines(path) <= 300 for path in read) / len(read)
    core = sum(sizes[part][1] for part in CORE)
    return "\n".join([
        "| | files | lines |", "| --- | --- | --- |", *rows, "",
        f"The core (autograd/, layers/, optim.py and four files of gan/) has {core:,} lines.",
        f"{short:.0%} of the files have at most 300 lines. The longest file has {longest} lines ({where}).",
        f"The longest function has {most} lines ({function}).",
    ]) + "\n"  # fmt: skip


def quoted():
    """Return the table that is in docs/tour.md now."""
    return TOUR.read_text().split(BEGIN)[1].split(END)[0]


if __name__ == "__main__":
    print(table(), end="")
    if "--write" in sys.argv:
        before, after = TOUR.read_text().split(BEGIN)[0], TOUR.read_text().split(END)[1]
        TOUR.write_text(before + BEGIN + table() + END + after)
