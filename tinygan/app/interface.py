"""The Python interface: tinygan.load opens a run to generate images, and tinygan.train makes a new run."""

from __future__ import annotations

import functools
import gc
import importlib.util
import inspect
import io
import signal
import textwrap
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import ParamSpec

import numpy as np
from numpy.typing import ArrayLike

from .. import backend, data
from ..data import arrays
from ..gan.presets import Preset
from . import class_names, pictures, plots, signals
from .options import nearest, parse, parser
from .runs import Run

P = ParamSpec("P")
PACKAGE = Path(__file__).parent.parent
TRAIN = PACKAGE / "scripts" / "train.py", PACKAGE.parent / "train.py"  # of an installed package, of a clone


def load(run: str | Path, checkpoint: str = "last") -> Model:
    """Return the generator of a run. run: its folder. checkpoint: "last" or "best".

    Raises ValueError if the folder is not a run.
    """
    return Model(Run.open(run), checkpoint)


class Model:
    """The generator of a run. A notebook displays it as a grid of images.

    Images are uint8, (N, H, W) if they are grey, else (N, H, W, 3). On toy data a sample is a point: float32 (N, 2).
    """

    def __init__(self, run: Run, checkpoint: str = "last") -> None:
        self.run, self.training = run, run.settings.training()
        run.load_generator(self.training, checkpoint)
        self.latent_size, self.classes = self.training.gan.latent_size, self.training.gan.classes
        self.class_names = class_names.of(run.settings)

    def sample(self, n: int = 1, digit: int | str | None = None, seed: int | None = None) -> np.ndarray:
        """Generate n images. digit: their class, a number or a name. seed: the seed of the latent vectors.

        By default the images have classes 0, 1, 2, ... in turn. If the classes are groups of similar images, they occur
        in proportion to their sizes. Without `seed` the latent vectors are different in each call.
        """
        for name, value, least in (("n", n, 1), ("seed", seed, 0)):
            if value is not None and not (isinstance(value, int | np.integer) and value >= least):
                raise ValueError(f"{name} must be a whole number, at least {least}; got {value!r}")
        latent = np.random.default_rng(seed).standard_normal((n, self.latent_size), np.float32)
        labels = None
        if digit is not None:
            labels = np.full(n, class_names.number(self.run, digit))
        elif self.classes:
            in_turn = np.arange(n) % self.classes
            labels = backend.to_host(self.training.mixed_classes(n)) if self.run.settings.groups else in_turn
        return self.generate(latent, labels)

    def generate(self, latent, labels=None) -> np.ndarray:
        """Return the images of latent vectors (N, latent_size) and, if the run has classes, of labels (N,)."""
        latent = np.asarray(latent, np.float32)
        if latent.ndim != 2 or latent.shape[1] != self.latent_size or not len(latent):
            raise ValueError(f"latent must have the shape (N, {self.latent_size}), N at least 1; got {latent.shape}")
        if (labels is None) == bool(self.classes):
            expected = "integers (N,)" if self.classes else "None"
            raise ValueError(f"{self.run.folder} has {self.classes or 'no'} classes: labels must be {expected}")
        if labels is not None:
            labels = np.asarray(labels)
            known = labels.dtype.kind in "iu" and np.isin(labels, range(self.classes)).all()
            if labels.shape != latent.shape[:1] or not known:
                raise ValueError(f"labels must be {len(latent)} integers from 0 to {self.classes - 1}; got {labels}")
            labels = backend.to_device(labels)
        images = backend.to_host(self.training.sample(backend.to_device(latent), labels))
        if self.run.settings.points:
            return images
        images = data.to_pixels(images)
        return images[..., 0] if images.shape[-1] == 1 else images

    def grid(self) -> np.ndarray:
        """Return a picture of 64 images, uint8 (H, W, C). With classes, it has a row of ten images for each class.

        If the classes have names, they are at the left of the rows.
        """
        if self.run.settings.points:
            raise ValueError(f"{self.run.folder} is a run on toy data: points have no grid")
        latent, labels = pictures.fixed_inputs(self.run.settings)
        images = data.to_pixels(backend.to_host(self.training.sample(latent, labels)))
        picture, names = plots.grid(images, 10 if self.classes else None), class_names.captions(self.run.settings)
        return plots.captioned(picture, len(images) // 10, names) if names else picture

    def _repr_png_(self) -> bytes | None:
        if self.run.settings.points:
            return None
        from PIL import Image

        picture, file = self.grid(), io.BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(file, "PNG")
        return file.getvalue()

    def __repr__(self) -> str:
        s = self.run.settings
        return f"<{s.name} on {s.data or 'MNIST'}, {self.run.folder}>"


def as_flag(name: str) -> str:
    return "--" + name.strip("_").replace("_", "-")


def with_options(function: Callable[P, Model]) -> Callable[P, Model]:
    """Let `function` refuse an unknown option with the name that is most like it, and describe its options."""
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*args: P.args, **options: P.kwargs) -> Model:
        for name in options:
            if name not in known:
                raise TypeError(f"train has no option {name!r}{nearest(name, known)}")
        return function(*args, **options)

    helps = {(action.option_strings or [""])[0]: action.help for action in parser(None)._actions}
    lines = [f"{name}: {helps[as_flag(name)]}" for name in known if as_flag(name) in helps]
    wrapped = [textwrap.fill(line, 96, initial_indent=" " * 4, subsequent_indent=" " * 8) for line in lines]
    checked.__doc__ = "\n".join([function.__doc__ or "", *wrapped])
    return checked


