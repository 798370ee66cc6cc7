"""Spectral normalisation: a layer's weights divided by their largest singular value (Miyato et al. 2018).

sigma(W) = max |W v| / |v| is how much the layer can enlarge a difference between two inputs. With W / sigma(W) in
every layer, D's slope is bounded (by 1 in a linear layer; in a convolution times the overlap of its patches, as in the
paper), and G always has a direction to follow.
"""

from .. import backend
from ..autograd import Tensor
from .module import Module


class SpectralNorm(Module):
    """weight -> weight / (u^T W v), W the weight as a matrix (inputs, outputs), u and v its first singular vectors.

    The vectors are found by power iteration, v <- W^T u / |.|, u <- W v / |.|, one round a training step since W moves
    slowly. They are constants to the derivative (paper, appendix A), and all passes of a step see the same ones: so
    the round is not part of forward.
    """

    def __init__(self, weight, rng, rounds=10):
        rows, columns = weight.size // weight.shape[-1], weight.shape[-1]
        self.u, self.v = rng.normal((rows,)), backend.xp.zeros(columns, "float32")
        for _ in range(rounds):
            self.iterate(weight)

    def matrix(self, weight):
        return weight.reshape(len(self.u), len(self.v))

    def iterate(self, weight):
        """One round of power iteration, in place. Sums of products: a captured step may not call CuPy's matmul."""
        w = self.matrix(weight.data)
        self.v[...] = (w * self.u[:, None]).sum(0)
        self.v /= _norm(self.v)
        self.u[...] = (w * self.v).sum(1)
        self.u /= _norm(self.u)

    def forward(self, weight):
        sigma = (self.matrix(weight) * Tensor(self.u[:, None] * self.v)).sum()
        return weight / sigma


def _norm(x):
    return backend.xp.sqrt((x * x).sum()) + 1e-12


def spectral_norm(network, rng):
    """Put spectral normalisation on every layer of a network that has a weight. Returns the network."""
    for layer in network.modules():
        if hasattr(layer, "weight"):
            layer.spectral = SpectralNorm(layer.weight, rng)
    return network


def power_iteration(network):
    """One round for every normalised layer of a network; nothing where there is none."""
    for layer in network.modules():
        if getattr(layer, "spectral", None) is not None:
            layer.spectral.iterate(layer.weight)
