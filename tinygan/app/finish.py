"""The outputs of a run: pictures, curves and report.html.

Pictures are drawn at the steps of schedule.py. Curves and report.html are written with a picture if they are older than
five seconds, or if --watch shows them; and at the end. If an output cannot be written, a warning is printed, and the
training continues. If several processes train together, only process 0 writes the outputs.
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
    """Writes the outputs of a run, and prints a line at each pause.

    early, pauses: the steps of the early pictures and of the pauses. watched: whether a browser follows the run.
    """

    def __init__(self, run, training, batches, quality, log, terminal, early, pauses, watched) -> None:
        self.run, self.training, self.batches, self.quality = run, training, batches, quality
        self.log, self.terminal, self.early, self.pauses = log, terminal, early, pauses
        self.page_every = 0 if watched else PAGE_EVERY
        self.page_at = -PAGE_EVERY  # the time at which report.html was written

    @distributed.by_process_0
    def draw(self, step: int) -> None:
        """Draw the picture after `step`, and write the page if it is due. The weights must be finite."""
        with self.log.paused_timer():
            with only_warn(self.terminal, "drawing the pictures"):
                pictures.save(self.run, self.training, step)
            if time.monotonic() - self.page_at > self.page_every:
                self.log.write()  # the page shows its rows
                self.save_page()

    @distributed.by_process_0
    def update(self, step: int) -> None:
        """Draw an early picture. In a pause, also measure the quality if --evaluate-every is due, and print a line."""
        if step in self.early:
            return self.draw(step)
        if step not in self.pauses:
            return
        measured = ""
        with only_warn(self.terminal, "measuring the quality"):
            epoch = self.log.epoch(step)
            measured = self.quality.update(step, epoch, training=self.training, batches=self.batches)
        self.draw(step)
        before = max((pause for pause in self.pauses if pause < step), default=0)
        average = summary(self.log.rows, self.log.timings, before, step)
        self.terminal.say(f"step {step}/{self.run.settings.last_step}: {average}{measured}")

    @distributed.by_process_0
    def save_page(self) -> None:
        """Draw the curves and write report.html."""
        with only_warn(self.terminal, "drawing the curves"):
            pictures.save_curves(self.run, self.log.rows, self.quality.rows)
        with only_warn(self.terminal, "writing report.html"):
            report.save(self.run, self.training)
        self.page_at = time.monotonic()

    @distributed.by_process_0
    def finish(self, step: int) -> None:
        """Write the animation and the last outputs, and print where they are. On toy data, also rate the samples."""
        score = ""
        with only_warn(self.terminal, "drawing the pictures"):
            if step not in self.run.pictures():
                pictures.save(self.run, self.training, step)
        with only_warn(self.terminal, "drawing the animation"):
            pictures.save_animation(self.run)
        with only_warn(self.terminal, "drawing the last samples"):
            if self.run.settings.points:
                score = toy_score(self.run, self.training)
            else:
                interpolation.save(self.run, self.training)
        self.save_page()
        self.terminal.say(f"{score}the page of the run is {self.run.folder / 'report.html'}")
        if step >= self.run.settings.last_step:
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
