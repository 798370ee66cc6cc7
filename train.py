"""Train a GAN.

    python train.py                              dcgan on MNIST, on the best device there is
    python train.py --preset wgan-gp             another game
    python train.py --preset r3gan --data ring   a toy world, in seconds: watch it learn, or collapse
    python train.py --data DIR                   on your own images, in IDX form
    python train.py --resume runs/...            go on with a run that was stopped (Ctrl-C saves)

What it makes goes into runs/<preset>-<date>-<n>: a sample grid for each epoch, the curves, the log, the checkpoint.
"""

import argparse
import functools
import math
import signal
import sys
import time

from tqdm import tqdm

from tinygan import backend, data
from tinygan.checkpoint import CheckpointError
from tinygan.health import METRICS, NotFinite, Watch, name_the_first_not_finite
from tinygan.losses import LOSSES
from tinygan.penalties import PENALTIES
from tinygan.presets import PRESETS, for_data, usual_weight
from tinygan.runs import OPTIONS, Run, RunError
from tinygan.training import Training


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run = parser.add_argument_group("the run").add_argument
    run("--preset", choices=PRESETS, help="which GAN (default: dcgan)")
    run("--data", metavar="DIR", help="a folder of IDX files, or ring, grid, spiral (default: MNIST, which is here)")
    run("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto, cuda where it works)")
    run("--no-graph", action="store_true", default=None, help="on CUDA, launch every kernel from Python: slower")
    run("--epochs", type=positive(int), help="passes over the data (default: as the preset's budget in steps says)")
    run("--max-steps", type=positive(int), help="stop after so many steps in all (default: at the end)")
    run("--seed", type=between(0, 2**32 - 1, int), help="of weights, noise and the order of the data (default: 0)")
    run("--out", metavar="DIR", help="where the run goes (default: runs/<preset>-<date>-<n>)")
    run("--resume", metavar="RUN", help="go on with this run; only --device, --no-graph, --epochs, --max-steps too")
    part = parser.add_argument_group("parts of the preset, each the preset's own unless given").add_argument
    part("--batch-size", type=positive(int), help="images a step")
    part("--lr", type=positive(float), help="learning rate of Adam")
    part("--latent", type=positive(int), dest="latent_size", help="numbers in a latent point")
    part("--loss", choices=LOSSES, help="what the two sides minimise")
    part(
        "--saturating", action=argparse.BooleanOptionalAction, help="G minimises log(1 - D(G(z))), the game as written"
    )
    part("--label-smoothing", type=between(0.5, 1.0), help="what D is to say of real images, such as 0.9")
    part("--dropout", type=between(0.0, 0.99), help="probability, behind each activation of D")
    part("--spectral-norm", action=argparse.BooleanOptionalAction, help="on every layer of D")
    part("--penalty", type=penalty, metavar="NAME[:WEIGHT]", help=f"on D's slope: none, {', '.join(PENALTIES)}")
    part("--n-critic", type=positive(int), help="steps of D for each of G")
    part("--ema", type=between(0.0, 1e12), help="half-life, in images, of the average of G's weights; 0 for none")
    args = parser.parse_args()
    may_change = ("device", "no_graph", "epochs", "max_steps", "resume")
    given = [key for key, value in vars(args).items() if value is not None and key not in may_change]
    kept = [f"--{key.removesuffix('_size') if key == 'latent_size' else key}".replace("_", "-") for key in given]
    if args.resume and kept:
        parser.error(f"a resumed run keeps its settings: {', '.join(kept)} cannot change")
    return args


def positive(kind):
    def parse(text):
        value = kind(text)
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"must be a positive number; got {text}")
        return value

    parse.__name__ = kind.__name__  # argparse says "invalid int value"
    return parse


def between(least, most, kind=float):
    def parse(text):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}; got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def penalty(text):
    name, _, weight = text.partition(":")
    if name != "none" and name not in PENALTIES:
        raise argparse.ArgumentTypeError(f"there is no penalty {name!r}: none, {', '.join(PENALTIES)}")
    return name, positive(float)(weight) if weight else None


def new_run(args, device, dataset):
    """A run for these arguments, with everything in its settings that repeats it, and its training and batches.

    Whatever cannot be built is said before a folder is made.
    """
    name = args.preset or "dcgan"
    shape = dataset.images.shape[1:]
    chosen = {key: getattr(args, key) for key in OPTIONS if getattr(args, key, None) is not None}
    if args.penalty:
        kind, weight = args.penalty
        chosen["penalty"], chosen["penalty_weight"] = kind, weight or usual_weight(kind, shape)
    if args.loss and not LOSSES[args.loss].takes_label:
        chosen.setdefault("label_smoothing", 1.0)  # the preset's own belongs to the loss that was replaced
    preset = for_data(PRESETS[name], shape)._replace(**chosen)
    settings = {
        "preset": name,
        "device": device,
        "data": args.data,
        "shape": shape,
        "classes": dataset.classes,
        "seed": args.seed or 0,
        "max_steps": args.max_steps,
        **{key: getattr(preset, key) for key in OPTIONS},
    }
    run = Run(".", settings)
    batches = run.batches(dataset)
    if args.epochs:
        settings["steps"] = args.epochs * batches.steps_per_epoch
    training = run.build()
    run = Run.create(settings, args.out)
    run.save(training=training, batches=batches)
    return run, training, batches


def old_run(args, device, run, dataset):
    """The run to resume, its training and batches as they were saved; its config records what is run from now on."""
    batches = run.batches(dataset)
    if args.epochs:
        run.settings["steps"] = args.epochs * batches.steps_per_epoch
    run.settings.update(max_steps=args.max_steps, device=device)
    training = run.build()
    run.load(training=training, batches=batches)
    run.write_config()
    return run, training, batches


