"""The settings of a run: the content of config.json, with which the run can be repeated."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..data import Batches, DataError, Dataset, is_mnist, load, toy
from ..gan import presets
from ..gan.losses import LOSSES
from ..gan.penalties import PENALTIES
from ..gan.presets import PRESETS, Preset
from ..gan.training import Training

ADDED: dict[str, Any] = {  # fields that are missing in the config.json of older runs, with the values for such runs
    "max_steps": None, "evaluate_every": None, "device": "cpu", "arguments": [], "groups": [], "decay": False,
    "no_labels": False, "augment": 0.0, "data_sha256": None, "skip_broken": False, "class_names": [],
    "class_sizes": [], "wrong_labels": 0.0,
}  # fmt: skip
Field = tuple[Callable[[Any], bool], str]  # (a test of a value, a text that describes valid values)
OPTIONS = Preset._fields[2:]  # all fields of a preset except the two networks, which are functions


class SettingsError(ValueError):
    """Settings that are not valid. The message names the field, the valid values, and the value found."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run. name: the name of the preset. preset: the preset with the options of this run.

    shape: (H, W, C) of an image, or (2,) of a point. classes: the number of classes, 0 without labels. data: a folder,
    the name of toy data, or None for MNIST. data_sha256: the hash of images and labels, None if unknown. max_steps: the
    step at which to stop, or None for the end. evaluate_every: epochs between two measurements of quality, or None.
    arguments: the command line after train.py. groups: the number of images of each group, if groups are the classes
    (app/groups.py). no_labels: do not use the labels of the data. skip_broken: leave out image files that cannot be
    read. class_names: the names of the class folders. class_sizes: the number of images of each class, if labels are
    used.
    """

    name: str
    preset: Preset
    shape: tuple[int, ...]
    classes: int
    seed: int = 0
    data: str | None = None
    data_sha256: str | None = None
    device: str = "cpu"
    max_steps: int | None = None
    evaluate_every: int | None = None
    arguments: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    no_labels: bool = False
    skip_broken: bool = False
    class_names: tuple[str, ...] = ()
    class_sizes: tuple[int, ...] = ()

    @property
    def points(self) -> bool:
        """Whether the data are points in the plane instead of images."""
        return len(self.shape) == 1

    @property
    def last_step(self) -> int:
        """The step after which the run ends."""
        return min(self.preset.steps, self.max_steps or self.preset.steps)

    def training(self) -> Training:
        """Build the Training, as it is before the first step. Raises ValueError if the settings do not fit together."""
        return presets.build(self.preset, self.shape, self.seed, self.classes, self.groups or self.class_sizes)

    def with_data(self, source: str | None, skip_broken: bool | None) -> Settings:
        """Return the settings for data that was moved to `source` (None: not moved), with the option --skip-broken."""
        moved = self.data if source is None else absolute(source)
        return replace(self, data=moved, skip_broken=self.skip_broken or bool(skip_broken))

    def dataset(self, split: str = "train") -> Dataset:
        """Read the data of this run. Image files are resized to self.shape."""
        return load(self.data, split, self.shape[0], self.skip_broken)

    def batches(self, dataset: Dataset) -> Batches:
        """Build the Batches of this run. Raises DataError, with the option to change, if there are too few images."""
        p, n = self.preset, len(dataset.images)
        if p.batch_size * p.n_critic > n:
            updates = f": D is updated {p.n_critic} times, with {p.batch_size} images each (--n-critic)"
            raise DataError(
                f"{dataset.name} has {n} images, but a step needs {p.batch_size * p.n_critic}"
                f"{updates if p.n_critic > 1 else ''}. Use --batch-size {max(1, n // p.n_critic)} or less"
            )
        return Batches(dataset, p.batch_size, self.seed, p.n_critic, p.conditional)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as one flat dict of JSON values."""
        own = {key: getattr(self, key) for key in FIELDS if key != "preset"}
        return {"preset": self.name, **own, **{key: getattr(self.preset, key) for key in OPTIONS}}

    @classmethod
    def from_json(cls, values: Any) -> Settings:
        """Return the settings from `values`, the result of `to_json`. Unknown keys are ignored.

        Runs from before version 0.1 can lack the fields of ADDED, and can have the name label_smoothing for real_label.
        Raises SettingsError for the first field that is missing or not valid.
        """
        if not isinstance(values, dict):
            raise SettingsError(f"settings must be a JSON object; got {type(values).__name__}")
        values = {**ADDED, **values}
        if "label_smoothing" in values:
            values.setdefault("real_label", values["label_smoothing"])
        own, options = _checked(values, FIELDS), _checked(values, OPTION_FIELDS)
        for key in ("groups", "class_sizes"):
            if own[key] and (len(own[key]) != own["classes"] or not any(own[key])):
                raise SettingsError(f"{key!r} must contain the number of images of each of {own['classes']} classes")
        name = own.pop("preset")
        return cls(name, PRESETS[name]._replace(**options), **own)


