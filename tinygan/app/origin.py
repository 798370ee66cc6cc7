"""Begin a run with the weights of another: `train.py --from RUN`."""

from __future__ import annotations

import re

from .. import backend
from ..gan.training import Training
from ..layers import Module
from .runs import Run, RunError


class PartialLoader:
    """Loads those saved arrays that have the name and the shape of an array of `part`, and leaves the others.

    part: a network or an EMA. fits, others: the names of the arrays that were loaded, and of the rest. Names are
    compared without the prefix "network." of networks that take labels or are augmented.
    """

    def __init__(self, part) -> None:
        self.part = part
        self.fits: list[str] = []
        self.others: list[str] = []

    def load_state_dict(self, saved: dict) -> None:
        own, saved = map(without_prefix, (self.part.state_dict(), saved))
        self.fits = [name for name, array in own.items() if name in saved and saved[name].shape == array.shape]
        self.others = [name for name in own if name not in self.fits]
        backend.load_arrays({name: own[name] for name in self.fits}, {name: saved[name] for name in self.fits}, "")
        if isinstance(self.part, Module):
            for parameter in self.part.parameters():
                parameter.version += 1


def without_prefix(arrays: dict) -> dict:
    return {re.sub(r"^(network\.)+", "", name): array for name, array in arrays.items()}


def begin_with(origin: Run, training: Training) -> str:
    """Load the weights of `origin` that fit into both networks and the EMA, and return in a sentence what did not fit.

    Optimisers, schedules and random numbers begin anew. Raises RunError if nothing of G fits.
    """
    networks = {"generator": PartialLoader(training.gan.G), "discriminator": PartialLoader(training.gan.D)}
    origin.load(**{f"training.{name}": part for name, part in networks.items()})
    if not networks["generator"].fits:
        raise RunError(f"--from {origin.folder}: its generator has no array of the shape that this run needs")
    if training.ema:
        training.ema.target.data[...] = training.ema.source.data  # of arrays that the other run has no average of
        origin.load(**{"training.ema": PartialLoader(training.ema)})
    others = [
        f"{name} {array}" if part.fits else f"the whole {name}"
        for name, part in networks.items()
        for array in (part.others if part.fits else [""])
    ]
    begun = f"with the weights of {origin.folder}"
    return f"{begun}; of other shapes, and so begun anew: {', '.join(others)}" if others else begun
