"""The moving average of a network's weights."""

import math

from .. import backend


class EMA:
    """average <- average + (1 - beta) (weights - average),   beta = 0.5^(images a step / half-life)

    G's weights circle around where they should be; their average is nearer to it (Yazici et al. 2019). After
    `half_life` images a weight counts half. Early on, half-life is a twentieth of the images seen so far, so that the
    first, random weights are forgotten (Karras et al. 2020). average: a network of the same shape; its buffers are
    copied.
    """

    RAMP = 0.05

    def __init__(self, network, average, half_life, images_per_step):
        self.network, self.average = network, average.flatten()
        self.half_life, self.images_per_step = half_life, images_per_step
        self.images = backend.xp.zeros(1, "float32")
        self.average.flat.data[...] = network.flat.data

    def update(self):
        xp = backend.xp
        self.images += self.images_per_step
        half_life = xp.minimum(self.half_life, self.RAMP * self.images)
        one_minus_beta = -xp.expm1(-math.log(2) * self.images_per_step / half_life)
        average = self.average.flat.data
        average += one_minus_beta * (self.network.flat.data - average)
        self.copy_buffers()

    def copy_buffers(self):
        """What is not learned by gradient is copied: running statistics are averages already."""
        learned = self.network.named_parameters()
        source = self.network.state_dict()
        for name, array in self.average.state_dict().items():
            if name not in learned:
                array[...] = source[name]

    def state_dict(self):
        """The averaged parameters; the buffers are those of the network."""
        return {"images": self.images, **self.average.flat.views(self.average.flat.data)}

    def load_state_dict(self, saved):
        backend.load_arrays(self.state_dict(), saved, "EMA")
