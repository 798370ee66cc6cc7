"""The outputs of a run: pictures, curves and report.html.

A picture is written at each pause of the training (schedule.py). Curves and report.html are written at the end, and at
a pause if they are older than ten seconds. If an output cannot be written, a warning is printed, and the training
continues. If several processes train together, only process 0 writes the outputs.
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
    """Writes the outputs of a run, and prints a line at each pause. pauses: the steps after which there is a pause."""

    def __init__(self, run, training, batches, quality, log, terminal, pauses) -> None:
        self.run, self.training, self.batches, self.quality = run, training, batches, quality
        self.log, self.terminal, self.pauses = log, terminal, pauses
        self.page_at = -PAGE_EVERY  # the time at which report.html was written

    @distributed.by_process_0
    def update(self, step: int) -> None:
        """Measure the quality if --evaluate-every is due, write the outputs after `step`, and print a line."""
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
        """Write the animation and the last outputs, and print where they are. On toy data, also rate the samples."""
        score = ""
        with only_warn(self.terminal, "drawing the animation"):
            pictures.save_animation(self.run)
        with only_warn(self.terminal, "drawing the last samples"):
            if self.run.settings.points:
                score = toy_score(self.run, self.training)
            else:
                interpolation.save(self.run, self.training)
        self.save_page()
        self.terminal.say(f"{score}the page of the run is {self.run.folder / 'report.html'}")
        self.terminal.done(self.run)


def toy_score(run, training) -> str:
    """Write metrics.json for toy data: covered modes, and the fraction of good samples. Return them as text."""
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
