"""The classifier whose features the metrics use. It is a small network that is trained on the labels of the data.

The metrics compare features of images, because a distance between pixels says little about the content of an image. The
features are the last hidden activations of the classifier. The FID compares features of the Inception network
(Heusel et al. 2017); the distances here are not FIDs, because the network is another one.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .. import backend
from ..autograd import Tensor, exp, grad, log, no_grad
from ..data import to_float
from ..layers import BatchNorm, Conv2d, LeakyReLU, Linear, Module, Sequential
from ..layers.initial import he_normal
from ..optim import Adam

FEATURES = 128
BATCH, EPOCHS, LEAST_STEPS, LR = 128, 10, 200, 2e-3
SHIFT, NOISE = 2, 50  # the largest shift of a training image, in pixels; the largest standard deviation of its noise


class Classifier(Module):
    """Images (N, H, W, channels) in [-1, 1] -> features (N, 128) -> logits (N, classes), for any H and W.

    A feature is the mean of a channel over all positions of the image.
    """

    def __init__(self, channels, classes, rng):
        self.body = Sequential(
            *convolution(channels, 32, 5, rng, stride=2, padding=2),
            *convolution(32, 32, 3, rng, padding=1),
            *convolution(32, 64, 4, rng, stride=2, padding=1),
            *convolution(64, 64, 3, rng, stride=2, padding=1),
            *convolution(64, FEATURES, 3, rng, padding=1),
        )
        self.head = Linear(FEATURES, classes, rng)

    def features(self, x):
        return self.body(x).mean(axis=(1, 2))

    def forward(self, x):
        return self.head(self.features(x))

    def predict(self, images, batch=256):
        """Return (features, logits) of images, uint8 (N, H, W, C), as NumPy arrays of float64."""
        self.eval()
        with no_grad():
            batches = (images[i : i + batch] for i in range(0, len(images), batch))
            features = [self.features(Tensor(to_float(backend.to_device(b)))) for b in batches]
            logits = [self.head(x) for x in features]
        return tuple(np.concatenate([x.numpy() for x in results]).astype(np.float64) for results in (features, logits))


def convolution(n_in, n_out, kernel, rng, **options):
    return Conv2d(n_in, n_out, kernel, rng, bias=False, init=he_normal, **options), BatchNorm(n_out), LeakyReLU(0.1)


def cross_entropy(logits, one_hot):
    """-E log p(y|x),  log p(y|x) = l_y - log sum_j e^(l_j)        logits l, one_hot labels y: (N, classes)

    The largest logit is subtracted from all logits, so e^l cannot overflow. This does not change the result.
    """
    shifted = logits - logits.data.max(axis=1, keepdims=True)
    return (log(exp(shifted).sum(axis=1)) - (shifted * one_hot).sum(axis=1)).mean()


def train(dataset, seed=0, progress=iter, saved=None, keep=None):
    """Train a Classifier on a Dataset with labels, and return it. Images are shifted at random and get noise.

    The learning rate falls to zero on a cosine curve. progress: a function such as tqdm, which wraps the iterator of
    steps. keep: a function that is called with the state of the training, {name: array}, after Ctrl-C. saved: a
    state that `keep` got; training continues from it.
    """
    images, labels = dataset.images, dataset.labels
    batch = min(BATCH, len(images))
    per_epoch = len(images) // batch
    steps = max(EPOCHS * per_epoch, LEAST_STEPS)
    host = np.random.default_rng(seed)
    network = Classifier(images.shape[3], dataset.classes, backend.RNG(seed))
    optimizer = Adam(network, LR, betas=(0.9, 0.999))
    one_hot = np.eye(dataset.classes, dtype=np.float32)
    parts = {"network": network, "optimizer": optimizer}
    done = int(saved["step"]) if saved else 0
    for name, part in parts.items() if saved else ():
        part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in saved.items() if k.startswith(f"{name}.")})
    try:
        for step in progress(range(steps)):
            if step % per_epoch == 0:
                order = host.permutation(len(images))
            index = order[step % per_epoch * batch :][:batch]
            pixels = disturbed(images[index], host)
            if step < done:  # this step is in `saved`; only its random numbers had to be drawn again
                continue
            x, y = backend.to_device(pixels), backend.to_device(one_hot[labels[index]])
            optimizer.lr[...] = LR * 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.step(grad(cross_entropy(network(Tensor(to_float(x))), y), optimizer.parameters))
            done = step + 1
    except KeyboardInterrupt:
        if keep and done:
            state = {f"{name}.{key}": array for name, part in parts.items() for key, array in part.state_dict().items()}
            keep({name: backend.to_host(array) for name, array in state.items()} | {"step": np.array(done)})
        raise
    return network.eval()


def disturbed(images, rng):
    """Return images, uint8 (N, H, W, C), shifted and with noise of random strength.

    Generated images can have noise. A classifier that was trained without noise can give wrong classes for them.
    """
    strength = rng.uniform(0, NOISE, (len(images), 1, 1, 1)).astype(np.float32)
    noise = strength * rng.standard_normal(images.shape, np.float32)
    return np.clip(np.rint(moved(images, rng) + noise), 0, 255).astype(np.uint8, order="C")


def moved(images, rng):
    """Return images, uint8 (N, H, W, C), shifted by up to SHIFT pixels in both directions. Edge pixels are repeated."""
    around = (SHIFT, SHIFT)
    padded = np.pad(images, ((0, 0), around, around, (0, 0)), mode="edge")
    windows = sliding_window_view(padded, images.shape[1:3], axis=(1, 2))  # (N, 5, 5, C, H, W)
    down, right = rng.integers(0, 2 * SHIFT + 1, (2, len(images)))
    return windows[np.arange(len(images)), down, right].transpose(0, 2, 3, 1)
