"""The command `tinygan`. `python -m tinygan` is the same command.

    tinygan train ...       runs train.py
    tinygan sample ...      runs sample.py
    tinygan evaluate ...    runs evaluate.py

In a clone these scripts are beside the package. In an installed package they are in tinygan/scripts.
"""

import shutil
import sys
from pathlib import Path

from .app.options import nearest
from .app.terminal import SCRIPTS, printable, say

HERE = Path(__file__).parent


def main() -> int:
    """Run the command that is the first argument, with the other arguments."""
    first, *words = sys.argv[1:] or ["--help"]
    if first in SCRIPTS:
        return run(first, words)
    if first not in ("-h", "--help", "--version"):
        hint = nearest(first, SCRIPTS) or f": {', '.join(SCRIPTS)}"
        print(printable(f"{launcher()}: there is no command {first!r}{hint}"), file=sys.stderr)
        return 2
    say(f"tinygan {sys.modules['tinygan'].__version__}")
    say(f"usage: {launcher()} COMMAND [options]    (each command has --help)")
    for name, purpose in SCRIPTS.items():
        say(f"    {name:12}{purpose}")
    return 0 if len(sys.argv) > 1 else 2


def run(name: str, words: list[str]) -> int:
    """Run the script train.py, sample.py or evaluate.py with these arguments. The script ends the program."""
    script = f"{name}.py"
    path = next(path for path in (HERE / "scripts" / script, HERE.parent / script) if path.exists())
    sys.argv = [f"{launcher()} {name}", *words]  # the name of the program in messages of argparse
    exec(compile(path.read_text("utf-8"), path, "exec"), {"__name__": "__main__", "__file__": str(path)})
    return 0


def launcher() -> str:
    """Return the command that started this program: "tinygan", the path of this command, or "python -m tinygan"."""
    started = sys.argv[0]
    if Path(started).name == "__main__.py":
        return f"{sys.orig_argv[0]} -m tinygan"
    return "tinygan" if shutil.which("tinygan") == started else started


if __name__ == "__main__":
    sys.exit(main())
