"""Images that illustrate the metrics: the worst samples, real images that are not generated, and wrong classes."""

import numpy as np

from .neighbours import nearest

COUNT = 10  # images of each kind


def examples(evaluator, images, asked=None):
    """Return [(title, images), ...], with at most COUNT images for each title, chosen for the samples `images`.

    images: uint8 (N, H, W, C). asked: the requested classes, (N,), or None. Distances are between features.
    """
    features, logits = evaluator.classifier.predict(images)
    _, to_real = nearest(features, evaluator.features)
    _, to_sample = nearest(evaluator.features, features)
    found = [
        ("samples least like any test image (precision)", images[farthest(to_real)]),
        ("test images that no sample comes near (coverage)", evaluator.test.images[farthest(to_sample)]),
    ]
    if asked is None:
        return found
    wanted, got, chosen = most_frequent_mistake(logits, asked)
    if len(chosen):
        fraction = len(chosen) / (asked == wanted).sum()
        names = evaluator.train.class_names or range(logits.shape[1])
        mistake = f"{fraction:.1%} of the samples of class {names[wanted]} are classified as {names[got]}"
        found.append((f"{mistake}, the most frequent error (agreement)", images[chosen[:COUNT]]))
    return found


def farthest(distances):
    return np.argsort(-distances, kind="stable")[:COUNT]


def most_frequent_mistake(logits, asked):
    """Return the most frequent error: (requested class, class according to the classifier, indices of these samples).

    The sample of which the classifier is most certain comes first. Without errors there are no indices.
    """
    found, classes, asked = logits.argmax(1), logits.shape[1], asked.astype(np.int64)
    counts = np.bincount(asked * classes + found, minlength=classes * classes).reshape(classes, classes)
    np.fill_diagonal(counts, 0)
    wanted, got = map(int, np.unravel_index(counts.argmax(), counts.shape))
    chosen = np.flatnonzero((asked == wanted) & (found == got) & (wanted != got))
    certainty = logits[chosen, got] - logits[chosen, wanted]
    return wanted, got, chosen[np.argsort(-certainty, kind="stable")]