def absolute(source: str | None) -> str | None:
    """Return the absolute path of a data folder, so the run finds it from any working directory.

    For MNIST the result is None. The names of toy data do not change.
    """
    return None if is_mnist(source) else source if source in toy.WORLDS else os.path.abspath(source or "")


def _checked(values: Mapping, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the fields of `values`, with lists as tuples. Raises SettingsError for a missing or invalid field."""
    for key, (is_valid, expected) in fields.items():
        if key not in values:
            raise SettingsError(f"{key!r} is missing: {expected}")
        if not is_valid(values[key]):
            raise SettingsError(f"{key!r} must be {expected}; got {reprlib.repr(values[key])}")
    return {key: tuple(values[key]) if isinstance(values[key], list) else values[key] for key in fields}


def whole(least: int, most: int) -> Field:
    return lambda x: type(x) is int and least <= x <= most, f"a whole number from {least} to {most}"


def _number(least: float, most: float, above: bool = False) -> Field:
    """Return the Field of a number from `least` to `most`. above: exclude `least`. NaN is never valid."""
    valid = lambda x: type(x) in (int, float) and least <= x <= most and not (above and x == least)
    return valid, f"a number above {least:g}, up to {most:g}" if above else f"a number from {least:g} to {most:g}"


def _one_of(names) -> Field:
    return lambda x: isinstance(x, str) and x in names, f"one of {', '.join(names)}"


def _or_none(field: Field) -> Field:
    return lambda x: x is None or field[0](x), f"{field[1]}, or null"


def _list_of(field: Field, lengths, expected: str) -> Field:
    def is_valid(x):
        return isinstance(x, (list, tuple)) and (lengths is None or len(x) in lengths) and all(map(field[0], x))

    return is_valid, expected


_text = (lambda x: isinstance(x, str) and "\0" not in x, "text")
_truth = (lambda x: isinstance(x, bool), "true or false")
_device = (lambda x: isinstance(x, str) and re.fullmatch(r"cpu|cuda(:\d{1,4})?", x) is not None, "cpu, cuda or cuda:N")
_hash = (lambda x: isinstance(x, str) and re.fullmatch(r"[0-9a-f]{64}", x) is not None, "a SHA-256")


def _is_shape(x: Any) -> bool:
    sizes = isinstance(x, (list, tuple)) and all(type(size) is int and 1 <= size <= 10_000 for size in x)
    return sizes and ((len(x) == 3 and x[2] in (1, 3)) or list(x) == [2])


FIELDS = {  # name: Field
    "preset": _one_of(PRESETS),
    "arguments": _list_of(_text, None, "a list of words"),
    "device": _device,
    "data": _or_none(_text),
    "data_sha256": _or_none(_hash),
    "shape": (_is_shape, "[H, W, 1 or 3] of an image, or [2]"),
    "classes": whole(0, 256),
    "seed": whole(0, 2**32 - 1),
    "max_steps": _or_none(whole(1, 10**12)),
    "evaluate_every": _or_none(whole(1, 10**9)),
    "groups": _list_of(whole(1, 10**12), range(257), "a list of at most 256 whole numbers"),
    "no_labels": _truth,
    "skip_broken": _truth,
    "class_names": _list_of(_text, range(257), "a list of at most 256 names"),
    "class_sizes": _list_of(whole(0, 10**12), range(257), "a list of at most 256 whole numbers"),
}
OPTION_FIELDS = {  # name: Field, for the fields of a preset; the options of train.py have the same valid values
    "loss": _one_of(LOSSES),
    "penalty": _one_of(("none", *PENALTIES)),
    "penalty_weight": _number(0, 1e12),
    "saturating": _truth,
    "real_label": _number(0.5, 1),
    "dropout": _number(0, 0.99),
    "spectral_norm": _truth,
    "augment": _number(0, 1),
    "n_critic": whole(1, 10_000),
    "conditional": _truth,
    "wrong_labels": _number(0, 1e12),
    "latent_size": whole(1, 1_000_000),
    "lr": _number(0, 1e38, above=True),
    "betas": _list_of(_number(0, 0.999999), (2,), "two numbers from 0 to 0.999999"),
    "decay": _truth,
    "cosine": _truth,
    "ema": _number(0, 1e12),
    "batch_size": whole(1, 1_000_000),
    "steps": whole(1, 10**12),
}