@with_options
def train(
    preset: str | None = None, *, data: ArrayLike | str | Path | None = None, labels: ArrayLike | None = None,
    size: int | None = None, skip_broken: bool = False, no_labels: bool = False, groups: int | None = None,
    epochs: int | None = None, max_steps: int | None = None, seed: int | None = None,
    evaluate_every: int | None = None, out: str | Path | None = None, resume: str | Path | None = None,
    from_: str | Path | None = None, device: str = "auto", threads: int | None = None, no_graph: bool = False,
    quiet: bool = False, watch: bool = False, batch_size: int | None = None, lr: float | None = None,
    decay: bool | None = None, latent: int | None = None, loss: str | None = None, saturating: bool | None = None,
    real_label: float | None = None, wrong_labels: float | None = None, dropout: float | None = None,
    spectral_norm: bool | None = None, penalty: str | None = None, augment: float | None = None,
    n_critic: int | None = None, ema: float | None = None,
) -> Model:  # fmt: skip
    """Train as train.py does, and return the generator.

    A notebook with ipywidgets shows a progress bar. If the training is interrupted, the run is saved, and the generator
    that was trained so far is returned. Raises ValueError, with the message of train.py, for a wrong option.

    data can also be an array of images, (N, H, W), (N, H, W, 1) or (N, H, W, 3), with `labels` (N,). The array is
    written to a folder beside the run, so that the run can be resumed. tinygan/data/arrays.py says which numbers it can
    have. The other options are those of train.py:
    """
    options = {name: value for name, value in locals().items() if name not in ("preset", "data", "labels")}
    if preset is not None and not isinstance(preset, str):
        raise ValueError("the first argument of train is the name of a preset; give images with data=...")
    if data is not None and not isinstance(data, str | Path):
        above = Path(out).parent if out else "runs"
        data = arrays.save(arrays.to_dataset(data, labels), above)
    elif labels is not None:
        raise ValueError("labels belong to an array of images: give both, data=images and labels=labels")
    args = arguments({"preset": preset, "data": data, **options})
    numbers = [getattr(signal, name) for name in signals.NAMES if hasattr(signal, name)]
    before = [signal.getsignal(number) for number in numbers]
    try:
        loop()(args)
    except BaseException as error:  # a notebook keeps the traceback; its variables would keep the run locked
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        for number, handler in zip(numbers, before) if signals.can_be_caught() else ():
            signal.signal(number, handler)
        gc.collect()  # free the run and its lock, even if the run is part of a cycle of references
    return load(args.resume or args.out)


def arguments(options: dict):
    """Parse the options as train.py does. Raises ValueError, with the message of train.py, for a wrong option."""
    words = [word for name, value in options.items() for word in as_words(name, value)]
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            return parse(None, words)
    except SystemExit:
        raise ValueError(errors.getvalue().strip().rpartition("error: ")[2]) from None


def as_words(name: str, value) -> list[str]:
    """Return an option as words of a command line: epochs=2 gives --epochs 2, watch=True gives --watch."""
    flag = as_flag(name)
    if isinstance(value, bool):
        return [flag] if value else [flag.replace("--", "--no-", 1)] if name in Preset._fields else []
    return [] if value is None else [flag, str(value)]


def loop():
    """Return the function `train` of train.py, which contains the training loop."""
    spec = importlib.util.spec_from_file_location("tinygan_train", next(filter(Path.exists, TRAIN)))
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    return page.train
