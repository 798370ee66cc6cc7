"""Presets of tinygan in PyTorch, with the same networks and arithmetic, for comparison.

Not compared: the average of G's weights and schedules. In sngan, PyTorch iterates the singular vectors in each pass of
D, and tinygan once for each update of D.
"""

import torch
from torch import nn
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm

ADAM = {
    "vanilla": dict(lr=2e-4, betas=(0.5, 0.999)),
    "dcgan": dict(lr=8e-4, betas=(0.5, 0.999)),
    "cgan": dict(lr=8e-4, betas=(0.5, 0.999)),
    "wgan-gp": dict(lr=2e-4, betas=(0.5, 0.9)),
    "sngan": dict(lr=8e-4, betas=(0.5, 0.999)),
    "r3gan": dict(lr=1e-3, betas=(0.0, 0.9)),
}
LATENT = {"vanilla": 64, "wgan-gp": 100, "r3gan": 100}  # else 32
SECOND_DERIVATIVES = ("wgan-gp", "r3gan")  # presets with a penalty on the gradient of D
N_CRITIC = {"wgan-gp": 5}
CLASSES = {"cgan": 10}  # only for conditional presets
DEPTH = {"cgan": (1, 2)}  # convolutions of G and of D that keep the size
WRONG_LABELS = {"cgan": 0.15}  # the weight, in D's loss, of real images with a wrong label


def networks(preset, channels_last=False):
    """Return G, D and the latent size of a preset."""
    leaky = nn.LeakyReLU(0.2)
    if preset == "vanilla":
        G = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh(),
            nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip
        D = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), leaky, nn.Linear(256, 256), leaky, nn.Linear(256, 1))
        return G, D, LATENT[preset]
    latent, classes, (G_depth, D_depth) = LATENT.get(preset, 32), CLASSES.get(preset, 0), DEPTH.get(preset, (0, 0))
    norm = preset != "r3gan"  # BatchNorm in G

    def activation(channels):
        return (nn.BatchNorm2d(channels), nn.ReLU()) if norm else (leaky,)

    G = nn.Sequential(
        nn.Linear(latent + classes, 3136, bias=not norm), nn.Unflatten(1, (64, 7, 7)), *activation(64),
        *(x for _ in range(G_depth) for x in (nn.Conv2d(64, 64, 3, 1, 1, bias=False), *activation(64))),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=not norm), *activation(32),
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    norm = preset not in ("sngan", *SECOND_DERIVATIVES)  # BatchNorm in D
    convolutions = [nn.Conv2d(1 + classes, 32, 4, 2, 1), nn.Conv2d(32, 64, 4, 2, 1, bias=not norm)]
    convolutions += [nn.Conv2d(64, 64, 3, 1, 1, bias=not norm) for _ in range(D_depth)]
    if preset == "sngan":
        convolutions = [nn.Conv2d(1, 16, 3, 1, 1), nn.Conv2d(16, 32, 4, 2, 1)]
        convolutions += [nn.Conv2d(32, 32, 3, 1, 1), nn.Conv2d(32, 64, 4, 2, 1)]
    first, *others = [spectral_norm(x) if preset == "sngan" else x for x in (*convolutions, nn.Linear(3136, 1))]
    last = others.pop()
    blocks = (x for conv in others for x in (conv, *([nn.BatchNorm2d(64)] if norm else []), leaky))
    D = nn.Sequential(first, leaky, *blocks, nn.Flatten(), last)
    if channels_last:
        G, D = G.to(memory_format=torch.channels_last), D.to(memory_format=torch.channels_last)
    return G, D, latent


