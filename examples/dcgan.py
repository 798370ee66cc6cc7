"""A DCGAN on MNIST, complete in one file: python examples/dcgan.py

Writes dcgan_1.png, dcgan_2.png, ... after each epoch. train.py adds presets, checkpoints and metrics.
"""

from tinygan import Adam, Tensor, backend, data, grad, losses, no_grad, save_grid, tune, use
from tinygan import layers as nn

use("auto")  # CUDA if it works, else the CPU
tune()  # use all cores
rng = backend.RNG(0)
batches = data.Batches(data.load(), batch_size=64, seed=0)

G = nn.Sequential(  # 64 random numbers -> an image (28, 28, 1) in (-1, 1)
    nn.Linear(64, 7 * 7 * 64, rng, bias=False), nn.Reshape(7, 7, 64), nn.BatchNorm(64), nn.ReLU(),
    nn.ConvTranspose2d(64, 32, 4, rng, stride=2, padding=1, bias=False), nn.BatchNorm(32), nn.ReLU(),
    nn.ConvTranspose2d(32, 1, 4, rng, stride=2, padding=1), nn.Tanh(),
)  # fmt: skip
D = nn.Sequential(  # an image -> a logit: positive for "real"
    nn.Conv2d(1, 32, 4, rng, stride=2, padding=1), nn.LeakyReLU(0.2),
    nn.Conv2d(32, 64, 4, rng, stride=2, padding=1, bias=False), nn.BatchNorm(64), nn.LeakyReLU(0.2),
    nn.Flatten(), nn.Linear(7 * 7 * 64, 1, rng),
)  # fmt: skip
G_optimizer, D_optimizer = Adam(G, lr=5e-4), Adam(D, lr=5e-4)
fixed = Tensor(rng.normal((64, 64)))  # the same latent vectors for every picture

for epoch in range(3):
    batches.start_epoch(epoch)
    for step in range(batches.steps_per_epoch):
        (images,) = batches.next()
        real = Tensor(images)
        fake = G(Tensor(rng.normal((64, 64))))
        D_loss = losses.bce_discriminator(D(real), D(fake.detach()))
        D_optimizer.step(grad(D_loss, D_optimizer.parameters))

        G_loss = losses.bce_generator(None, D(fake))
        G_optimizer.step(grad(G_loss, G_optimizer.parameters))
        if step % 100 == 0:
            print(f"epoch {epoch + 1}, step {step}: loss of D {D_loss.item():.2f}, of G {G_loss.item():.2f}")

    G.eval()
    with no_grad():
        save_grid(f"dcgan_{epoch + 1}.png", data.to_pixels(G(fixed).numpy()))
    G.train()
