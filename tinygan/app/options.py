"""The options of train.py, each with its unit and default."""

import argparse
import contextlib
import sys

from ..gan.losses import LOSSES
from ..gan.penalties import PENALTIES
from ..gan.presets import PRESETS, default_penalty_weight, for_data
from .settings import FIELDS, OPTION_FIELDS, whole

DEFAULT = "cgan"
UNLABELLED = "dcgan"  # the default where there are neither labels nor groups
FEW, AUGMENT = 2000, 0.5  # with fewer images than this, augmentation of this probability
GROUPS = 40  # that take the place of classes where there are no labels; fewer for small data
WITH_RESUME = {
    "resume",
    "data",
    "skip_broken",
    "device",
    "threads",
    "no_graph",
    "epochs",
    "max_steps",
    "evaluate_every",
    "quiet",
    "debug",
    "watch",
}  # these may change in a run


LIMITS = {  # of the options: (whether a value is valid, what it must be)
    **FIELDS,
    **OPTION_FIELDS,
    "epochs": whole(1, 100_000),
    "max_steps": whole(1, 10**12),
    "evaluate_every": whole(1, 10**9),
    "threads": whole(1, 1024),
    "size": whole(8, 256),
    "groups": (lambda k: k == 0 or 2 <= k <= 256, "0, or a whole number from 2 to 256"),
}


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the description; puts each option on one line if there is room."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=26)


def parse(description, words=None):
    """Return the arguments of the program, from `words` or its command line. A wrong one ends it with a sentence."""
    parser = argparse.ArgumentParser(description=description, formatter_class=Help, usage="%(prog)s [options]")
    run = parser.add_argument_group("the run").add_argument
    names = f"{', '.join(PRESETS)} (default: {DEFAULT}, and {UNLABELLED} without labels or groups)"
    run("--preset", choices=PRESETS, metavar="NAME", help=names)
    folder = "folder of images or IDX files, or ring, grid, spiral; of a resumed run: where it is now (default: MNIST)"
    run("--data", type=path, metavar="DIR", help=folder)
    size = "pixels along a side of image files (default: 28 if none is larger, else 32)"
    run("--size", type=number("size", int), metavar="N", help=size)
    run("--skip-broken", action="store_true", default=None, help="leave out image files that are damaged (default: no)")
    run("--no-labels", action="store_true", default=None, help="do not use the labels of the data (default: use them)")
    groups = f"groups of similar images in place of labels; 0: none (default: {GROUPS} where there are no labels)"
    run("--groups", type=number("groups", int), metavar="K", help=groups)
    run("--epochs", type=number("epochs", int), metavar="N", help="passes over the data (default: the preset's)")
    steps = "stop after this many steps in all (default: no)"
    run("--max-steps", type=number("max_steps", int), metavar="N", help=steps)
    run("--seed", type=number("seed", int), metavar="N", help="seed of weights, noise and order (default: 0)")
    run(
        "--evaluate-every",
        type=number("evaluate_every", int),
        metavar="N",
        help="epochs between measurements of quality (default: never)",
    )
    run("--out", type=path, metavar="DIR", help="folder of the run (default: runs/<preset>-<date>-<n>)")
    run("--resume", type=path, metavar="RUN", help="go on with the run in this folder (default: a new run)")
    from_run = "begin with the weights of this run, and its preset (default: random weights)"
    run("--from", type=path, metavar="RUN", dest="from_run", help=from_run)
    machine = parser.add_argument_group("machine and terminal").add_argument
    machine("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:N (default: auto, cuda if it works)")
    machine(
        "--threads",
        type=number("threads", int),
        metavar="N",
        help="CPU threads of a process (default: OMP_NUM_THREADS, or its share of the cores)",
    )
    machine(
        "--no-graph", action="store_true", default=None, help="on CUDA, launch each kernel from Python (default: no)"
    )
    machine(
        "--quiet",
        action="store_true",
        default=None,
        help="print only the folder of the run, and warnings (default: no)",
    )
    watch = "serve the run's page on 127.0.0.1, where it renews itself (default: no)"
    machine("--watch", action="store_true", default=None, help=watch)
    machine("--debug", action="store_true", default=None, help="print the traceback of an error (default: no)")
    add_parts(parser.add_argument_group(f"parts of the preset (default: its own; here that of {DEFAULT})").add_argument)
    args = parser.parse_args(words)
    given = [key for key, value in vars(args).items() if value is not None and key not in WITH_RESUME]
    if args.resume and given:
        names = ", ".join(
            f"--{key.removesuffix('_size').removesuffix('_run')}" if key in ("latent_size", "from_run") else f"--{key}"
            for key in given
        )
        parser.error(f"a resumed run keeps its settings: {names.replace('_', '-')} cannot change")
    args.arguments = tuple(sys.argv[1:] if words is None else words)
    return args


