"""All metrics of samples, and the same metrics of real images for comparison."""

from functools import cached_property

import numpy as np

from .. import backend, data
from . import labels, neighbours, store
from .classifier import FEATURES
from .frechet import frechet, moments

REFERENCE = 10_000  # at most this many test images are used; MNIST has this number
FEW = 2 * FEATURES  # with fewer test images, the covariance of their features is not known
USEFUL = 0.5  # of the test images outside the largest class, the classifier must be right on at least so many
PIXELWISE = 2_000  # at most this many images are compared with the training images; enough for a median


class Evaluator:
    """Computes the metrics of samples. The features of the test images are computed only once.

    source, skip_broken: arguments of data.load; the data must have labels. train: the training Dataset, if it is
    already loaded. n: the number of samples that will be measured, at most the number of training images. progress: see
    classifier.train. Raises DataError and MetricsError.

    real: a Dataset of as many training images as samples. Samples of a perfect generator would have the same metrics.
    note: warnings about the metrics, or None. has_floor: whether the distance of real images, by which other distances
    are divided, means anything.
    """

    def __init__(self, source=None, n=10_000, progress=iter, train=None, skip_broken=False):
        self.train, test, note = splits(source, train, skip_broken)
        self.classifier, self.record = store.for_data(self.train, test, progress)
        warnings = doubts(self.record["test_accuracy"], test.labels)
        self.has_floor = not warnings
        self.note = ". ".join([note] * bool(note) + warnings) or None
        self.test, self.real = some(test, REFERENCE), some(self.train, n)
        self.features, _ = self.classifier.predict(self.test.images)
        self.moments = moments(self.features)

    @cached_property
    def radii(self):
        return neighbours.radii(self.features)

    @cached_property
    def novelty(self):
        return self.median_distance(self.test.images)

    def median_distance(self, images):
        """Return the median L2 distance of images, uint8, from their nearest training images."""
        _, distances = neighbours.nearest(images[:PIXELWISE], self.train.images)
        return float(np.median(distances))

    def draw(self, training, grouped=False):
        """Return samples of a Training, uint8 (N, H, W, C), and their classes, (N,), or None.

        There is a sample for each image of `real`, with the same class. grouped: whether the classes of G are groups of
        images instead of labels. Then the groups are drawn in proportion to their sizes, and no classes are returned.
        The latent vectors are the same in each call.
        """
        latent = backend.RNG((0, 4)).normal((len(self.real.images), training.gan.latent_size))
        asked = self.real.labels if training.gan.classes and not grouped else None
        classes = None if asked is None else backend.to_device(asked.astype("int64"))
        return data.to_pixels(backend.to_host(training.sample(latent, classes))), asked

    def distance(self, images):
        """Return the Frechet distance of images, uint8 (N, H, W, C), from the test images."""
        features, _ = self.classifier.predict(images)
        return frechet(moments(features), self.moments)

    def judge(self, images, asked=None):
        """Return {metric: number} for images, uint8 (N, H, W, C). asked: the requested classes, (N,), or None."""
        features, logits = self.classifier.predict(images)
        called, known = logits.argmax(1), (self.train.labels, self.train.classes)
        return {
            "distance": frechet(moments(features), self.moments),
            "classifier_score": labels.classifier_score(logits),
            **neighbours.compare(self.features, features, self.radii, neighbours.radii(features)),
            "label_divergence": labels.divergence(called, *known),
            "modes": labels.modes(called, *known),
            "agreement": None if asked is None else float((called == asked).mean()),
        }

    def memorisation(self, images):
        """Return the median distance of images to their nearest training images, divided by that of test images.

        0: the images are copies. 1: the images are as new as test images. Smooth images are near to all other images,
        so a value below 1 does not prove that images were copied.
        """
        return self.median_distance(images) / self.novelty


def doubts(accuracy, labels):
    """Return the reasons, as sentences, why the metrics mean little. accuracy: of the classifier. labels: of the tests

    A classifier that always answers with the largest class is right on the share of this class. Such a classifier has
    learned nothing, and its features say nothing, whatever its accuracy.
    """
    found, largest = [], np.bincount(labels).max() / len(labels)
    if len(labels) < FEW:
        found.append(f"There are only {len(labels)} test images: with fewer than {FEW}, all numbers are rough")
    if accuracy - largest < USEFUL * (1 - largest) or largest == 1:
        found.append(
            f"The classifier is right on {accuracy:.0%} of the test images, and {largest:.0%} of them have one class: "
            "its features say little about these images, and so do the metrics"
        )
    return found


def splits(source, train=None, skip_broken=False):
    """Return (training Dataset, test Dataset, a note or None). Both have labels.

    If there are no test images, a sixth of the training images is used as test images. The classifier is not trained on
    these images. Raises DataError for test images that cannot be read.
    """
    train, note = train or data.load(source, skip_broken=skip_broken), None
    if train.classes < 2:
        raise store.MetricsError(
            f"{train.name} needs labels of at least two classes, from which the classifier of the metrics learns: "
            "a file such as train-labels-idx1-ubyte beside the images, or a folder for each class"
        )
    try:
        test = data.load(source, "test", train.images.shape[1], skip_broken)
        if test.labels is None or test.images.shape[1:] != train.images.shape[1:]:
            raise data.NotThere(f"{source}: the test images have no labels, or another size")
    except data.NotThere as error:
        note = f"{error}. A sixth of the training images replaces them; the generator was trained on this sixth too"
        train, test = divided(train, len(train.images) - len(train.images) // 6)
    if min(len(train.images), len(test.images)) <= neighbours.K:
        raise store.MetricsError(f"{train.name} is too small: it needs more than {neighbours.K} test images")
    return train, test, note


def some(dataset, n):
    """Return a Dataset of n images, chosen at random with a fixed seed, or of all if there are fewer."""
    return divided(dataset, n)[0]


def divided(dataset, n):
    """Return [a Dataset of n random images, a Dataset of all others]. The seed is fixed."""
    order = np.random.default_rng(0).permutation(len(dataset.images))
    parts = order[:n], order[n:]
    return [dataset._replace(images=dataset.images[part], labels=dataset.labels[part]) for part in parts]
