"""The command `tinygan`. `python -m tinygan` is the same command.

    tinygan train ...       runs train.py
    tinygan sample ...      runs sample.py
    tinygan evaluate ...    runs evaluate.py

In a clone these scripts are beside the package. In an installed package they are in tinygan/scripts.
"""

import shutil
import sys
from pathlib import Path

from .app.terminal import SCRIPTS

HERE = Path(__file__).parent


def main() -> int:
    """Run the script whose name is the first argument, with the other arguments. The script ends the program."""
    words = sys.argv[1:]
    if not words or words[0] not in SCRIPTS:
        known = ["--version"], ["-h"], ["--help"]
        print(f"tinygan {sys.modules['tinygan'].__version__}")
        print(f"usage: {launcher()} {'|'.join(SCRIPTS)} [options]    (each has --help)")
        return 0 if words in known else 2
    script = f"{words[0]}.py"
    path = next(path for path in (HERE / "scripts" / script, HERE.parent / script) if path.exists())
    sys.argv = [f"{launcher()} {words[0]}", *words[1:]]  # the name of the program in messages of argparse
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
