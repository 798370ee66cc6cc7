"""Classifiers on disk: the weights, .npz, and a record of how they were made, .json.

The one for MNIST comes with the package (bench/classifier.py makes it); for other data one is trained the first time
that it is needed, and kept in ~/.cache/tinygan (or $XDG_CACHE_HOME/tinygan), named by the hash of the data.
"""

import hashlib
import json
import os
import platform
from pathlib import Path

import numpy as np

from .. import backend, files
from . import classifier

SHIPPED = Path(__file__).parent / "mnist.npz"
RECIPE = 1  # raise it when the network or its training changes; kept classifiers are then trained anew


class MetricsError(ValueError):
    """Quality that cannot be measured; the message says why."""


def for_data(train, test, progress=iter):
    """Return (Classifier, record) for these Datasets, from disk or trained now."""
    mark = fingerprint(train)
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygan" / f"{mark[:16]}.npz"
    path = next((path for path in (SHIPPED, kept) if read_record(path).get("data_sha256") == mark), None)
    return load(path) if path else make(kept, train, test, "evaluate.py", progress)


def fingerprint(dataset):
    """Return a hash of the data set and of RECIPE, the version of the training."""
    mark = hashlib.sha256(f"{RECIPE} {dataset.images.shape}".encode())
    for array in (dataset.images, dataset.labels):
        mark.update(np.ascontiguousarray(array))
    return mark.hexdigest()


def make(path, train, test, command, progress=iter):
    """Train the network for these Datasets and write it. Returns (Classifier, record)."""
    seed = 0
    network = classifier.train(train, seed, progress=progress)
    _, logits = network.predict(test.images)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: backend.to_host(array) for name, array in network.state_dict().items()}
    files.replace(path, lambda file: np.savez(file, **weights))
    record = {
        "data": train.name,
        "data_sha256": fingerprint(train),
        "channels": train.images.shape[3],
        "classes": train.classes,
        "sha256": sha256(path),
        "test_accuracy": float((logits.argmax(1) == test.labels).mean()),
        "test_images": len(test.images),
        "command": command,
        "seed": seed,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    files.write_text(path.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    return network, record


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
        return json.loads(path.with_suffix(".json").read_text())
    except (FileNotFoundError, ValueError):
        return {}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
