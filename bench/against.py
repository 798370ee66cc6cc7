"""Compare a training step of this checkout with that of another commit (python bench/step.py --against COMMIT)."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from turns import ROOT, Worker, take_turns

STARTS = 3  # how often both processes are started: where the arrays are in memory makes a process faster or slower


@contextlib.contextmanager
def checkout(commit):
    """with checkout(commit) as folder: the files of a commit, in a temporary folder."""
    git = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "tinygan"
        if subprocess.run([*git, "add", "--quiet", "--detach", folder, commit]).returncode:
            sys.exit(f"{commit} cannot be checked out; see git's message above")
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def measure(there, preset, batch_size, threads, rounds):
    """Return {quantity: (median here, median there, quartiles of here / there)} for "wall" and "processor".

    A ratio compares two turns of one round, which follow one another. So it does not depend on how fast the machine is
    in other rounds.
    """
    here, other = [], []
    for start in range(STARTS):
        with contextlib.ExitStack() as stack:
            roots = [ROOT, there][:: -1 if start % 2 else 1]
            both = [stack.enter_context(Worker("train.py", preset, batch_size, threads, root=root)) for root in roots]
            ours, theirs = take_turns(both, rounds)[:: -1 if start % 2 else 1]
        here += ours
        other += theirs
    return {
        quantity: (
            statistics.median(turn[quantity] for turn in here),
            statistics.median(turn[quantity] for turn in other),
            statistics.quantiles([a[quantity] / b[quantity] for a, b in zip(here, other)], n=4),
        )
        for quantity in ("wall", "processor")
    }


def table(commit, places, rounds):
    """Print and return the table as Markdown, row by row. places: (threads, preset, batch size) of each row."""
    head = ["preset", "batch", "threads"]
    for quantity in ("", "processor time "):
        head += [f"{quantity}here, ms", f"{quantity}{commit}, ms", f"{quantity}here / {commit}"]
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    print("\n".join(lines), flush=True)
    with checkout(commit) as there:
        for threads, preset, batch_size in places:
            cells = [preset, str(batch_size), str(threads)]
            for ours, theirs, (low, ratio, high) in measure(there, preset, batch_size, threads, rounds).values():
                cells += [f"{1000 * ours:.2f}", f"{1000 * theirs:.2f}", f"**{ratio:.3f}** ({low:.3f}-{high:.3f})"]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)
