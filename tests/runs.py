"""Untrained runs, for tests of code that reads run folders."""

from tinygan.app.runs import Run
from tinygan.app.settings import Settings
from tinygan.gan import presets


def settings(name="vanilla", data=None, shape=(8, 8, 1), classes=3, **changes):
    """Settings of a preset on data of this shape. changes: options of the preset, or fields of Settings."""
    options = {key: changes.pop(key) for key in list(changes) if key in presets.Preset._fields}
    preset = presets.for_data(presets.PRESETS[name], shape)._replace(**options)
    return Settings(name, preset, shape, classes, data=data, **changes)


def new_run(folder, name="vanilla", data=None, shape=(8, 8, 1), classes=3, **changes):
    """A run with its first checkpoint."""
    chosen = settings(name, data, shape, classes, **changes)
    return Run.create(chosen, folder, training=chosen.training())
