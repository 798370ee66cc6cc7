"""Augmentation of the images that D gets, for small data sets (Zhao et al. 2020).

D memorises a small data set, and then its gradient no longer helps G. So every image, real or fake, is changed at
random before D: shifted (what leaves the image comes in on the other side), partly covered, made brighter or darker.
The changes are differentiable, so the gradient reaches G. Real and fake images get changes of the same kinds, so the
changes do not help D to distinguish them.
"""

from .. import backend
from ..autograd import Tensor, primitive
from ..layers import Module


class Augmented(Module):
    """D(T(x)), where T makes each of three changes with probability p. x: images (N, H, W, C) in [-1, 1]"""

    SHIFT, COVER = 1 / 8, 1 / 4  # fractions of a side: the largest shift, and the width of the covered area
    BRIGHTNESS = 0.5  # the largest change of a pixel

    def __init__(self, network: Module, p: float, rng) -> None:
        self.network, self.p, self.rng = network, p, rng

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        xp, (n, h, w, _) = backend.xp, x.shape
        chosen = (self.rng.uniform((n, 3)) < self.p).astype("float32").T
        up, left, row, column, light = self.rng.uniform((n, 5)).T * 2.0 - 1.0

        up, left = (xp.rint(u * size * self.SHIFT * chosen[0]) for u, size in ((up, h), (left, w)))
        x = roll(x, up=up.astype("int64"), left=left.astype("int64"))

        far = [
            xp.abs(xp.arange(size, dtype="float32") * (2.0 / (size - 1)) - 1.0 - centre[:, None]) > self.COVER
            for centre, size in ((row, h), (column, w))
        ]
        visible = xp.maximum(far[0][:, :, None] | far[1][:, None, :], 1.0 - chosen[1][:, None, None])
        x = x * visible[..., None].astype(x.dtype)

        brightness = self.BRIGHTNESS * light * chosen[2]
        return self.network(x + brightness.reshape(n, 1, 1, 1).astype(x.dtype), *labels)


@primitive
def roll(x, up, left):
    """y[n, i, j] = x[n, (i + up[n]) % H, (j + left[n]) % W]        dL/dx = g, rolled by -up and -left"""
    xp, (n, h, w, c) = backend.xp, x.shape
    rows, columns = (xp.arange(h) + up[:, None]) % h, (xp.arange(w) + left[:, None]) % w
    index = (xp.arange(n)[:, None, None] * h + rows[:, :, None]) * w + columns[:, None, :]
    return x.reshape(-1, c).take(index, axis=0)


roll.defvjp(lambda g, y, x, up, left: roll(g, up=-up, left=-left))
