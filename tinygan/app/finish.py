"""What a run leaves at the end of each epoch, and at its own end."""

from .. import backend, data
from . import interpolation, pictures, report
from .errors import only_warn
from .terminal import summary


def finish_epoch(run, training, batches, quality, log, terminal, step: int, epoch: int, epochs: int) -> None:
    """Measure the quality if that is due, draw the pictures and the report, and say how the epoch went."""
    measured = quality.update(step, epoch, training=training, batches=batches)
    with only_warn(terminal, "drawing the pictures"):
        pictures.save(run, training, log.rows, quality.rows, epoch)
        report.save(run, training)
    terminal.say(f"epoch {epoch}/{epochs}: {summary(log.rows, log.timings, epoch)}{measured}")


def finish_run(run, training, terminal) -> None:
    """Draw what shows the whole run, and say where it is; for a toy world, also how good the samples are."""
    score = f"{toy_score(run, training)}; " if run.settings.points else ""
    with only_warn(terminal, "drawing the pictures"):
        pictures.save_animation(run)
        if not run.settings.points:
            interpolation.save(run, training)
        report.save(run, training)
    terminal.say(f"{score}everything is on one page: {run.folder / 'report.html'}")
    terminal.done(run)


def toy_score(run, training) -> str:
    """Return how many modes of a toy world are covered, and the share of good samples, in words."""
    latent = backend.RNG((run.settings.seed, 2)).normal((2500, training.gan.latent_size))
    covered, modes, good = data.toy.judge(run.settings.data, backend.to_host(training.sample(latent)))
    return f"{covered} of {modes} modes covered, {good:.0%} good samples"
