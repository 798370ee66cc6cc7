"""The presets vanilla and dcgan in PyTorch, as plainly as PyTorch lets one write them: the same networks and the same
arithmetic, for comparison only."""

import torch
from torch import nn
from torch.nn.functional import softplus


def networks(preset, channels_last=False):
    """(G, D, latent size) of a preset."""
    leaky = nn.LeakyReLU(0.2)
    if preset == "vanilla":
        G = nn.Sequential(
            nn.Linear(96, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 784), nn.Tanh(),
            nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip
        D = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), leaky, nn.Linear(256, 256), leaky, nn.Linear(256, 1))
        return G, D, 96
    G = nn.Sequential(
        nn.Linear(100, 6272, bias=False), nn.Unflatten(1, (128, 7, 7)), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    D = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), leaky, nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), leaky,
        nn.Flatten(), nn.Linear(6272, 1),
    )  # fmt: skip
    if channels_last:
        G, D = G.to(memory_format=torch.channels_last), D.to(memory_format=torch.channels_last)
    return G, D, 100


class TorchGAN:
    """A training step like tinygan's: a batch from bytes, D on real and fake, then G, each with its Adam."""

    def __init__(self, preset, images, batch_size, channels_last=False):
        self.G, self.D, self.latent = networks(preset, channels_last)
        self.G_optimizer, self.D_optimizer = (
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (self.G, self.D)
        )
        self.images, self.batch_size = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), batch_size
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.order = torch.randperm(len(images))
        self.position = 0

    def step(self):
        n = self.batch_size
        index = self.order[self.position : self.position + n]
        self.position = (self.position + n) % (len(self.order) - n)
        real = (self.images[index].float() / 127.5 - 1).contiguous(memory_format=self.format)

        fake = self.G(torch.randn(n, self.latent)).detach()
        loss = softplus(-self.D(real)).mean() + softplus(self.D(fake)).mean()
        self.D_optimizer.zero_grad()
        loss.backward()
        self.D_optimizer.step()

        loss = softplus(-self.D(self.G(torch.randn(n, self.latent)))).mean()
        self.G_optimizer.zero_grad()
        loss.backward()
        self.G_optimizer.step()
