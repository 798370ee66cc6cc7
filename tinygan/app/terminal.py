"""What a run prints: a header, a bar for the current epoch, a line for each finished epoch, and what to do next.

If stderr is not a terminal there is no bar.
"""

import shlex
import sys

from tqdm import tqdm

from .. import backend
from ..backend.cpu import threads
from ..gan.health import METRICS

KERNELS = {"numba": "Numba", "numpy": "NumPy (faster with Numba: pip install -e '.[fast]')", "cupy": "CuPy"}
BAR = "{desc} |{bar}| {n}/{total} [{remaining}, {rate_fmt}{postfix}]"


class Terminal:
    """Prints to stdout; warnings and the bar go to stderr. quiet: only the folder of the run, and warnings."""

    def __init__(self, quiet=False):
        self.quiet = quiet

    def say(self, text):
        if not self.quiet:
            print(text, flush=True)

    def warn(self, text):
        tqdm.write(text, file=sys.stderr)

    def bar(self, title, done, steps):
        """Return a bar for an epoch of `steps`, of which `done` are done already."""
        from tqdm.auto import tqdm  # in a notebook, its own bar

        hide = True if self.quiet else False if "notebook" in tqdm.__name__ else None  # None: unless it is a terminal
        options = dict(unit=" steps", leave=False, dynamic_ncols=True, bar_format=BAR)
        return tqdm(desc=title, initial=done, total=steps, disable=hide, **options)

    def start(self, run, training, dataset, steps):
        """Print what is trained, on what, and where the run is written."""
        if self.quiet:
            print(run.folder, flush=True)
        s, p, gan = run.settings, run.settings.preset, training.gan
        G, D = (sum(w.size for w in network.parameters()) / 1e6 for network in (gan.G, gan.D))
        images = f"{len(dataset.images)} of {' x '.join(map(str, s.shape))}"
        self.say(f"preset   {s.name}: loss {p.loss}, parameters G {G:.2f} M, D {D:.2f} M")
        self.say(f"data     {dataset.name}: {images}, {p.batch_size} a batch, seed {s.seed}")
        if s.groups:
            self.say(f"groups   {len(s.groups)}, of {s.groups[-1]} to {s.groups[0]} similar images, in place of labels")
        self.say(f"device   {backend.device}, computed by {KERNELS[backend.kernels()]}; CPU threads: {threads.THREADS}")
        self.say(f"steps    {steps}")
        self.say(f"run      {run.folder} (Ctrl-C saves; --resume goes on)")

    def stopped(self, run, step):
        self.say(f"stopped at step {step} and saved; go on with\n    python train.py --resume {quoted(run.folder)}")

    def done(self, run):
        folder = quoted(run.folder)
        self.say(f"samples are in {run.samples}; draw more with\n    python sample.py {folder} --n 100 --out grid.png")
        self.say(f"or train it for longer with\n    python train.py --resume {folder} --epochs N")


def short(row):
    """Return the most useful numbers of a log row; the rest is in log.csv."""
    m = dict(zip(METRICS, row[2:], strict=True))
    return f"loss D {m['d_loss']:.2f} G {m['g_loss']:.2f}, D(x) {m['d_real']:.2f}, D(G(z)) {m['d_fake']:.2f}"


def summary(log, timings, epoch):
    """Return the means of an epoch, from the rows of both tables."""
    rows = [row for row in log if row[1] == epoch]
    means = [sum(column) / len(rows) for column in zip(*rows)]
    before = max((step for step, of, _ in timings if of < epoch), default=0)
    seconds = sum(seconds for _, of, seconds in timings if of == epoch)
    speed = f"{1000 * seconds / (timings[-1][0] - before):.0f} ms a step"
    return f"{short(means)}, gradients D {means[9]:.2g} G {means[10]:.2g}, {speed}" if rows else speed


def quoted(path):
    return shlex.quote(str(path))
