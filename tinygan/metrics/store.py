"""Classifiers on disk: the weights, .npz, and a record of how they were made, .json.

The one for MNIST comes with the package (bench/classifier.py makes it); for other data one is trained the first time
that it is needed, and kept in ~/.cache/tinygan (or $XDG_CACHE_HOME/tinygan), named by the hash of the data.
"""

import hashlib
import io
import json
import os
import platform
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .. import backend, files
from . import classifier

SHIPPED = Path(__file__).parent / "mnist.npz"
RECIPE = 1  # raise it when the network or its training changes; kept classifiers are then trained anew


DAMAGE = OSError, ValueError, EOFError, LookupError, TypeError, zipfile.BadZipFile  # what damaged files lead to


class MetricsError(ValueError):
    """Quality that cannot be measured; the message says why."""


def for_data(train, test, progress=iter):
    """Return (Classifier, record) for these Datasets, from disk or trained now. A damaged one is trained anew."""
    mark = fingerprint(train)
    if read_record(SHIPPED).get("data_sha256") == mark:
        return load(SHIPPED)
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygan" / f"{mark[:16]}.npz"
    if read_record(kept).get("data_sha256") == mark:
        try:
            return load(kept)
        except DAMAGE as error:
            print(f"{kept} cannot be used ({error}); it is trained anew", file=sys.stderr)
    return make(kept, train, test, "evaluate.py", progress)


def fingerprint(dataset):
    """Return a hash of the data set and of RECIPE, the version of the training."""
    mark = hashlib.sha256(f"{RECIPE} {dataset.images.shape}".encode())
    for array in (dataset.images, dataset.labels):
        mark.update(np.ascontiguousarray(array))
    return mark.hexdigest()


def make(path, train, test, command, progress=iter):
    """Train the network for these Datasets and write it, if that is possible. Returns (Classifier, record).

    Ctrl-C keeps what it has learned so far in <name>.partial.npz, and the next call goes on from there.
    """
    seed, partial, writable = 0, path.with_suffix(".partial.npz"), can_write(path.parent)
    keep = (lambda state: write_arrays(partial, state)) if writable else None
    network = classifier.train(train, seed, progress, read_partial(partial), keep)
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
    if writable:
        files.replace(path, lambda file: file.write(content.getvalue()))
        files.write_text(path.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
        partial.unlink(missing_ok=True)
    return network, record


def can_write(folder):
    """Whether files can be kept in a folder, which is made if it is missing; if not, say so before hours are spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        print(f"the classifier cannot be kept in {folder} ({error.strerror}), only in memory", file=sys.stderr)
        return False


def write_arrays(path, arrays):
    files.replace(path, lambda file: np.savez(file, **arrays))


def read_partial(path):
    """Return the state of a training that was interrupted, {name: array}; None if there is none that is whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGE:
        return None


def load(path):
    """Return the stored (Classifier, record). Raises MetricsError if the weights are not those of the record."""
    record = read_record(path)
    if sha256(path) != record["sha256"]:
        raise MetricsError(
            f"{path}: these are not the weights described by {path.with_suffix('.json').name} (their sha256 differs): "
            "put back the two files that belong together, or delete both"
        )
    network = classifier.Classifier(record["channels"], record["classes"], backend.RNG(0)).flatten()
    with np.load(path, allow_pickle=False) as file:
        network.load_state_dict({name: file[name] for name in file.files})
    return network.eval(), record


def read_record(path):
    """Return the record of weights; empty if there is none that can be read."""
    try:
        record = json.loads(path.with_suffix(".json").read_text())
        return record if isinstance(record, dict) else {}
    except (OSError, ValueError):
        return {}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
