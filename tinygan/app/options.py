"""The options of train.py, each with its unit and default."""

import argparse
import contextlib
import difflib
import sys

from ..gan.losses import LOSSES
from ..gan.penalties import PENALTIES
from ..gan.presets import PRESETS, default_penalty_weight, for_data
from .settings import FIELDS, OPTION_FIELDS, whole

DEFAULT = "cgan"  # the default preset
UNLABELLED = "dcgan"  # the default preset for data without labels and without groups
FEW, AUGMENT = 2000, 0.5  # for fewer than FEW images, the default probability of augmentation is AUGMENT
GROUPS = 40  # the default number of groups for data without labels; small data have fewer groups
WITH_RESUME = {  # options that can be used together with --resume
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
}


LIMITS = {  # option: (a function that returns whether a value is valid, a text that says which values are valid)
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


class Parser(argparse.ArgumentParser):
    """Accepts only whole names of options. For another name, the error says which option is most like it."""

    def __init__(self, description, **options):
        super().__init__(description=description, formatter_class=Help, allow_abbrev=False, **options)

    def parse_args(self, words=None):
        args, others = self.parse_known_args(words)
        first = others[0] if others else ""
        if first.startswith("-"):
            name = first.partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            self.error(f"there is no option {name}{nearest(name, known)}")
        if first:
            hint = f"; did you mean --preset {first}?" if first in PRESETS else ""
            self.error(f"unexpected word {first!r}{hint}")
        return args


def nearest(name, known):
    """Return "; did you mean ...?" with the name in `known` that begins with `name` or is most like it, or ""."""
    alike = [each for each in known if each.startswith(name)] or difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {alike[0]}?" if alike else ""


def parser(description):
    """Return the Parser of train.py."""
    parser = Parser(description, usage="%(prog)s [options]")
    run = parser.add_argument_group("the run").add_argument
    names = f"{', '.join(PRESETS)} (default: {DEFAULT}; {UNLABELLED} if there are no labels and no groups)"
    run("--preset", choices=PRESETS, metavar="NAME", help=names)
    folder = "folder of images or IDX files, or mnist, ring, grid, spiral; with --resume: the data's new path "
    folder += "(default: MNIST, or the data of the run of --from)"
    run("--data", type=path, metavar="DIR", help=folder)
    size = "side in pixels to which the middle square of image files is resized (default: 28 or 32)"
    run("--size", type=number("size", int), metavar="N", help=size)
    run("--skip-broken", action="store_true", default=None, help="leave out damaged image files (default: no)")
    run("--no-labels", action="store_true", default=None, help="do not use the labels of the data (default: use them)")
    groups = f"number of groups of similar images, used as classes; 0: none (default: {GROUPS} for data without labels)"
    run("--groups", type=number("groups", int), metavar="K", help=groups)
    run("--epochs", type=number("epochs", int), metavar="N", help="passes over the data (default: the preset's)")
    steps = "stop at this step (default: the end of the last epoch)"
    run("--max-steps", type=number("max_steps", int), metavar="N", help=steps)
    run("--seed", type=number("seed", int), metavar="N", help="seed of all random numbers (default: 0)")
    run(
        "--evaluate-every",
        type=number("evaluate_every", int),
        metavar="N",
        help="epochs between measurements of quality (default: never)",
    )
    run("--out", type=path, metavar="DIR", help="folder of the run (default: runs/<preset>-<date>-<n>)")
    run("--resume", type=path, metavar="RUN", help="continue the run in this folder (default: a new run)")
    from_run = "begin with the weights and the preset of this run (default: random weights)"
    run("--from", type=path, metavar="RUN", dest="from_run", help=from_run)
    machine = parser.add_argument_group("machine and terminal").add_argument
    device = "auto, cpu, cuda or cuda:N (default: auto, which is cuda if it works)"
    machine("--device", default="auto", metavar="NAME", help=device)
    machine(
        "--threads",
        type=number("threads", int),
        metavar="N",
        help="CPU threads of a process (default: OMP_NUM_THREADS, or all cores)",
    )
    machine("--no-graph", action="store_true", default=None, help="do not use CUDA graphs (default: use them)")
    machine(
        "--quiet",
        action="store_true",
        default=None,
        help="print only the folder of the run and warnings (default: no)",
    )
    watch = "serve the page of the run on 127.0.0.1, for a browser (default: no)"
    machine("--watch", action="store_true", default=None, help=watch)
    machine("--debug", action="store_true", default=None, help="print the traceback of an error (default: no)")
    add_parts(parser.add_argument_group(f"options of the preset (in brackets: values of {DEFAULT})").add_argument)
    return parser


def parse(description, words=None):
    """Parse `words`; if None, the command line of the program. A wrong option ends the program with a sentence."""
    reader = parser(description)
    args = reader.parse_args(words)
    given = [key for key, value in vars(args).items() if value is not None and key not in WITH_RESUME]
    if args.resume and given:
        names = ", ".join(
            f"--{key.removesuffix('_size').removesuffix('_run')}" if key in ("latent_size", "from_run") else f"--{key}"
            for key in given
        )
        reader.error(
            f"--resume keeps the settings of the run: {names.replace('_', '-')} cannot change. "
            f"--from {args.resume} begins a new run with its weights, and with other settings"
        )
    args.arguments = tuple(sys.argv[1:] if words is None else words)
    return args


def add_parts(part):
    """Add the options that replace fields of the preset. part: add_argument of a group of options."""
    own, flag = PRESETS[DEFAULT], argparse.BooleanOptionalAction
    images = f"images in a batch ({own.batch_size})"
    part("--batch-size", type=number("batch_size", int), metavar="N", help=images)
    part("--lr", type=number("lr", float), metavar="X", help=f"learning rate of Adam ({own.lr})")
    part("--decay", action=flag, help=f"decrease the learning rate linearly to 0 ({'yes' if own.decay else 'no'})")
    latent = f"length of the latent vector ({own.latent_size})"
    part("--latent", type=number("latent_size", int), metavar="N", dest="latent_size", help=latent)
    part("--loss", choices=LOSSES, metavar="NAME", help=f"{', '.join(LOSSES)} ({own.loss})")
    part("--saturating", action=flag, help="G minimises log(1 - D(G(z))), the minimax loss (no)")
    smoothing = f"D's target for real images; 0.9 is one-sided label smoothing ({own.real_label:g})"
    part("--real-label", type=number("real_label", float), metavar="P", help=smoothing)
    wrong = f"weight of real images with a wrong label in D's loss ({own.wrong_labels:g})"
    part("--wrong-labels", type=number("wrong_labels", float), metavar="W", help=wrong)
    part("--dropout", type=number("dropout", float), metavar="P", help=f"dropout probability in D ({own.dropout:g})")
    part("--spectral-norm", action=flag, help="spectral normalisation in every layer of D (no)")
    kinds = f"penalty on D's gradient, and its weight W: none, {', '.join(PENALTIES)} (none)"
    part("--penalty", type=penalty, metavar="NAME[:W]", help=kinds)
    changes = f"probability of each random change of D's images (0, or {AUGMENT} for fewer than {FEW} images)"
    part("--augment", type=number("augment", float), metavar="P", help=changes)
    updates = f"updates of D for each update of G ({own.n_critic})"
    part("--n-critic", type=number("n_critic", int), metavar="N", help=updates)
    ema = f"half-life of the average of G's weights, in images; 0: no average ({own.ema:g})"
    part("--ema", type=number("ema", float), metavar="N", help=ema)


def chosen_preset(args, dataset, origin=None, grouped=False):
    """Return the name of the preset for this data, and the preset with the options of `args`.

    origin: the settings of the run of --from, or None. If that run has the same preset, its options are the defaults.
    grouped: whether the classes are groups of similar images. Then the default of wrong_labels is 0, because two
    similar images can be in different groups.
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
        fields.setdefault("real_label", 1.0)  # the preset's real_label is only for the preset's loss
    if grouped or args.loss not in (None, "bce"):
        fields.setdefault("wrong_labels", 0.0)
    return name, base._replace(**fields)


def number(name, kind):
    """Return a function that converts the text of an option to `kind`, int or float, and checks it by LIMITS[name]."""
    is_valid, expected = LIMITS[name]

    def parse(text):
        with contextlib.suppress(ValueError):
            if is_valid(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"must be {expected}; got {text[:40]}")

    return parse


def path(text):
    """Return the path. An empty path is an error: it often comes from a shell variable that is not set."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError("an empty path; is a shell variable not set?")
    return text


def penalty(text):
    name, _, weight = text.partition(":")
    if name != "none" and name not in PENALTIES:
        raise argparse.ArgumentTypeError(f"there is no penalty {name!r}: none, {', '.join(PENALTIES)}")
    return name, number("penalty_weight", float)(weight) if weight else None
