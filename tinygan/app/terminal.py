"""The output of a run in the terminal: a header, a progress bar, a line for each pause, and commands to use afterwards.

There is a progress bar only if stderr is a terminal, and in a notebook.
"""

import os
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from .. import backend
from ..backend import distributed
from ..backend.cpu import threads
from ..extras import pip_install
from ..gan.health import METRICS

KERNELS = {"numba": "Numba", "numpy": f"NumPy (faster with Numba: {pip_install('fast')})", "cupy": "CuPy"}
SCRIPTS = {  # the commands, and what they do
    "train": "train a GAN", "sample": "generate images with a trained GAN",
    "evaluate": "measure the quality of the images",
}  # fmt: skip
BAR = "step {n}/{total} |{bar}| {remaining} left, {rate_noinv_fmt}{postfix}"


class Terminal:
    """Prints to stdout. Warnings and the progress bar go to stderr. quiet: print only warnings and the run's folder."""

    def __init__(self, quiet=False):
        self.quiet, self.warned = quiet, set()

    def say(self, text):
        if not self.quiet:
            say(text)

    def warn(self, text):
        """Print a warning to stderr. The same text is printed only once."""
        if text not in self.warned:
            self.warned.add(text)
            with suppress(OSError):
                tqdm.write(printable(text), file=sys.stderr)

    def bar(self, step, last):
        """Return a progress bar for the steps from `step` to `last`, the last step of the run."""
        from tqdm.auto import tqdm  # the bar of a notebook, or of a terminal

        hide = True if self.quiet else None  # None: hide it unless stderr is a terminal
        options = dict(unit=" steps", smoothing=0.05, leave=False, dynamic_ncols=True, bar_format=BAR)
        return tqdm(initial=step, total=last, disable=hide, **options)

    def start(self, run, training, dataset, steps):
        """Print the preset, the data, the device and the folder of the run. steps: a text about the number of steps."""
        if self.quiet:
            say(run.folder)
        s, p, gan = run.settings, run.settings.preset, training.gan
        G, D = (sum(w.size for w in network.parameters()) / 1e6 for network in (gan.G, gan.D))
        images = f"{len(dataset.images)} of {' x '.join(map(str, s.shape))}"
        self.say(f"preset   {s.name}: loss {p.loss}, parameters G {G:.2f} M, D {D:.2f} M")
        self.say(f"data     {dataset.name}: {images}, {p.batch_size} a batch, seed {s.seed}")
        if s.groups:
            self.say(f"groups   {len(s.groups)}, of {s.groups[-1]} to {s.groups[0]} similar images, used as classes")
        self.say(f"device   {backend.device}, computed by {KERNELS[backend.kernels()]}; CPU threads: {threads.THREADS}")
        if distributed.size > 1:
            images = distributed.local_batch_size(p.batch_size)
            self.say(f"parallel {distributed.size} processes, each with {images} images of a batch")
        self.say(f"steps    {steps}")
        self.say(f"run      {run.folder} (Ctrl-C saves; --resume continues)")
        self.say(f"page     {run.folder / 'report.html'} (with --watch, it updates itself)")

    def stopped(self, run, step):
        again = f"{command('train')} --resume {quoted(run.folder)}"
        self.say(f"stopped at step {step} and saved; continue with\n    {again}")

    def done(self, run):
        folder = quoted(run.folder)
        self.say(
            f"samples are in {run.samples}; generate more with\n    {command('sample')} {folder} --n 100 --out grid.png"
        )
        self.say(f"or train it for longer with\n    {command('train')} --resume {folder} --epochs N")


def say(text):
    """Print to stdout. If stdout is a closed pipe, later lines are discarded, and the program continues."""
    try:
        print(printable(text, getattr(sys.stdout, "encoding", None)), flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text, encoding=None):
    """Return text with escaped control characters. A file name could otherwise control the terminal.

    encoding: characters that it does not have are escaped too. A redirected output on Windows has no Japanese.
    """
    text = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in str(text))
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def outputs_of_D(metrics):
    """Return the mean outputs of D as a short text for the bar. metrics: {name: value}"""
    return f"D(x) {metrics['d_real']:.2f}, D(G(z)) {metrics['d_fake']:.2f}"


def summary(log, timings, before, until):
    """Return a text with the most important metrics, averaged over the steps after `before` up to `until`.

    log: rows (step, epoch, *METRICS). timings: rows (step, epoch, seconds).
    """
    seconds = sum(seconds for step, _, seconds in timings if before < step <= until)
    speed = f"{1000 * seconds / (until - before):.0f} ms a step"
    rows = [metrics for step, _, *metrics in log if before < step <= until]
    if not rows:
        return speed
    m = {name: sum(values) / len(rows) for name, values in zip(METRICS, zip(*rows), strict=True)}
    losses = f"loss D {m['d_loss']:.2f} G {m['g_loss']:.2f}"
    return f"{losses}, {outputs_of_D(m)}, gradients D {m['d_gradient']:.2g} G {m['g_gradient']:.2g}, {speed}"


def command(script):
    """Return the command that starts a script ("train", "sample" or "evaluate"), for messages.

    The command begins with the Python, or with the installed command, that started this program. So the user can paste
    it into the terminal.
    """
    started, name = Path(sys.argv[0]), sys.argv[0].rpartition(" ")[2]
    if name in SCRIPTS:  # "tinygan train"; see tinygan/__main__.py
        return f"{sys.argv[0].rpartition(' ')[0]} {script}"
    if started.suffix == ".py" and started.stem in SCRIPTS:
        return f"{quoted(sys.orig_argv[0])} {quoted(started.with_name(f'{script}.py'))}"
    return f"{quoted(sys.orig_argv[0])} -m tinygan {script}"  # a notebook, or another program


def quoted(path):
    """Return a path as one word of a command, for the shell of this system.

    cmd and PowerShell both accept C:\\"Program Files"\\x, as an argument and as a program. A word that begins with a
    quotation mark is no program in PowerShell.
    """
    if os.name != "nt":
        return shlex.quote(str(path))
    text = re.sub(r"[^\\/]*[^\w\\/:.+-][^\\/]*", lambda part: f'"{part[0]}"', str(path))
    return f".\\{text}" if text.startswith('"') else text