def train(args):
    device = backend.use(args.device)
    opened = Run.open(args.resume) if args.resume else None
    dataset = data.load(opened.settings["data"] if opened else args.data)
    run, training, batches = old_run(args, device, opened, dataset) if opened else new_run(args, device, dataset)
    backend.tf32(True)
    one_step = functools.partial(training.step, batches)
    if not args.no_graph:
        one_step = backend.capture(one_step)
    stop = stop_on_interrupt()

    per_epoch = batches.steps_per_epoch
    epochs = math.ceil(run.settings["steps"] / per_epoch)
    last = min(run.settings["steps"], run.settings["max_steps"] or math.inf)
    step = int(training.steps[0])
    rows, watch = run.read_log(until=step), Watch(training.gan.loss)
    for row in rows:
        watch.see(row[2:])  # what was said before the run was stopped is not said again
    pictures = run.fixed_inputs()
    print(f"{run.settings['preset']} on {device}: {max(0, last - step)} steps, into {run.folder}", flush=True)

    while step < last and not stop:
        epoch = step // per_epoch
        if step % per_epoch == 0:
            batches.start_epoch(epoch)
        until = min(per_epoch * (epoch + 1), last)
        started, began = time.perf_counter(), step
        title = f"epoch {epoch + 1}/{epochs}"
        with tqdm(total=until - began, desc=title, unit="step", leave=False, disable=None) as bar:
            while step < until and not stop:
                one_step()
                step += 1
                bar.update()
                if step % Training.HISTORY == 0:  # the device is asked now and then only: each answer makes it wait
                    must_be_finite(training, run, dataset, step)
                    rows.append((step, epoch + 1, *backend.to_host(training.history.mean(0)).tolist()))
                    bar.set_postfix_str(short(rows[-1]))
                    for failure in watch.see(rows[-1][2:]):
                        tqdm.write(f"step {step}: {failure}")
        seconds = time.perf_counter() - started
        must_be_finite(training, run, dataset, step)  # the last good checkpoint stays
        run.save(training=training, batches=batches)
        run.write_log(rows)
        if step == until:
            run.save_pictures(training, pictures, rows, epoch + 1)
            milliseconds = 1000 * seconds / (until - began)
            print(f"{title}: {summary(rows, epoch + 1)}, {milliseconds:.0f} ms a step", flush=True)

    if stop:
        print(f"stopped at step {step} and saved; go on with\n    python train.py --resume {run.folder}")
        return 130
    finish(run, training)
    return 0


def must_be_finite(training, run, dataset, step):
    """Raises TrainingError when a metric or a weight is not a finite number, naming the operation where it began."""
    if training.is_finite():
        return
    training, batches = run.build(), run.batches(dataset)
    run.load(training=training, batches=batches)
    where = "it did not come back when the steps since the last checkpoint were repeated"
    try:
        with name_the_first_not_finite():
            for at in range(int(training.steps[0]), step):
                if at % batches.steps_per_epoch == 0:
                    batches.start_epoch(at // batches.steps_per_epoch)
                training.step(batches)
    except NotFinite as error:
        where = f"at step {at + 1} {error}"
    raise TrainingError(
        f"the numbers are no longer finite: {where}. The last checkpoint in {run.folder} is whole; try a smaller --lr"
    )


def short(row):
    """The numbers of a log row for the bar: D's beside G's, real beside generated; the rest is in log.csv."""
    m = dict(zip(METRICS, row[2:]))
    return (
        f"loss {m['d_loss']:.2f} {m['g_loss']:.2f}, D(x) {m['d_real']:.2f}, D(G(z)) {m['d_fake']:.2f} then "
        f"{m['d_fake_after']:.2f}, right {m['accuracy_real']:.2f} {m['accuracy_fake']:.2f}, "
        f"gradients {m['d_gradient']:.2g} {m['g_gradient']:.2g}, penalty {m['penalty']:.2g}, spread {m['spread']:.1f}"
    )


def summary(rows, epoch):
    """The means of an epoch."""
    of_epoch = [row[2:] for row in rows if row[1] == epoch]
    if not of_epoch:
        return "too short for a line of the log"
    d_loss, g_loss, d_real, d_fake = [sum(column) / len(of_epoch) for column in zip(*of_epoch)][:4]
    return f"generator loss {g_loss:.3f}, discriminator loss {d_loss:.3f}, D(x) {d_real:.2f}, D(G(z)) {d_fake:.2f}"


def finish(run, training):
    """The animation, the score of a toy world, and what to do next."""
    run.save_animation()
    if len(run.settings["shape"]) == 1:
        latent = backend.Generator((run.settings["seed"], 2)).normal((2500, training.gan.latent_size))
        covered, modes, good = data.toy.judge(run.settings["data"], backend.to_host(training.sample(latent)))
        print(f"{covered} of {modes} modes covered, {good:.0%} good samples; watch {run.folder}/progress.gif")
    else:
        print(f"samples are in {run.samples}; draw more with\n    python sample.py {run.folder} --n 100 --out grid.png")


def stop_on_interrupt():
    """A list that is empty until Ctrl-C: the step under way is finished, then the run is saved. A second one kills."""
    stop = []

    def interrupt(signum, frame):
        stop.append(signum)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, interrupt)
    return stop


if __name__ == "__main__":
    try:
        sys.exit(train(arguments()))
    except (backend.DeviceError, CheckpointError, RunError, TrainingError, ValueError, OSError) as error:
        sys.exit(f"train.py: {error}")
    except KeyboardInterrupt:
        sys.exit("train.py: interrupted; what was saved last is whole")
