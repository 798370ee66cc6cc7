"""A GAN whose D also learns which image belongs to which class (Reed et al. 2016, algorithm 1).

In gan.py every real image has its right label, so D learns only indirectly that a label can be wrong. Here D also gets
real images with a wrong label, and learns to classify them as fake. So more of G's images have the requested class.
"""

from ..autograd import Tensor, softplus
from .gan import GAN, Phase


class MatchingAware(GAN):
    """Adds  -w E[log(1 - D(x, wrong label))],  that is  w E softplus(logit), to D's loss. wrong_labels: w"""

    def __init__(self, wrong_labels: float, *args) -> None:
        super().__init__(*args)
        self.wrong_labels = wrong_labels

    def discriminator_loss(self, real: Tensor, fake: Tensor, *labels: Tensor) -> Phase:
        wrong = self.wrong(*labels)
        phase = super().discriminator_loss(real, fake, *labels)
        wrong_logits = self.D(real, wrong)  # a call of its own, as for real and for fake images
        return phase._replace(loss=phase.loss + self.wrong_labels * softplus(wrong_logits).mean())

    def wrong(self, labels: Tensor) -> Tensor:
        """Return a wrong class for each of the one-hot labels (N, classes). All wrong classes are equally likely.

        Each wrong class gets a random number from 0 to 1, and the right class gets a negative number. The result is the
        class with the largest number.
        """
        numbers = self.rng.uniform(labels.shape, labels.dtype) - labels.data
        largest = numbers.max(1, keepdims=True)
        return Tensor((numbers == largest).astype(numbers.dtype))
