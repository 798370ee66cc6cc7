"""Train a GAN.

    python train.py                              cgan on MNIST
    python train.py --preset r3gan --data ring   toy data: points in the plane
    python train.py --data DIR                   your own images
    python train.py --resume runs/...            continue a run
    python train.py --from runs/... --data DIR   begin with the weights of a run
    python train.py --watch                      follow the run in a browser
    mpiexec -n 4 python train.py                 train with four processes

The folder runs/<preset>-<date>-<n> gets pictures of samples, curves, the page
report.html, a log, the settings and checkpoints. Ctrl-C saves the run and ends
the program. If the program is killed, --resume repeats at most about a minute
of training.
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
from tinygan.app.terminal import Terminal
from tinygan.backend import distributed


def train(args) -> int:
    """Train with the options `args`. Returns the exit status of the program.

    The training is divided into rounds. A round ends at the next pause, or after about a minute. Then a checkpoint is
    saved. In a pause, pictures, curves and report.html are written. A short run has a pause after each epoch, a long
    run only after some epochs. In the first epoch, pictures are drawn at a few more steps, without a checkpoint.
    """
    distributed.start()  # connect the processes of mpiexec; each process computes a part of every batch
    backend.use(args.device)
    backend.tune(args.threads)
    backend.tf32(True)
    terminal = Terminal(args.quiet)
    run, dataset, training, batches, quality = resumed_run(args) if args.resume else new_run(args)
    agreement.check(run.settings, training=training, batches=batches)  # do all processes have the same weights?
    one_step = functools.partial(training.step, batches)  # this calls GAN.step in tinygan/gan/gan.py
    if not args.no_graph:
        one_step = backend.capture(one_step)  # on CUDA, replay a step as one graph
    stop = stop_on_signals()  # stop() is 0 until a signal such as Ctrl-C

    per_epoch, step, last = batches.steps_per_epoch, int(training.steps[0]), run.settings.last_step
    pauses = schedule.pauses(run.settings, per_epoch)  # the steps after which there is a pause
    early = schedule.early(run.settings, per_epoch)  # the steps of the first pictures, before the first pause
    log = Log(run, training, terminal, per_epoch)  # metrics, for log.csv and the progress bar
    outputs = Outputs(run, training, batches, quality, log, terminal, early, pauses, args.watch)  # pictures, the page
    terminal.start(run, training, dataset, f"{max(0, last - step)} to go until step {last}, {per_epoch} per epoch")
    server = watch.serve(run, training) if args.watch else None

    while True:
        outputs.update(step)  # if it is in `early` or `pauses`; the checkpoint of a pause is saved already
        if step >= last or stop():
            break
        end = next(pause for pause in pauses if pause > step)
        log.start_timer()
        with terminal.bar(step, last) as bar:
            while step < end and not stop():
                if step % per_epoch == 0:
                    batches.start_epoch(step // per_epoch)  # shuffle the images
                one_step()
                step += 1
                bar.update()
                if step % training.HISTORY == 0 and log.update(step, bar):
                    break  # a minute has passed, or a number is not finite
                if step in early and log.collect(bar):  # on a GPU, this waits for the device
                    outputs.draw(step)
            log.collect(bar)
        if not (log.finite and training.is_finite()):
            raise not_finite(run, dataset, step)
        agreement.check(run.settings, training=training, batches=batches)
        log.save(step)
        run.save(training=training, batches=batches)  # the checkpoint
        if args.watch and step not in pauses:
            outputs.save_page()

    if step < last:
        terminal.stopped(run, step)
    outputs.finish(step)
    if server:
        server.linger()
    return 128 + stop() if step < last else 0  # 130 after Ctrl-C, 143 after SIGTERM


def main() -> int | str:
    """Run the program. An error is printed as one sentence."""
    distributed.mute_others()
    return run_program("train.py", train, parse(__doc__))


if __name__ == "__main__":
    sys.exit(main())
