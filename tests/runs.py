"""Make run folders without training, for tests of code that reads run folders."""

from tinygan import backend
from tinygan.app.runs import Run
from tinygan.app.settings import Settings
from tinygan.gan import presets


def settings(name="vanilla", data=None, shape=(8, 8, 1), classes=3, **changes):
    """Return the settings of a preset on data of this shape. changes: options of the preset or fields of Settings."""
    options = {key: changes.pop(key) for key in list(changes) if key in presets.Preset._fields}
    preset = presets.for_data(presets.PRESETS[name], shape)._replace(**options)
    return Settings(name, preset, shape, classes, data=data, **changes)


def new_run(folder, name="vanilla", data=None, shape=(8, 8, 1), classes=3, **changes):
    """Create a run with its first checkpoint."""
    chosen = settings(name, data, shape, classes, **changes)
    return Run.create(chosen, folder, training=chosen.training())


def lively(training, seed=0):
    """Set G's weights to random values, so that its images use the whole range of pixels. Return the training."""
    rng = backend.RNG(seed)
    for network in (training.gan.G, *([training.ema.average] if training.ema else [])):
        for weight in network.parameters():
            fan_in = weight.size / weight.shape[-1] if weight.ndim < 4 else weight.shape[3] * 4
            spread = 1.5 / fan_in**0.5 if weight.ndim > 1 else 0.3
            weight.data[...] = rng.normal(weight.shape) * spread + (weight.ndim == 1)
            weight.version += 1
    return training
