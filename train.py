"""Train a GAN.

    python train.py                         dcgan on MNIST, on the best device there is
    python train.py --preset vanilla        the fully connected GAN of the first paper
    python train.py --data DIR              on your own images, in IDX form
    python train.py --resume runs/...       go on with a run that was stopped (Ctrl-C saves)

What it makes goes into runs/<preset>-<date>-<n>: a sample grid for each epoch, the curves, the log, the checkpoint.
"""

import argparse
import math
import signal
import sys
import time

from tqdm import tqdm

from tinygan import backend, data
from tinygan.checkpoint import CheckpointError
from tinygan.gan import GAN, METRICS
from tinygan.presets import PRESETS
from tinygan.runs import Run, RunError

SAMPLES = 64  # images in a sample grid


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--preset", choices=PRESETS, help="which GAN (default: dcgan)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto, cuda where it works)")
    add("--epochs", type=positive(int), help="passes over the data (default: the preset's)")
    add("--max-steps", type=positive(int), help="stop after so many steps in all (default: when the epochs end)")
    add("--batch-size", type=positive(int), help="images a step (default: the preset's, 128)")
    add("--lr", type=positive(float), help="learning rate of Adam (default: the preset's, 2e-4)")
    add("--dropout", type=float, help="probability of dropout behind each activation of D (default: the preset's, 0)")
    add("--seed", type=int, help="of weights, noise and the order of the data (default: 0)")
    add("--data", metavar="DIR", help="folder with IDX files, gzipped or not (default: MNIST, which comes along)")
    add("--out", metavar="DIR", help="where the run goes (default: runs/<preset>-<date>-<n>)")
    add("--resume", metavar="RUN", help="go on with this run; only --device, --epochs, --max-steps may be given too")
    args = parser.parse_args()
    fixed = ("preset", "batch_size", "lr", "dropout", "seed", "data", "out")
    given = [f"--{name.replace('_', '-')}" for name in fixed if getattr(args, name) is not None]
    if args.resume and given:
        parser.error(f"a resumed run keeps its settings: {', '.join(given)} cannot change")
    if args.dropout is not None and not 0 <= args.dropout < 1:
        parser.error(f"--dropout takes a probability of at least 0 and less than 1; got {args.dropout}")
    if args.seed is not None and args.seed < 0:
        parser.error(f"--seed must not be negative; got {args.seed}")
    return args


def positive(kind):
    def parse(text):
        value = kind(text)
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"must be a positive number; got {text}")
        return value

    parse.__name__ = kind.__name__  # argparse says "invalid int value"
    return parse


def new_run(args, device, dataset):
    """The run folder for these arguments, with everything in its config that repeats it."""
    name = args.preset or "dcgan"
    chosen = {key: getattr(args, key) for key in Run.OVERRIDES if getattr(args, key) is not None}
    preset = PRESETS[name]._replace(**chosen)
    settings = {
        "preset": name,
        "device": device,
        "data": args.data,
        "image_shape": dataset.images.shape[1:],
        "seed": args.seed or 0,
        "max_steps": args.max_steps,
        **{key: getattr(preset, key) for key in Run.OVERRIDES},
    }
    gan = Run(".", settings).build()  # whatever cannot be built is said before a folder is made
    batches = data.Batches(dataset, preset.batch_size, settings["seed"])
    return Run.create(settings, args.out), gan, batches


def old_run(args, run, dataset):
    """The run to resume, as it was when it was saved."""
    run.settings.update({key: getattr(args, key) for key in ("epochs", "max_steps") if getattr(args, key)})
    gan = run.build()
    batches = data.Batches(dataset, run.settings["batch_size"], run.settings["seed"])
    run.load(gan=gan, batches=batches)
    return run, gan, batches


def train(args):
    device = backend.use(args.device)
    opened = Run.open(args.resume) if args.resume else None
    dataset = data.load(opened.settings["data"] if opened else args.data)
    run, gan, batches = old_run(args, opened, dataset) if opened else new_run(args, device, dataset)
    stop = stop_on_interrupt()

    per_epoch, epochs = batches.steps_per_epoch, run.settings["epochs"]
    last = min(per_epoch * epochs, run.settings["max_steps"] or math.inf)
    step = int(gan.steps[0])
    rows = run.read_log(until=step) if opened else []
    fixed_latent = backend.Generator((run.settings["seed"], 1)).normal((SAMPLES, gan.latent_size))
    print(
        f"{run.settings['preset']} on {device}: {last - step} steps of {run.settings['batch_size']}, into {run.folder}"
    )

    while step < last and not stop:
        epoch = step // per_epoch
        if step % per_epoch == 0:
            batches.start_epoch(epoch)
        until = min(per_epoch * (epoch + 1), last)
        started, began = time.perf_counter(), step
        title = f"epoch {epoch + 1}/{epochs}"
        with tqdm(total=until - began, desc=title, unit="step", leave=False, disable=None) as bar:
            while step < until and not stop:
                gan.step(batches.next())
                step += 1
                bar.update()
                if step % GAN.HISTORY == 0:  # the device is asked now and then only: each answer makes it wait
                    means = backend.to_host(gan.history.mean(0)).tolist()
                    if not all(map(math.isfinite, means)):
                        raise TrainingError(f"a loss is no longer a number at step {step}: try a smaller --lr")
                    rows.append((step, epoch + 1, *means))
                    bar.set_postfix({name: f"{mean:.2f}" for name, mean in zip(METRICS, means)})
        run.write_log(rows)
        run.save(gan=gan, batches=batches)
        if step == until:
            run.save_pictures(gan, fixed_latent, rows, epoch + 1)
            print(summary(title, rows, epoch + 1, (time.perf_counter() - started) / (step - began)), flush=True)

    if stop:
        print(f"stopped at step {step} and saved; go on with\n    python train.py --resume {run.folder}")
        return 130
    print(f"samples are in {run.samples}; draw more with\n    python sample.py {run.folder} --n 100 --out grid.png")
    return 0


def summary(title, rows, epoch, seconds):
    """The line that stays of an epoch."""
    means = [sum(column) / len(column) for column in zip(*(row[2:] for row in rows if row[1] == epoch))]
    if not means:
        return f"{title}: too short for a line of the log; {seconds * 1000:.0f} ms a step"
    d_loss, g_loss, d_real, d_fake = means
    return (
        f"{title}: generator loss {g_loss:.3f}, discriminator loss {d_loss:.3f}, "
        f"D(x) {d_real:.2f}, D(G(z)) {d_fake:.2f}, {seconds * 1000:.0f} ms a step"
    )


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
