"""A GAN whose D also learns which image belongs to which class (Reed et al. 2016, algorithm 1).

In the game of gan.py nothing tells D that a good image of another class is wrong. It only sees that such pairs of image
and label are rare. Here it gets some: real images with a wrong label, which it should refuse like fake ones. So G's
images are more often of the class asked for.
"""

from ..autograd import Tensor, mean_softplus
from .gan import GAN


class MatchingAware(GAN):
    """Adds  -w E[log(1 - D(x, wrong label))],  that is  w E softplus(logit), to D's loss. wrong_labels: w"""

    def __init__(self, wrong_labels: float, *parts) -> None:
        super().__init__(*parts)
        self.wrong_labels = wrong_labels

    def adversarial_loss(self, real: Tensor, fake: Tensor, *labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        wrong = self.wrong(*labels)
        real_logits, fake_logits, wrong_logits = self.discriminate((real, *labels), (fake, *labels), (real, wrong))
        loss = self.loss.discriminator(real_logits, fake_logits)
        return loss + mean_softplus(wrong_logits, sign=1) * self.wrong_labels, real_logits, fake_logits

    def wrong(self, labels: Tensor) -> Tensor:
        """Return another class for each of the one-hot labels (N, classes), each of the others as likely.

        It is the class with the largest of some random numbers, where the right class has 0.
        """
        numbers = self.rng.uniform(labels.shape) * (1.0 - labels.data)
        return Tensor((numbers == numbers.max(1, keepdims=True)).astype("float32"))
