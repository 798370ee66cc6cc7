"""Augmentation before D, for few images (Zhao et al. 2020).

With few real images, D learns them by heart, and its gradient no longer helps G. So D gets every image, real or fake,
changed at random: shifted around the edges, partly covered, brighter or darker. The changes are differentiable, so the
gradient reaches G through them. G itself learns to make images without them, because real and fake images are changed
alike.
"""

from .. import backend
from ..autograd import Tensor, primitive
from ..layers import Module


class Augmented(Module):
    """D(T(x)): each of the three changes is made to an image with probability p. images: (N, H, W, C) in [-1, 1]"""

    SHIFT, COVER, BRIGHTNESS = 1 / 8, 1 / 4, 0.5  # at most: parts of the sides; of pixels in [-1, 1]

    def __init__(self, network: Module, p: float, rng) -> None:
        self.network, self.p, self.rng = network, p, rng

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        xp, (n, h, w, _) = backend.xp, x.shape
        chosen = (self.rng.uniform((n, 3)) < self.p).astype("float32").T
        down, right, row, column, light = self.rng.uniform((n, 5)).T * 2.0 - 1.0

        down, right = (xp.rint(u * size * self.SHIFT * chosen[0]) for u, size in ((down, h), (right, w)))
        x = roll(x, down=down.astype("int64"), right=right.astype("int64"))

        far = [
            xp.abs(xp.arange(size, dtype="float32") * (2.0 / (size - 1)) - 1.0 - centre[:, None]) > self.COVER
            for centre, size in ((row, h), (column, w))
        ]
        visible = xp.maximum(far[0][:, :, None] | far[1][:, None, :], 1.0 - chosen[1][:, None, None])
        x = x * visible[..., None].astype(x.dtype)

        brightness = self.BRIGHTNESS * light * chosen[2]
        return self.network(x + brightness.reshape(n, 1, 1, 1).astype(x.dtype), *labels)


@primitive
def roll(x, down, right):
    """y[n, i, j] = x[n, i + down[n], j + right[n]], around the edges        dL/dx = g rolled back"""
    xp, (n, h, w, c) = backend.xp, x.shape
    rows, columns = (xp.arange(h) + down[:, None]) % h, (xp.arange(w) + right[:, None]) % w
    index = (xp.arange(n)[:, None, None] * h + rows[:, :, None]) * w + columns[:, None, :]
    return x.reshape(-1, c).take(index, axis=0)


roll.defvjp(lambda g, y, x, down, right: roll(g, down=-down, right=-right))
