"""Answer 9: all weights stay the same. But D's phase also takes the derivatives of G, which nobody uses: lost time."""

from .e02_graph import grad
from .e07_losses import discriminator_loss, generator_loss


def step(G, D, G_adam, D_adam, real, z):
    fake = G(z)
    D_loss = discriminator_loss(D(real), D(fake.detach()))
    D_adam.step(grad(D_loss, D.parameters))
    G_loss = generator_loss(D(fake))
    G_adam.step(grad(G_loss, G.parameters))
    return D_loss.data, G_loss.data
