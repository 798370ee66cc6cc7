"""Train a GAN.

    python train.py                              cgan on MNIST
    python train.py --preset r3gan --data ring   a toy world of points
    python train.py --data DIR                   your own images
    python train.py --resume runs/...            go on with a run

Into runs/<preset>-<date>-<n> go samples of each epoch, curves, log, settings,
checkpoints. Ctrl-C saves; a kill costs about a minute of work.
"""

import errno
import functools
import math
import signal
import sys
import time

from tinygan import backend, data
from tinygan.app import interpolation, report
from tinygan.app.options import chosen_preset, parse
from tinygan.app.quality import Quality
from tinygan.app.runs import OPTIONS, Run, RunError
from tinygan.app.terminal import Terminal, short, summary
from tinygan.gan.health import FailureMonitor, NotFinite, detect_anomaly
from tinygan.gan.training import Training

SAVE_EVERY = 60.0  # seconds between checkpoints within an epoch


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why."""


def new_run(args, device, dataset):
    """A run for these arguments, with everything in its settings that repeats it; its training, batches and quality.

    Whatever cannot be built is said before a folder is made.
    """
    name, preset = chosen_preset(args, dataset)
    settings = {
        "preset": name,
        "arguments": sys.argv[1:],
        "device": device,
        "data": args.data,
        "shape": dataset.images.shape[1:],
        "classes": dataset.classes,
        "seed": args.seed or 0,
        "max_steps": args.max_steps,
        "evaluate_every": args.evaluate_every,
        **{key: getattr(preset, key) for key in OPTIONS},
    }
    run = Run(".", settings)
    batches = run.batches(dataset)
    if args.epochs:
        settings["steps"] = args.epochs * batches.steps_per_epoch
    training, quality = run.build(), Quality(settings, dataset)
    return Run.create(settings, args.out, training=training, batches=batches), training, batches, quality


def old_run(args, device, dataset, run):
    """The run to resume, its training and batches as they were saved, and its quality; its config records what is run
    from now on."""
    run.claim()
    if [*dataset.images.shape[1:], dataset.classes] != [*run.settings["shape"], run.settings["classes"]]:
        raise RunError(f"{run.folder} was trained on data of another shape, or with other classes, than {dataset.name}")
    batches = run.batches(dataset)
    if args.epochs:
        run.settings["steps"] = args.epochs * batches.steps_per_epoch
    run.settings.update(max_steps=args.max_steps, device=device)
    run.settings["evaluate_every"] = args.evaluate_every or run.settings.get("evaluate_every")
    training = run.build()
    run.load(training=training, batches=batches)
    quality = Quality(run.settings, dataset)
    run.write_config()
    return run, training, batches, quality


def train(args):
    """The whole of it. Returns what the program is to exit with."""
    terminal = Terminal(args.quiet)
    device = backend.use(args.device)
    backend.tune(args.threads)
    opened = Run.open(args.resume) if args.resume else None
    dataset = data.load(opened.settings["data"] if opened else args.data)
    begin = functools.partial(old_run, run=opened) if opened else new_run
    run, training, batches, quality = begin(args, device, dataset=dataset)
    backend.tf32(True)
    one_step = functools.partial(training.step, batches)
    if not args.no_graph:
        one_step = backend.capture(one_step)
    stop = stop_when_asked()

    per_epoch = batches.steps_per_epoch
    epochs = math.ceil(run.settings["steps"] / per_epoch)
    last = min(run.settings["steps"], run.settings["max_steps"] or math.inf)
    step = int(training.steps[0])
    log, timings = run.read_rows(until=step)
    run.write_rows(log, timings)  # without what came after the checkpoint: it is done again
    quality.start(run, step)
    journal = Journal(log, FailureMonitor(training.gan.loss))
    pictures = run.fixed_inputs()
    terminal.start(run, training, dataset, f"{max(0, last - step)} to go until {last}, {per_epoch} an epoch")

    while step < last and not stop:
        epoch = step // per_epoch
        if step % per_epoch == 0:
            batches.start_epoch(epoch)
        until = min(per_epoch * (epoch + 1), last)
        title, started = f"epoch {epoch + 1}/{epochs}", time.perf_counter()
        with terminal.bar(title, step - per_epoch * epoch, until - per_epoch * epoch) as bar:
            while step < until and not stop and journal.finite:
                one_step()
                step += 1
                bar.update()
                if step % Training.HISTORY == 0:
                    journal.ask(training, step, epoch + 1)
                    journal.take(terminal, bar)
                    if time.perf_counter() - started > SAVE_EVERY:
                        break
            journal.take(terminal, bar, wait=True)
        if not (journal.finite and training.is_finite()):
            raise TrainingError(not_finite(run, dataset, step))  # the last good checkpoint stays
        timings.append((step, epoch + 1, round(time.perf_counter() - started, 3)))
        run.write_rows(log, timings)
        if step == until:
            measured = quality.see(step, epoch + 1, training=training, batches=batches)
            run.save_pictures(training, pictures, log, quality.rows, epoch + 1)
            report.save(run)
            terminal.say(f"{title}: {summary(log, timings, epoch + 1)}{measured}")
        run.save(training=training, batches=batches)  # last: without it, all that was written above is written again

    if stop:
        terminal.stopped(run, step)
        return 128 + stop[0]  # 130 after Ctrl-C, 143 after SIGTERM
    terminal.say(finish(run, training))
    terminal.done(run)
    return 0


class Journal:
    """The rows of log.csv. The device is asked for one now and then, and not waited for: it is taken when it is there.

    log: the rows so far. finite: whether all that came was.
    """

    def __init__(self, log, watch):
        self.log, self.watch, self.coming, self.finite = log, watch, [], True
        for row in log:
            watch.update(row[2:])  # what was said before the run was stopped is not said again

    def ask(self, training, step, epoch):
        self.coming.append((step, epoch, backend.AsyncCopy(training.report())))

    def take(self, terminal, bar, wait=False):
        """Add the rows that have come, all that were asked for if we wait; show the last, and say what it says."""
        while self.coming and (wait or self.coming[0][2].ready()):
            step, epoch, transfer = self.coming.pop(0)
            *metrics, finite = transfer.get().tolist()
            self.log.append((step, epoch, *metrics))
            self.finite = self.finite and finite == 1
            bar.set_postfix_str(short(self.log[-1]))
            for failure in self.watch.update(metrics):
                terminal.warn(f"step {step}: {failure}")


def not_finite(run, dataset, step):
    """Why a number is no longer finite at this step: the operation where it began, found by going there again."""
    training, batches = run.build(), run.batches(dataset)
    run.load(training=training, batches=batches)
    where = "it did not come back when the steps since the last checkpoint were repeated"
    try:
        with detect_anomaly():
            for at in range(int(training.steps[0]), step):
                if at % batches.steps_per_epoch == 0:
                    batches.start_epoch(at // batches.steps_per_epoch)
                training.step(batches)
    except NotFinite as error:
        where = f"at step {at + 1} {error}"
    return (
        f"the numbers are no longer finite: {where}. The last checkpoint in {run.folder} is whole; try a smaller --lr"
    )


def finish(run, training):
    """What is made of a run at its end. Returns what to say of it: the score of a toy world, or where the report is."""
    run.save_animation()
    if len(run.settings["shape"]) > 1:
        interpolation.save(run, training)
    report.save(run)
    page = f"all of it is on one page: {run.folder / 'report.html'}"
    return f"{judged(run, training)}; {page}" if len(run.settings["shape"]) == 1 else page


def judged(run, training):
    """The score of a toy world."""
    latent = backend.RNG((run.settings["seed"], 2)).normal((2500, training.gan.latent_size))
    covered, modes, good = data.toy.judge(run.settings["data"], backend.to_host(training.sample(latent)))
    return f"{covered} of {modes} modes covered, {good:.0%} good samples"


def stop_when_asked():
    """A list that is empty until Ctrl-C or SIGTERM: the step under way is finished, then the run is saved.

    A second one stops at once.
    """
    stop = []

    def ask(signum, frame):
        stop.append(signum)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stop


def main():
    args = parse(__doc__)
    try:
        return train(args)
    except KeyboardInterrupt:
        print("train.py: interrupted; what was saved last is whole", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return f"train.py: {in_words(error)}"


def in_words(error):
    """An error as a sentence."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        then = ". What was saved before is whole: make room, and go on with --resume" if full else ""
        return f"{where}{error.strerror}{then}"
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error}): try a smaller --batch-size or --latent"
    if isinstance(error, ValueError | RuntimeError):  # those of this project speak for themselves
        return str(error)
    return f"{type(error).__name__}: {error} (--debug shows where)"


if __name__ == "__main__":
    sys.exit(main())