class TorchGAN:
    """A training step like tinygan's: D learns from real and fake images, then G learns from the same fake images.

    labels: the class of each image, for a conditional preset. capturable: keep the state of Adam on the device, so that
    a CUDA graph can contain the step. On CUDA, Adam is one fused kernel.
    """

    def __init__(self, preset, images, batch_size, channels_last=False, device="cpu", capturable=False, labels=None):
        self.G, self.D, self.latent = networks(preset, channels_last)
        options = ADAM[preset]
        self.G_optimizer, self.D_optimizer = (
            torch.optim.Adam(network.to(device).parameters(), **options, capturable=capturable, fused=device != "cpu")
            for network in (self.G, self.D)
        )
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)
        self.classes, self.wrong_labels = CLASSES.get(preset, 0), WRONG_LABELS.get(preset, 0.0)
        if self.classes:
            self.one_hot = nn.functional.one_hot(torch.from_numpy(labels).long(), self.classes).float().to(device)
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.device, self.batch_size, self.n_critic = device, batch_size, N_CRITIC.get(preset, 1)
        self.order = torch.randperm(len(images), device=device)
        self.within_batch = torch.arange(batch_size, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        losses = {
            "wgan-gp": (self.critic_loss, self.negative_mean),
            "sngan": (self.hinge_loss, self.negative_mean),
            "r3gan": (self.relativistic_loss, self.relativistic_generator_loss),
        }
        default = self.bce_loss, self.non_saturating_loss
        self.discriminator_loss, self.generator_loss = losses.get(preset, default)

    def batch(self):
        index = self.order[self.position + self.within_batch]
        self.position += self.batch_size
        self.position %= len(self.order) - self.batch_size
        self.labels = self.one_hot[index] if self.classes else None
        return (self.images[index].float() / 127.5 - 1).contiguous(memory_format=self.format)

    def generate(self, noise):
        """Return G's images. A conditional G gets the labels as further numbers of the latent vector."""
        return self.G(torch.cat([noise, self.labels], 1) if self.classes else noise)

    def discriminate(self, images):
        """Return D's logits. A conditional D gets the labels as further channels, each constant over the image."""
        if self.classes:
            maps = self.labels[:, :, None, None].expand(-1, -1, *images.shape[2:])
            images = torch.cat([images, maps], 1).contiguous(memory_format=self.format)
        return self.D(images)

    def noise(self):
        return torch.randn(self.batch_size, self.latent, device=self.device)

    def bce_loss(self, real, fake):
        loss = softplus(-self.discriminate(real)).mean() + softplus(self.discriminate(fake)).mean()
        return loss + self.wrong_labels * self.wrong_label_loss(real) if self.wrong_labels else loss

    def wrong_label_loss(self, real):
        """Return D's loss on real images with the label of another class."""
        labels = self.labels
        moved = torch.randint(1, self.classes, (len(real), 1), device=self.device)
        index = (torch.arange(self.classes, device=self.device) - moved) % self.classes
        self.labels = labels.gather(1, index)
        loss = softplus(self.discriminate(real)).mean()
        self.labels = labels
        return loss

    def non_saturating_loss(self, fake):
        return softplus(-self.discriminate(fake)).mean()

    def critic_loss(self, real, fake):
        """Return the Wasserstein loss plus 10 times the gradient penalty."""
        t = torch.rand(len(real), 1, 1, 1, device=self.device)
        between = (fake + t * (real - fake)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.D(between).sum(), between, create_graph=True)
        penalty = (((gradient * gradient).sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()
        return self.D(fake).mean() - self.D(real).mean() + 10 * penalty

    def negative_mean(self, fake):
        return -self.D(fake).mean()

    def hinge_loss(self, real, fake):
        return relu(1 - self.D(real)).mean() + relu(1 + self.D(fake)).mean()

    def relativistic_loss(self, real, fake):
        """Return the relativistic loss plus half of the squared norms of the gradients at real and at fake images."""
        real, fake = real.requires_grad_(), fake.requires_grad_()
        real_logits, fake_logits = self.D(real), self.D(fake)
        gradients = torch.autograd.grad((real_logits + fake_logits).sum(), (real, fake), create_graph=True)
        penalty = 0.5 * sum((g * g).sum((1, 2, 3)).mean() for g in gradients)
        self.real = real.detach()  # for G's loss
        return softplus(fake_logits - real_logits).mean() + penalty

    def relativistic_generator_loss(self, fake):
        with torch.no_grad():
            real_logits = self.D(self.real)
        return softplus(real_logits - self.D(fake)).mean()

    def step(self):
        for _ in range(self.n_critic):
            self.D_optimizer.zero_grad()
            real = self.batch()
            fake = self.generate(self.noise())
            self.discriminator_loss(real, fake.detach()).backward()
            self.D_optimizer.step()

        self.G_optimizer.zero_grad()
        self.generator_loss(fake).backward()
        self.G_optimizer.step()


def compile_parts(gan, preset, mode=None):
    """Compile all parts of a step: batch, noise, fake images, both losses with their gradients, both updates.

    torch.compile refuses second derivatives, so D's loss is not compiled if it has a penalty. mode: see torch.compile.
    """
    names = ["batch", "noise", "generate", "generator_loss"]
    for name in [*names, *([] if preset in SECOND_DERIVATIVES else ["discriminator_loss"])]:
        setattr(gan, name, torch.compile(getattr(gan, name), mode=mode))
    for optimizer in (gan.G_optimizer, gan.D_optimizer):
        optimizer.step = torch.compile(optimizer.step)
