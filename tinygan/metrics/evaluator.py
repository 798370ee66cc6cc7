"""All metrics of samples, and the same of real images for comparison."""

from functools import cached_property

import numpy as np

from .. import backend, data
from . import labels, neighbours, store
from .frechet import frechet, moments

REFERENCE = 10_000  # test images at most: all of MNIST's
USELESS = 0.6  # the accuracy below which the features of a classifier are not to be trusted
PIXELWISE = 2_000  # images whose nearest training image is searched: enough for a median


class Evaluator:
    """Compares images with test images, whose features are computed once.

    source: what data.load takes, of images with labels; train: its training images, if they have been read already.
    n: how many samples there will be. `real`: as many training images, which a perfect generator would give. `note`: a
    sentence, if training images replace the test images. progress: see classifier.train. skip_broken: leave out image
    files that cannot be read. Raises DataError and MetricsError.
    """

    def __init__(self, source=None, n=10_000, progress=iter, train=None, skip_broken=False):
        self.train, test, self.note = splits(source, train, skip_broken)
        self.classifier, self.record = store.for_data(self.train, test, progress)
        if self.record["test_accuracy"] < USELESS:
            warning = f"The classifier is right on only {self.record['test_accuracy']:.0%} of the test images: its "
            self.note = f"{self.note}. {warning}" if self.note else warning
            self.note += "features say little about these images, and so do the numbers"
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
        """Return the median L2 distance of images, with pixels from 0 to 255, from their nearest training images."""
        _, distances = neighbours.nearest(images[:PIXELWISE], self.train.images)
        return float(np.median(distances))

    def draw(self, training, grouped=False):
        """Return n samples of a Training, uint8 (N, H, W, C), and their classes, those of `real`: (N,), or None.

        grouped: G's classes are groups of images, not labels, so samples are drawn by the shares of the groups.

        The latent vectors are the same at each call, and come from a source of random numbers of their own.
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
        """Return {metric: number} for images, uint8 (N, H, W, C). asked: the classes asked for, (N,), or None."""
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
        """Return the distance of images from their nearest training images, divided by that of test images.

        0: copies. 1: as new as an unseen image. Smooth images are near to all others, so a value below 1 does
        not prove copying.
        """
        return self.median_distance(images) / self.novelty


def splits(source, train=None, skip_broken=False):
    """Return (training Dataset, test Dataset, a remark or None), with labels.

    If there are no test images, a sixth of the training images is set aside before the classifier is trained. Test
    images that cannot be read are an error.
    """
    train, note = train or data.load(source, skip_broken=skip_broken), None
    if train.classes < 2:
        raise store.MetricsError(
            f"{train.name} needs labels of at least two classes: quality is measured by a classifier that learns them "
            "(a file such as train-labels-idx1-ubyte beside the images, or a folder for each class)"
        )
    try:
        test = data.load(source, "test", train.images.shape[1], skip_broken)
        if test.labels is None or test.images.shape[1:] != train.images.shape[1:]:
            raise data.NotThere(f"{source}: the test images have no labels, or another size")
    except data.NotThere as error:
        note = f"{error}. A sixth of the training images replaces them; the generator was trained on these"
        train, test = divided(train, len(train.images) - len(train.images) // 6)
    if min(len(train.images), len(test.images)) <= neighbours.K:
        raise store.MetricsError(f"{train.name} is too small: more than {neighbours.K} test images are needed")
    return train, test, note


def some(dataset, n):
    """Return a Dataset of n of its images, or of all if there are fewer; the same at each call."""
    return divided(dataset, n)[0]


def divided(dataset, n):
    """Return two Datasets: n of the images, and the rest; the same at each call."""
    order = np.random.default_rng(0).permutation(len(dataset.images))
    parts = order[:n], order[n:]
    return [dataset._replace(images=dataset.images[part], labels=dataset.labels[part]) for part in parts]
