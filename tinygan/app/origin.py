"""Begin a run with the weights of another run: `train.py --from RUN`."""

from __future__ import annotations

import re

from .. import backend
from ..gan.training import Training
from ..layers import Module
from .runs import Run, RunError


class PartialLoader:
    """Loads only those arrays of a network or EMA that have the same name and shape in the saved state.

    part: the network or EMA. loaded: the names of its loaded arrays. others: the names of its other arrays. A prefix
    "network." is ignored: all names of a network with labels or augmentation have this prefix.
    """

    def __init__(self, part) -> None:
        self.part = part
        self.loaded: list[str] = []
        self.others: list[str] = []

    def load_state_dict(self, saved: dict) -> None:
        own, saved = map(without_prefix, (self.part.state_dict(), saved))
        self.loaded = [name for name, array in own.items() if name in saved and saved[name].shape == array.shape]
        self.others = [name for name in own if name not in self.loaded]
        backend.load_arrays({name: own[name] for name in self.loaded}, {name: saved[name] for name in self.loaded}, "")
        if isinstance(self.part, Module):
            for parameter in self.part.parameters():
                parameter.version += 1


def without_prefix(arrays: dict) -> dict:
    return {re.sub(r"^(network\.)+", "", name): array for name, array in arrays.items()}


def begin_with(origin: Run, training: Training) -> str:
    """Load G, D and the EMA from the run `origin`, as far as the names and shapes of their arrays are the same.

    Optimisers, schedules and random numbers begin anew. Returns a text that names the arrays that were not loaded.
    Raises RunError if no array of G was loaded.
    """
    networks = {"generator": PartialLoader(training.gan.G), "discriminator": PartialLoader(training.gan.D)}
    origin.load(**{f"training.{name}": part for name, part in networks.items()})
    if not networks["generator"].loaded:
        raise RunError(f"--from {origin.folder}: no array of its generator has the shape that this run needs")
    if training.ema:
        training.ema.target.data[...] = training.ema.source.data  # an average that is not loaded begins at the weight
        origin.load(**{"training.ema": PartialLoader(training.ema)})
    others = [
        f"{name} {array}" if part.loaded else f"the whole {name}"
        for name, part in networks.items()
        for array in (part.others if part.loaded else [""])
    ]
    begun = f"with the weights of {origin.folder}"
    return f"{begun}; new, because the shapes differ: {', '.join(others)}" if others else begun
