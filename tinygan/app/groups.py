"""Groups of similar images as classes of a run. Groups are found when the run begins, and stored in its folder."""

from __future__ import annotations

from zipfile import BadZipFile

import numpy as np

from .. import files
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
    return dataset._replace(labels=labels), tuple(np.bincount(labels).tolist())


def save(run: Run, dataset: Dataset) -> None:
    """Write the group of each image to groups.npz in the folder of a run."""
    if run.settings.groups:
        files.replace(path(run), lambda file: np.savez_compressed(file, group=np.asarray(dataset.labels)))


def load(run: Run, dataset: Dataset) -> Dataset:
    """Return the Dataset for the training of a run. Its labels are the groups, if the run has groups.

    Otherwise the labels of the data are kept; with --no-labels they are removed.
    """
    if not run.settings.groups:
        return dataset._replace(labels=None) if run.settings.no_labels else dataset
    try:
        with np.load(path(run), allow_pickle=False) as file:
            labels = file["group"]
            if labels.shape != (len(labels),) or set(labels.tolist()) != set(range(run.settings.classes)):
                raise ValueError(f"they are not the {run.settings.classes} groups of config.json")
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RunError(f"{path(run)}: the groups of the images cannot be read ({error})") from None
    if len(labels) != len(dataset.images):
        raise RunError(
            f"{run.folder} was trained on {len(labels)} images; {dataset.name} has {len(dataset.images)} now"
        )
    return dataset._replace(labels=labels)


def path(run: Run):
    return run.folder / "groups.npz"
