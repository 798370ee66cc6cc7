"""What a run shows of itself: at each pause, and at its end.

An error in here becomes a warning, because the checkpoint is saved and training can go on.
Of several processes, process 0 does it, and the others wait.
"""

import json
import time

from .. import backend, data, files
from ..backend import distributed
from . import interpolation, pictures, report
from .errors import only_warn
from .schedule import PAGE_EVERY
from .terminal import summary


class Outputs:
    """Writes the pictures, the curves and the page of a run, and prints a line at each pause."""

    def __init__(self, run, training, batches, quality, log, terminal, pauses) -> None:
        self.run, self.training, self.batches, self.quality = run, training, batches, quality
        self.log, self.terminal, self.pauses = log, terminal, pauses
        self.page_at = -PAGE_EVERY  # when the page was last written

    @distributed.by_process_0
    def update(self, step: int) -> None:
        """Measure the quality if that is due, draw, and print how the steps since the last pause went."""
        epoch, epochs = self.log.epoch(step), self.log.epoch(self.run.settings.preset.steps)
        measured = ""
        with only_warn(self.terminal, "measuring the quality"):
            measured = self.quality.update(step, epoch, training=self.training, batches=self.batches)
        with only_warn(self.terminal, "drawing the pictures"):
            pictures.save(self.run, self.training, epoch)
        if time.monotonic() - self.page_at > PAGE_EVERY:
            self.save_page()
        before = max((pause for pause in self.pauses if pause < step), default=0)
        self.terminal.say(f"epoch {epoch}/{epochs}: {summary(self.log.rows, self.log.timings, before, step)}{measured}")

    @distributed.by_process_0
    def save_page(self) -> None:
        """Draw the curves and write report.html."""
        with only_warn(self.terminal, "drawing the curves"):
            pictures.save_curves(self.run, self.log.rows, self.quality.rows)
        with only_warn(self.terminal, "writing report.html"):
            report.save(self.run, self.training)
        self.page_at = time.monotonic()

    @distributed.by_process_0
    def finish(self) -> None:
        """Draw what shows the whole run, and print where it is; for a toy world, also how good the samples are."""
        score = ""
        with only_warn(self.terminal, "drawing the animation"):
            pictures.save_animation(self.run)
        with only_warn(self.terminal, "drawing the last samples"):
            if self.run.settings.points:
                score = toy_score(self.run, self.training)
            else:
                interpolation.save(self.run, self.training)
        self.save_page()
        self.terminal.say(f"{score}everything is on one page: {self.run.folder / 'report.html'}")
        self.terminal.done(self.run)


def toy_score(run, training) -> str:
    """Write metrics.json of a toy world: the modes covered, and the share of good samples. Returns them in words."""
    world, n = run.settings.data, 2500
    latent = backend.RNG((run.settings.seed, 2)).normal((n, training.gan.latent_size))
    samples, real = backend.to_host(training.sample(latent)), data.toy.load(world).images[:n]
    covered, modes, good = data.toy.judge(world, samples)
    real_covered, _, real_good = data.toy.judge(world, real)
    metrics = {
        "preset": run.settings.name, "step": int(training.steps[0]), "data": world, "modes": modes,
        "samples": {"modes": covered, "good_samples": round(good, 4)},
        "real": {"modes": real_covered, "good_samples": round(real_good, 4)},
    }  # fmt: skip
    files.write_text(run.folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return f"{covered} of {modes} modes covered, {good:.0%} good samples; "