def add_parts(part):
    """Add the options that replace a field of the preset."""
    own, flag = PRESETS[DEFAULT], argparse.BooleanOptionalAction
    images = f"images in a step, of all processes ({own.batch_size})"
    part("--batch-size", type=number("batch_size", int), metavar="N", help=images)
    part("--lr", type=number("lr", float), metavar="X", help=f"learning rate of Adam ({own.lr})")
    part(
        "--decay", action=flag, help=f"the learning rate falls to zero over the budget ({'yes' if own.decay else 'no'})"
    )
    latent = f"length of the latent vector ({own.latent_size})"
    part("--latent", type=number("latent_size", int), metavar="N", dest="latent_size", help=latent)
    part("--loss", choices=LOSSES, metavar="NAME", help=f"{', '.join(LOSSES)} ({own.loss})")
    part("--saturating", action=flag, help="G minimises log(1 - D(G(z))), the first form (no)")
    smoothing = f"D's target for real images; 0.9 is one-sided label smoothing ({own.real_label:g})"
    part("--real-label", type=number("real_label", float), metavar="P", help=smoothing)
    wrong = f"weight in D's loss of real images with a wrong label ({own.wrong_labels:g})"
    part("--wrong-labels", type=number("wrong_labels", float), metavar="W", help=wrong)
    part("--dropout", type=number("dropout", float), metavar="P", help=f"dropout probability in D ({own.dropout:g})")
    part("--spectral-norm", action=flag, help="spectral norm on every layer of D (no)")
    part("--penalty", type=penalty, metavar="NAME[:W]", help=f"on D's gradient: none, {', '.join(PENALTIES)} (none)")
    few = f"a probability; 0: none (0, and {AUGMENT} for fewer than {FEW} images)"
    part("--augment", type=number("augment", float), metavar="P", help=f"random changes to images before D, {few}")
    part("--n-critic", type=number("n_critic", int), metavar="N", help=f"steps of D for each of G ({own.n_critic})")
    ema = f"half-life of G's average, images; 0: none ({own.ema:g})"
    part("--ema", type=number("ema", float), metavar="N", help=ema)


def chosen_preset(args, dataset, origin=None, grouped=False):
    """Return the name of the preset for this data, and the preset with the chosen options.

    origin: settings of another run, or None; of the same preset, its options are the default. grouped: the classes are
    groups of similar images. Their bounds are arbitrary, so a "wrong" group is not wrong enough for D to learn from.
    """
    shape = dataset.images.shape[1:]
    name = args.preset or (DEFAULT if dataset.classes > 1 else UNLABELLED)
    base = origin.preset if origin and origin.name == name else for_data(PRESETS[name], shape)
    fields = {key: value for key, value in vars(args).items() if key in PRESETS[name]._fields and value is not None}
    if len(shape) == 3 and len(dataset.images) < FEW and not base.augment:
        fields.setdefault("augment", AUGMENT)
    if args.penalty:
        kind, weight = args.penalty
        fields["penalty"], fields["penalty_weight"] = kind, weight or default_penalty_weight(kind, shape)
    if args.loss and not LOSSES[args.loss].supports_label_smoothing:
        fields.setdefault("real_label", 1.0)  # the preset's own belongs to the loss that was replaced
    if grouped or args.loss not in (None, "bce"):
        fields.setdefault("wrong_labels", 0.0)
    return name, base._replace(**fields)


def number(name, kind):
    """Return a function that reads an option as `kind` and checks it like the field `name` of a run's settings."""
    is_valid, expected = LIMITS[name]

    def parse(text):
        with contextlib.suppress(ValueError):
            if is_valid(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"must be {expected}; got {text[:40]}")

    return parse


def path(text):
    """Return the path, unless it is empty: that is a variable of the shell that is not set."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError("an empty path; is a variable not set?")
    return text


def penalty(text):
    name, _, weight = text.partition(":")
    if name != "none" and name not in PENALTIES:
        raise argparse.ArgumentTypeError(f"there is no penalty {name!r}: none, {', '.join(PENALTIES)}")
    return name, number("penalty_weight", float)(weight) if weight else None
