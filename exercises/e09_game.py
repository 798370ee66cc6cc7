"""Exercise 9: one step of the game.                                                           (the tour, stop 6)

G makes fake images of latent vectors z. First D learns to tell real from fake. Then G learns: the updated D judges the
same fake images, the gradient flows through D into G, and only the weights of G move.

    D: min  E softplus(-D(x)) + E softplus(D(G(z)))        G: min  E softplus(-D(G(z)))

D's loss gets the fake images as a constant, fake.detach(): the backward pass of D need not walk through G.

Question: remove the detach. What changes, and what does not? (The check counts the derivatives taken in G.)
"""

from .e02_graph import grad
from .e07_losses import discriminator_loss, generator_loss


def step(G, D, G_adam, D_adam, real, z):
    """Do one training step. real: a Tensor of real images, z: a Tensor of latent vectors, one for each image.

    G.parameters and D.parameters are the lists for grad. Return (D's loss, G's loss), as arrays of one number.
    """
    ...
