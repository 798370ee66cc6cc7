"""Classifiers on disk: a file .npz with the weights, and a file .json that records how they were trained.

The classifier of MNIST comes with the package; bench/classifier.py trains it. A classifier for other data is trained
when it is needed for the first time, and stored in ~/.cache/tinygan (or $XDG_CACHE_HOME/tinygan) under the hash of
the data.
"""

import errno
import hashlib
import io
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np

from .. import archive, backend, files
from . import classifier

SHIPPED = Path(__file__).parent / "mnist.npz"
RECIPE = 2  # increase this number when the network or its training changes: classifiers are then trained again


class MetricsError(ValueError):
    """The quality cannot be measured. The message says why."""


def for_data(train, test, progress=iter):
    """Return (Classifier, record) for these Datasets. Trains a Classifier if there is none on disk."""
    mark = fingerprint(train)
    if read_record(SHIPPED).get("data_sha256") == mark:
        return load(SHIPPED)
    stored = cached(f"{mark[:16]}.npz")
    if stored and read_record(stored).get("data_sha256") == mark:
        try:
            return load(stored)
        except archive.DAMAGE as error:
            print(f"{stored} cannot be used ({error}); the classifier is trained again", file=sys.stderr)
    return make(stored, train, test, "evaluate.py", progress)


def cached(name):
    """Return the path of a stored classifier; None if there is no folder for it, because the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # "~" remains if there is no home
    return None if base.startswith("~") else Path(base) / "tinygan" / name


def fingerprint(dataset):
    """Return a hash of the data set and of RECIPE."""
    mark = hashlib.sha256(f"{RECIPE} {dataset.images.shape}".encode())
    for array in (dataset.images, dataset.labels):
        mark.update(np.ascontiguousarray(array))
    return mark.hexdigest()


def make(path, train, test, command, progress=iter):
    """Train the classifier for these Datasets, and write it to `path` if possible. Returns (Classifier, record).

    Ctrl-C writes the state of the training to <name>.partial.npz, and the next call continues the training.
    """
    seed, partial = 0, path.with_suffix(".partial.npz") if can_write(path) else None
    keep = (lambda state: write_arrays(partial, state)) if partial else None
    network = classifier.train(train, seed, progress, read_partial(partial) if partial else None, keep)
    _, logits = network.predict(test.images)
    content = io.BytesIO()
    np.savez(content, **{name: backend.to_host(array) for name, array in network.state_dict().items()})
    record = {
        "data": train.name,
        "data_sha256": fingerprint(train),
        "channels": train.images.shape[3],
        "classes": train.classes,
        "sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "test_accuracy": float((logits.argmax(1) == test.labels).mean()),
        "test_images": len(test.images),
        "command": command,
        "seed": seed,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    if partial:
        files.replace(path, lambda file: file.write(content.getvalue()))
        files.write_text(path.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
        partial.unlink(missing_ok=True)
    return network, record


def can_write(path):
    """Return whether `path` can be written; missing folders are made. Prints a warning if not."""
    try:
        if path is None:
            raise OSError(errno.ENOENT, "there is no home folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return True
    except OSError as error:
        where = f" in {path.parent}" if path else ""
        print(f"the classifier cannot be kept{where} ({error.strerror}). It is only in memory", file=sys.stderr)
        return False


def write_arrays(path, arrays):
    files.replace(path, lambda file: archive.write(file, arrays))


def read_partial(path):
    """Return the state of an interrupted training, {name: array}; None if the file is missing or damaged."""
    try:
        return archive.read(path)
    except (OSError, archive.Damaged):
        return None


def load(path):
    """Read (Classifier, record) from disk. Raises MetricsError if the record does not belong to the weights."""
    record = read_record(path)
    if sha256(path) != record["sha256"]:
        raise MetricsError(
            f"{path}: these are not the weights described by {path.with_suffix('.json').name} (their SHA-256 differs): "
            "restore the two files that belong together, or delete both"
        )
    network = classifier.Classifier(record["channels"], record["classes"], backend.RNG(0)).flatten()
    with np.load(path, allow_pickle=False) as file:
        network.load_state_dict({name: file[name] for name in file.files})
    return network.eval(), record


def read_record(path):
    """Return the record of stored weights; empty if it is missing or damaged."""
    try:
        record = json.loads(path.with_suffix(".json").read_text())
        return record if isinstance(record, dict) else {}
    except archive.DAMAGE:
        return {}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
