"""Spectral normalisation: divide a layer's weights by their largest singular value (Miyato et al. 2018).

sigma(W) = max |x W| / |x| is the largest factor by which the layer can stretch a difference between two inputs. With
W / sigma(W) in every layer the gradient of D is bounded. For linear layers the bound is 1. As in the paper, the weights
of a convolution are treated as one matrix. The bound of a convolution is larger than 1, because patches overlap.
"""

from .. import backend
from ..autograd import Tensor
from ..backend import Array
from .module import Module


class SpectralNorm(Module):
    """weight -> weight / (u^T W v)        W: the weight as a matrix (inputs, outputs); u, v: its first singular vectors

    Power iteration finds the vectors: v <- W^T u / |W^T u|, u <- W v / |W v|. One round before each update of D is
    enough, because W changes slowly. The derivative treats u and v as constants (paper, appendix A). All calls of
    D in one update must use the same u and v, so forward does not iterate.
    """

    def __init__(self, weight: Tensor, rng, rounds: int = 10) -> None:
        rows, columns = weight.size // weight.shape[-1], weight.shape[-1]
        self.u, self.v = rng.normal((rows,), weight.dtype), backend.xp.zeros(columns, weight.dtype)
        for _ in range(rounds):
            self.iterate(weight)

    def iterate(self, weight: Tensor) -> None:
        """Do one round of power iteration, in place."""
        w = weight.data.reshape(len(self.u), len(self.v))
        self.v[...] = unit(backend.matmul(self.u[None], w)[0])
        self.u[...] = unit(backend.matmul(w, self.v[:, None])[:, 0])

    def forward(self, weight: Tensor) -> Tensor:
        u, v = Tensor(self.u[None]), Tensor(self.v[:, None])
        return weight / (u @ weight.reshape(u.size, v.size) @ v).reshape(())


def unit(x: Array) -> Array:
    """x / |x|        A small number prevents a division by zero."""
    return x / (backend.xp.sqrt((x * x).sum()) + 1e-12)


def spectral_norm(network: Module, rng) -> Module:
    """Add spectral normalisation to every layer of a network that has a weight. Returns the network."""
    for layer in network.modules():
        if hasattr(layer, "weight"):
            layer.spectral = SpectralNorm(layer.weight, rng)  # type: ignore[attr-defined]
    return network


def power_iteration(network: Module) -> None:
    """Do one round of power iteration for each layer of a network that has spectral normalisation."""
    for layer in network.modules():
        if getattr(layer, "spectral", None) is not None:
            layer.spectral.iterate(layer.weight)  # type: ignore[attr-defined]
