"""Everything that is said of the quality of samples, and the same of real images beside it."""

from functools import cached_property

import numpy as np

from .. import backend, data
from . import labels, neighbours, store
from .frechet import frechet, moments

REFERENCE = 10_000  # test images at most: all of MNIST's
PIXELWISE = 2_000  # images whose nearest training neighbour is looked for: a median needs no more


class Evaluator:
    """Judges images against test images. What it needs of these is computed once.

    source: what data.load takes, of images with labels; train: its training images, if they have been read already.
    n: how many samples there will be. `real`: as many training images, in the place of samples that are as good as can
    be. `note`: a sentence, if the test images are not quite that. progress: see classifier.train. Raises DataError and
    MetricsError, in a sentence.
    """

    def __init__(self, source=None, n=10_000, progress=iter, train=None):
        self.train, test, self.note = splits(source, train)
        self.classifier, self.record = store.for_data(self.train, test, progress)
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
        """Of an image from the training image nearest to it, in pixels."""
        _, distances = neighbours.nearest(images[:PIXELWISE], self.train.images)
        return float(np.median(distances))

    def draw(self, training):
        """n samples of a Training's sampler, uint8 (N, H, W, C), and the classes asked for, those of `real`: (N,), or
        None. Always from the same latent points, with random numbers that are nobody else's."""
        latent = backend.RNG((0, 4)).normal((len(self.real.images), training.gan.latent_size))
        asked = self.real.labels if training.gan.classes else None
        classes = None if asked is None else backend.to_device(asked.astype("int64"))
        return data.to_pixels(backend.to_host(training.sample(latent, classes))), asked

    def distance(self, images):
        """The Frechet distance of images, uint8 (N, H, W, C), from the test images."""
        features, _ = self.classifier.predict(images)
        return frechet(moments(features), self.moments)

    def judge(self, images, asked=None):
        """{metric: number} of images, uint8 (N, H, W, C), and the classes that were asked for, (N,) or None."""
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
        """How far images are from the training images nearest to them, over how far test images are: 0 for copies, 1
        for what is as new as an unseen image. Smooth images are near to everything, so less than 1 is no proof."""
        return self.median_distance(images) / self.novelty


def splits(source, train=None):
    """(training Dataset, test Dataset, a sentence about them or None), with labels.

    Where there are no test images, a sixth of the training images is set aside: the classifier then has not seen them.
    """
    train, note = train or data.load(source), None
    if train.classes < 2:
        raise store.MetricsError(
            f"{train.name} has no labels of two classes or more: quality is measured by a network that learns them "
            "(a file such as train-labels-idx1-ubyte beside the images, or a folder for each class)"
        )
    try:
        test = data.load(source, "test")
        if test.labels is None or test.images.shape[1:] != train.images.shape[1:]:
            raise data.DataError(f"{source}: the test images have no labels, or another size")
    except data.DataError as error:
        note = f"{error}. A sixth of the training images stands in for them, though the generator has seen it"
        train, test = divided(train, len(train.images) - len(train.images) // 6)
    if min(len(train.images), len(test.images)) <= neighbours.K:
        raise store.MetricsError(f"{train.name} is too small: more than {neighbours.K} test images are needed")
    return train, test, note


def some(dataset, n):
    """A Dataset of n of its images, or of all if there are fewer; always the same ones."""
    return divided(dataset, n)[0]


def divided(dataset, n):
    """Two Datasets: n of the images, and the rest; always the same ones."""
    order = np.random.default_rng(0).permutation(len(dataset.images))
    parts = order[:n], order[n:]
    return [dataset._replace(images=dataset.images[part], labels=dataset.labels[part]) for part in parts]
