"""What a run prints: a header, a bar for the current epoch, a line for each finished epoch, and what to do next.

If stderr is not a terminal there is no bar.
"""

import os
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
SCRIPTS = ("train", "sample", "evaluate")
BAR = "{desc} |{bar}| {n}/{total} [{remaining}, {rate_fmt}{postfix}]"


class Terminal:
    """Prints to stdout; warnings and the bar go to stderr. quiet: only the folder of the run, and warnings."""

    def __init__(self, quiet=False):
        self.quiet, self.warned = quiet, set()

    def say(self, text):
        if not self.quiet:
            say(text)

    def warn(self, text):
        """Print a warning to stderr, once: the pictures of each epoch may fail for the same reason."""
        if text not in self.warned:
            self.warned.add(text)
            with suppress(OSError):
                tqdm.write(printable(text), file=sys.stderr)

    def bar(self, step, end, per_epoch):
        """Return a bar for the epochs from `step` until `end`, which are one, or several short ones."""
        from tqdm.auto import tqdm  # in a notebook, its own bar

        first, last = step // per_epoch + 1, -(-end // per_epoch)
        title = f"epoch {first}" if first == last else f"epochs {first}-{last}"
        before = (first - 1) * per_epoch
        hide = True if self.quiet else None  # None: unless it is a terminal or a notebook
        options = dict(unit=" steps", leave=False, dynamic_ncols=True, bar_format=BAR)
        return tqdm(desc=title, initial=step - before, total=end - before, disable=hide, **options)

    def start(self, run, training, dataset, steps):
        """Print what is trained, on what, and where the run is written."""
        if self.quiet:
            say(run.folder)
        s, p, gan = run.settings, run.settings.preset, training.gan
        G, D = (sum(w.size for w in network.parameters()) / 1e6 for network in (gan.G, gan.D))
        images = f"{len(dataset.images)} of {' x '.join(map(str, s.shape))}"
        self.say(f"preset   {s.name}: loss {p.loss}, parameters G {G:.2f} M, D {D:.2f} M")
        self.say(f"data     {dataset.name}: {images}, {p.batch_size} a batch, seed {s.seed}")
        if s.groups:
            self.say(f"groups   {len(s.groups)}, of {s.groups[-1]} to {s.groups[0]} similar images, in place of labels")
        self.say(f"device   {backend.device}, computed by {KERNELS[backend.kernels()]}; CPU threads: {threads.THREADS}")
        if distributed.size > 1:
            share = distributed.local_batch_size(p.batch_size)
            self.say(f"parallel {distributed.size} processes, each with {share} images of a batch")
        self.say(f"steps    {steps}")
        self.say(f"run      {run.folder} (Ctrl-C saves; --resume goes on)")

    def stopped(self, run, step):
        self.say(f"stopped at step {step} and saved; go on with\n    {command('train')} --resume {quoted(run.folder)}")

    def done(self, run):
        folder = quoted(run.folder)
        self.say(
            f"samples are in {run.samples}; draw more with\n    {command('sample')} {folder} --n 100 --out grid.png"
        )
        self.say(f"or train it for longer with\n    {command('train')} --resume {folder} --epochs N")


def say(text):
    """Print to stdout. If its reader has gone (a closed pipe), that is no reason to stop: later lines go nowhere."""
    try:
        print(printable(text), flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text):
    """Return text with control characters escaped: a file name must not be able to command the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in str(text))


def outputs_of_D(metrics):
    """Return the mean outputs of D in words, for the bar: it must fit into 80 columns. metrics: {name: value}"""
    return f"D(x) {metrics['d_real']:.2f}, D(G(z)) {metrics['d_fake']:.2f}"


def summary(log, timings, before, until):
    """Return the means over the steps after `before`, up to `until`, in words; all metrics are in log.csv.

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
    """Return how to start a script ("train", "sample", "evaluate"), in the words that started this program.

    So a hint can be pasted: it has the same Python, or the installed command.
    """
    started, name = Path(sys.argv[0]), sys.argv[0].rpartition(" ")[2]
    if name in SCRIPTS:  # tinygan train; see tinygan/__main__.py
        return f"{sys.argv[0].rpartition(' ')[0]} {script}"
    if started.suffix == ".py" and started.stem in SCRIPTS:
        return f"{quoted(sys.orig_argv[0])} {quoted(started.with_name(f'{script}.py'))}"
    return f"{quoted(sys.orig_argv[0])} -m tinygan {script}"  # a notebook, or another program


def quoted(path):
    return shlex.quote(str(path))
