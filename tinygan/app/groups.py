"""Groups of similar images as classes of a run. Groups are found when the run begins, and stored in its checkpoints."""

from __future__ import annotations

import numpy as np

from .. import archive
from ..data import Dataset, groups
from ..gan.presets import PRESETS
from .options import DEFAULT, GROUPS
from .runs import Run, RunError

LEAST = 100  # images per group on average, at least; so small data have fewer groups by default


def learned(args, dataset: Dataset) -> tuple[Dataset, tuple[int, ...]]:
    """Return the Dataset for training, and the sizes of its groups; an empty tuple if its classes are not groups.

    args: the arguments of train.py. Groups are found with --groups, and for a conditional preset if the data has no
    labels or --no-labels is given.
    """
    if dataset.classes > 1 and not (args.no_labels or args.groups):
        return dataset, ()
    conditional = PRESETS[args.preset or DEFAULT].conditional
    if args.groups and not conditional:
        raise ValueError(f"--groups needs a conditional preset, such as cgan; {args.preset} has no classes")
    images, k = dataset.images, args.groups
    if k and images.ndim != 4:
        raise ValueError("--groups is for images, not for toy data")
    if k is None:
        k = min(GROUPS, len(images) // LEAST) if conditional and images.ndim == 4 else 0
    if k < 2:
        return dataset._replace(labels=None) if args.no_labels else dataset, ()
    labels = groups.find(images, k)
    return dataset._replace(labels=labels, grouped=True), tuple(np.bincount(labels).tolist())


def load(run: Run, dataset: Dataset, saved=None) -> Dataset:
    """Return the Dataset for the training of a run. Its labels are the groups, if the run has groups.

    Otherwise the labels of the data are kept; with --no-labels they are removed. saved: the result of run.read(), if it
    was read already. Raises RunError if the groups do not fit the data.
    """
    if not run.settings.groups:
        return dataset._replace(labels=None) if run.settings.no_labels else dataset
    where, arrays = saved or run.read()
    labels = arrays.get("batches.groups")
    if labels is None:
        where, labels = of_an_older_version(run)
    if labels.shape != (len(labels),) or set(labels.tolist()) != set(range(run.settings.classes)):
        raise RunError(f"{where} has other groups than the {run.settings.classes} of config.json")
    if len(labels) != len(dataset.images):
        raise RunError(
            f"{run.folder} was trained on {len(labels)} images; {dataset.name} has {len(dataset.images)} now"
        )
    return dataset._replace(labels=labels, grouped=True)


def of_an_older_version(run: Run):
    """Return (path, groups) of a run whose groups are in the file groups.npz."""
    path = run.folder / "groups.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return path, file["group"]
    except archive.DAMAGE as error:
        raise RunError(f"{path}: the groups of the images cannot be read ({error})") from None
