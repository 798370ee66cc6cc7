"""A GAN whose D also learns which image belongs to which class (Reed et al. 2016, algorithm 1).

In gan.py D does not learn directly that a good image with a wrong label is wrong; D only sees that such pairs of image
and label are rare. Here D also gets real images with a wrong label, and learns to classify them as fake. So more of G's
images have the requested class.
"""

from .. import backend
from ..autograd import Tensor, mean_softplus
from .gan import GAN, Phase


class MatchingAware(GAN):
    """Adds  -w E[log(1 - D(x, wrong label))],  that is  w E softplus(logit), to D's loss. wrong_labels: w"""

    def __init__(self, wrong_labels: float, *parts) -> None:
        super().__init__(*parts)
        self.wrong_labels = wrong_labels

    def discriminator_loss(self, real: Tensor, fake: Tensor, *labels: Tensor) -> Phase:
        phase = super().discriminator_loss(real, fake, *labels)
        refused = mean_softplus(self.D(real, self.wrong(*labels)), sign=1)
        return phase._replace(loss=phase.loss + refused * self.wrong_labels)

    def wrong(self, labels: Tensor) -> Tensor:
        """Return a wrong class for each of the one-hot labels (N, classes). All wrong classes are equally likely."""
        xp, (n, classes) = backend.xp, labels.shape
        moved = (self.rng.uniform((n, 1)) * (classes - 1)).astype("int64") + 1
        index = xp.arange(n)[:, None] * classes + (xp.arange(classes) - moved) % classes
        return Tensor(labels.data.reshape(-1).take(index))
