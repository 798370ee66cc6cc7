"""Small GANs to train for a few steps, on the same batch at each step."""

from tinygan import backend
from tinygan.gan import presets
from tinygan.gan.presets import PRESETS

SHAPE = (8, 8, 1)
CLASSES = 3


class SameBatch:
    """Batches that are always the same one."""

    def __init__(self, training, shape=SHAPE, n=4):
        self.batch = (images(n, shape),)
        if training.gan.classes:
            self.batch += (backend.xp.eye(CLASSES, dtype="float32").take(backend.xp.arange(n) % CLASSES, axis=0),)

    def take(self, n):
        return [self.batch] * n


def build(name="dcgan", shape=SHAPE, seed=0, **changes):
    return presets.build(PRESETS[name]._replace(**changes), shape, seed, CLASSES)


def steps(training, n=1, shape=SHAPE):
    for _ in range(n):
        training.step(SameBatch(training, shape))
    return training


def images(n=4, shape=SHAPE):
    return backend.RNG(9).uniform((n, *shape)) * 2 - 1


def snapshot(part):
    return {name: backend.to_host(array).copy() for name, array in part.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)
