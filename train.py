"""Train a GAN.

    python train.py                              cgan on MNIST
    python train.py --preset r3gan --data ring   a toy world of points
    python train.py --data DIR                   your own images
    python train.py --resume runs/...            go on with a run
    python train.py --from runs/... --data DIR   begin with its weights
    python train.py --watch                      follow it in a browser

The folder runs/<preset>-<date>-<n> gets samples of each epoch, curves, a log,
settings and checkpoints. Ctrl-C saves; a kill costs about a minute of work.
"""

import functools
import math
import sys

from tinygan import backend
from tinygan.app import report, watch
from tinygan.app.errors import in_words, not_finite
from tinygan.app.finish import finish_epoch, finish_run
from tinygan.app.log import Log
from tinygan.app.options import parse
from tinygan.app.signals import stop_on_signals
from tinygan.app.start import new_run, resumed_run
from tinygan.app.terminal import Terminal

SAVE_EVERY = 60.0  # seconds between checkpoints within an epoch


def train(args) -> int:
    """Train as the arguments say. Returns the exit status of the program."""
    backend.use(args.device)
    backend.tune(args.threads)
    backend.tf32(True)
    terminal = Terminal(args.quiet)
    run, dataset, training, batches, quality = resumed_run(args) if args.resume else new_run(args)
    one_step = functools.partial(training.step, batches)  # the game is in tinygan/gan/gan.py
    if not args.no_graph:
        one_step = backend.capture(one_step)
    stop = stop_on_signals()

    per_epoch, step, last = batches.steps_per_epoch, int(training.steps[0]), run.settings.last_step
    epochs = math.ceil(run.settings.preset.steps / per_epoch)
    log = Log(run, training, terminal)
    terminal.start(run, training, dataset, f"{max(0, last - step)} to go until {last}, {per_epoch} an epoch")
    if args.watch:
        terminal.say(f"watch    {watch.serve(run, training)}")

    while step < last and not stop:
        epoch = step // per_epoch + 1
        first, end = per_epoch * (epoch - 1), min(per_epoch * epoch, last)
        if step == first:
            batches.start_epoch(epoch - 1)  # shuffle the images
        log.start_timer()
        with terminal.bar(f"epoch {epoch}/{epochs}", step - first, end - first) as bar:
            while step < end and not stop and log.finite:
                one_step()
                step += 1
                bar.update()
                if step % training.HISTORY == 0:
                    log.request(step, epoch)
                    log.collect(bar)
                    if log.seconds() > SAVE_EVERY:
                        break
            log.collect(bar, wait=True)
        if not (log.finite and training.is_finite()):
            raise not_finite(run, dataset, step)
        log.save(step, epoch)
        if step == end:
            finish_epoch(run, training, batches, quality, log, terminal, step, epoch, epochs)
        elif args.watch:
            report.save(run, training)
        run.save(training=training, batches=batches)  # last: a kill before it only repeats the outputs above

    if stop:
        terminal.stopped(run, step)
        return 128 + stop[0]  # 130 after Ctrl-C, 143 after SIGTERM
    finish_run(run, training, terminal)
    if args.watch:
        watch.linger()
    return 0


def main() -> int | str:
    """Run the program; an error becomes one sentence."""
    args = parse(__doc__)
    try:
        return train(args)
    except KeyboardInterrupt:
        print("train.py: interrupted; the last checkpoint is whole", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        return f"train.py: {in_words(error)}"


if __name__ == "__main__":
    sys.exit(main())
