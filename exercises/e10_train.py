"""Exercise 10: train, with your own code of exercises 1 to 9.                                 (the tour, stops 5 to 7)

Two networks, batches of real images, latent vectors from N(0, 1), and thousands of steps. After its check, this trains:

    python -m exercises 10             the ring, eight clusters (G covers 5 to 7): a minute or two, draws ring.png
    python -m exercises 10 --mnist     digits: some minutes, draws mnist.png after each epoch

Question: train the ring with saturating_loss in exercise 9, then also with lr=5e-3 in exercise 8. When does it fail?
"""

import numpy as np

from exercises.pictures import draw
from tinygan import data

from .e02_graph import Tensor, leaky_relu, tanh
from .e04_linear import Linear, Sequential, reshape
from .e05_convolution import Conv, ConvTranspose
from .e06_batchnorm import BatchNorm
from .e08_adam import Adam
from .e09_game import step


def ring_networks(rng):
    """An example: G makes a point (N, 2) of a latent vector (N, 2), and D makes a logit (N, 1) of a point."""
    G = Sequential(Linear(2, 128, rng), leaky_relu, Linear(128, 128, rng), leaky_relu, Linear(128, 2, rng))
    D = Sequential(Linear(2, 128, rng), leaky_relu, Linear(128, 128, rng), leaky_relu, Linear(128, 1, rng))
    return G, D


def to_shape(*shape):
    """Return a layer that gives each row of a batch this shape."""
    return lambda x: reshape(x, shape=(-1, *shape))


def mnist_networks(rng):
    """Return (G, D). G: latent vectors (N, 64) -> images (N, 28, 28, 1) in (-1, 1). D: images -> logits (N, 1).

    G: Linear to 7 * 7 * 32 numbers, to_shape, ConvTranspose to 16 channels, ConvTranspose to 1, tanh. BatchNorm and
    leaky_relu, in either order, before each ConvTranspose. D: Conv to 16 channels, Conv to 32, BatchNorm, to_shape,
    Linear. leaky_relu after the first Conv and after BatchNorm."""
    ...


def latent(G, n, rng):
    return Tensor(rng.standard_normal((n, len(G.parameters[0].data)), "float32"))


def epoch(G, D, G_adam, D_adam, rows, rng, batch=64):
    """Do a step for each full batch of `rows`, an array (N, ...), in a new random order. Each step gets Tensors: rows,
    and new latent vectors. Return what the last step has returned."""
    ...


def sample(G, z):
    """Return the array G(z), with all BatchNorm layers of G.layers in evaluation. Then set them to training again."""
    ...


def train(world, epochs):
    """Train on the "ring" or on "mnist". Return the last samples."""
    rng = np.random.default_rng(0)
    rows = data.load("ring").images if world == "ring" else data.to_float(data.load().images)
    G, D = ring_networks(rng) if world == "ring" else mnist_networks(rng)
    G_adam, D_adam, z = Adam(G.parameters), Adam(D.parameters), latent(G, 64 if world == "mnist" else 2000, rng)
    for i in range(epochs):
        D_loss, G_loss = epoch(G, D, G_adam, D_adam, rows, rng)
        print(f"epoch {i + 1} of {epochs}: loss of D {D_loss:.2f}, of G {G_loss:.2f}")
        draw(f"{world}.png", sample(G, z))
    return sample(G, z)
