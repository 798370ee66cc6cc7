"""Begin a new run, or continue a run."""

import sys
from dataclasses import replace
from typing import NamedTuple

from .. import backend, data
from ..gan.training import Training
from ..version import VERSION
from . import agreement, groups
from .options import chosen_preset
from .origin import begin_with
from .quality import Quality
from .runs import Run
from .settings import Settings, absolute
from .terminal import Terminal


class Start(NamedTuple):
    """The parts of a run that the training loop needs."""

    run: Run
    dataset: data.Dataset
    training: Training
    batches: data.Batches
    quality: Quality


def new_run(args) -> Start:
    """Create a run for the arguments of train.py. The folder is made last, so most errors leave no folder behind."""
    source, size = args.data, args.size
    origin = Run.open(args.from_run) if args.from_run else None
    if origin:
        old = origin.settings
        args.preset = args.preset or old.name
        size = size or (None if old.points else old.shape[0])  # G and D fit only this size
        if args.data is None:  # the data of that run, with its classes
            source = old.data
            args.skip_broken, args.no_labels = args.skip_broken or old.skip_broken, args.no_labels or old.no_labels
            args.groups = len(old.groups) if args.groups is None and old.groups else args.groups
    loaded = data.load(source, size=size, skip_broken=bool(args.skip_broken))
    if args.size and loaded.images.shape[1:3] != (args.size, args.size):
        raise ValueError(f"--size is only for folders of image files; the images of {loaded.name} have a fixed size")
    dataset, sizes = groups.learned(args, loaded)
    name, preset = chosen_preset(args, dataset, origin and origin.settings, grouped=bool(sizes))
    settings = Settings(
        name, preset, dataset.images.shape[1:], dataset.classes, seed=args.seed or 0, data=absolute(source),
        data_sha256=loaded.sha256, device=backend.device, max_steps=args.max_steps,
        evaluate_every=args.evaluate_every, arguments=args.arguments, groups=sizes, no_labels=bool(args.no_labels),
        skip_broken=bool(args.skip_broken), class_names=() if sizes else dataset.class_names,
        class_sizes=() if sizes else dataset.class_sizes,
    )  # fmt: skip
    batches = settings.batches(dataset)
    settings = with_epochs(settings, args.epochs, batches)
    training, quality = settings.training(), Quality(settings, loaded, args.quiet)
    if origin:
        Terminal(args.quiet).say(f"begins   {begin_with(origin, training)}")
    agreement.check(settings)  # before a folder is made
    run = Run.create(settings, args.out, training=training, batches=batches)
    args.out = run.folder
    quality.start(run, 0)
    return Start(run, dataset, training, batches, quality)


def resumed_run(args) -> Start:
    """Open the run of --resume and load its last checkpoint. Changed settings are written to config.json.

    If the data was moved, --data is its new path. Raises RunError if the data does not fit this run.
    """
    run = Run.open(args.resume)
    run.settings = run.settings.with_data(args.data, args.skip_broken)
    loaded = run.dataset()
    run.lock()
    run.remove_unfinished()
    saved = run.read()
    dataset = groups.load(run, loaded, saved)
    batches = run.settings.batches(dataset)
    every = args.evaluate_every or run.settings.evaluate_every
    settings = replace(run.settings, max_steps=args.max_steps, evaluate_every=every, device=backend.device)
    settings = replace(settings, data_sha256=loaded.sha256)
    run.settings = with_epochs(settings, args.epochs, batches)
    training, quality = run.settings.training(), Quality(run.settings, loaded, args.quiet)
    run.load(saved=saved, training=training, batches=batches)
    if run.about.get("versions", {}).get("tinygan") != VERSION:
        print(
            f"another version of tinygan began {run.folder}: it continues, but not to the same bits as without a stop",
            file=sys.stderr,
        )
    if run.about.get("kernels") not in (None, backend.kernels()):
        print(
            f"{run.about['kernels']} has computed this run so far; {backend.kernels()} rounds slightly differently",
            file=sys.stderr,
        )
    quality.start(run, int(training.steps[0]))
    run.write_config()
    return Start(run, dataset, training, batches, quality)


def with_epochs(settings: Settings, epochs: int | None, batches: data.Batches) -> Settings:
    """Return the settings for `epochs` passes over the data; with None, the settings do not change."""
    if not epochs:
        return settings
    return replace(settings, preset=settings.preset._replace(steps=epochs * batches.steps_per_epoch))
