"""Images that show what the metrics mean: the worst samples, the real images that are missing, and a wrong class."""

import numpy as np

from .neighbours import nearest

COUNT = 10  # images of each kind


def examples(evaluator, images, asked=None):
    """Return [(sentence, images, uint8 (COUNT, H, W, C) or fewer)] for samples, uint8 (N, H, W, C).

    asked: the classes asked for, (N,), or None. Distances are between features, as in the metrics.
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
        share = len(chosen) / (asked == wanted).sum()
        names = evaluator.train.class_names or range(logits.shape[1])
        mistake = f"{share:.1%} of those asked for as {names[wanted]} are called {names[got]}"
        found.append((f"{mistake}: the most frequent mistake (agreement)", images[chosen[:COUNT]]))
    return found


def farthest(distances):
    return np.argsort(-distances, kind="stable")[:COUNT]


def most_frequent_mistake(logits, asked):
    """Return the most frequent mistake: (class asked for, class found, indices of its samples).

    The indices begin with the sample that the classifier is most certain of. Without a mistake there are none.
    """
    found, classes, asked = logits.argmax(1), logits.shape[1], asked.astype(np.int64)
    counts = np.bincount(asked * classes + found, minlength=classes * classes).reshape(classes, classes)
    np.fill_diagonal(counts, 0)
    wanted, got = map(int, np.unravel_index(counts.argmax(), counts.shape))
    chosen = np.flatnonzero((asked == wanted) & (found == got) & (wanted != got))
    certainty = logits[chosen, got] - logits[chosen, wanted]
    return wanted, got, chosen[np.argsort(-certainty, kind="stable")]
