"""Train a GAN.

    python train.py                              cgan on MNIST
    python train.py --preset r3gan --data ring   a toy world of points
    python train.py --data DIR                   your own images
    python train.py --resume runs/...            go on with a run
    python train.py --from runs/... --data DIR   begin with its weights
    python train.py --watch                      follow it in a browser
    mpiexec -n 4 python train.py                 four processes train as one

The folder runs/<preset>-<date>-<n> gets samples of up to 40 epochs, curves, a
log, settings and checkpoints. Ctrl-C saves; a kill costs a minute of work.
"""

import functools
import sys

from tinygan import backend
from tinygan.app import agreement, schedule, watch
from tinygan.app.errors import not_finite, run_program
from tinygan.app.finish import Outputs
from tinygan.app.log import Log
from tinygan.app.options import parse
from tinygan.app.signals import stop_on_signals
from tinygan.app.start import new_run, resumed_run
from tinygan.app.terminal import Terminal, say
from tinygan.backend import distributed


def train(args) -> int:
    """Train as the arguments say. Returns the exit status of the program."""
    distributed.start()  # if mpiexec started several processes, each takes a share of every batch
    backend.use(args.device)
    backend.tune(args.threads)
    backend.tf32(True)
    terminal = Terminal(args.quiet)
    run, dataset, training, batches, quality = resumed_run(args) if args.resume else new_run(args)
    agreement.check(run, training=training, batches=batches)
    one_step = functools.partial(training.step, batches)  # the game is in tinygan/gan/gan.py
    if not args.no_graph:
        one_step = backend.capture(one_step)
    stop = stop_on_signals()

    per_epoch, step, last = batches.steps_per_epoch, int(training.steps[0]), run.settings.last_step
    pauses = schedule.pauses(run.settings, per_epoch)  # after each epoch, or after some if there are many
    log = Log(run, training, terminal, per_epoch)
    outputs = Outputs(run, training, batches, quality, log, terminal, pauses)
    terminal.start(run, training, dataset, f"{max(0, last - step)} to go until step {last}, {per_epoch} per epoch")
    if args.watch:
        say(f"watch    {watch.serve(run, training)}")

    while True:
        if step in pauses:  # this step was saved; a run that is killed while it draws draws again when it is resumed
            outputs.update(step)
        if step >= last or stop():
            break
        end = next(pause for pause in pauses if pause > step)
        log.start_timer()
        with terminal.bar(step, end, per_epoch) as bar:
            while step < end and not stop():
                if step % per_epoch == 0:
                    batches.start_epoch(step // per_epoch)  # shuffle the images
                one_step()
                step += 1
                bar.update()
                if step % training.HISTORY == 0:
                    log.request(step)
                    log.collect(bar)
                    if distributed.largest(not log.finite or log.seconds() > schedule.SAVE_EVERY):
                        break  # of all processes; after saving, training goes on to the same pause
            log.collect(bar, wait=True)
        if not (log.finite and training.is_finite()):
            raise not_finite(run, dataset, step)
        agreement.check(run, training=training, batches=batches)
        log.save(step)
        run.save(training=training, batches=batches)
        if args.watch and step not in pauses:
            outputs.save_page()

    if step < last:
        terminal.stopped(run, step)
        return 128 + stop()  # 130 after Ctrl-C, 143 after SIGTERM
    outputs.finish()
    if args.watch:
        watch.linger()
    return 0


def main() -> int | str:
    """Run the program; an error becomes one sentence."""
    distributed.mute_others()
    return run_program("train.py", train, parse(__doc__))


if __name__ == "__main__":
    sys.exit(main())
