"""The checks of exercises 9 and 10: the step of the game, networks, an epoch, samples."""

from unittest import mock

import numpy as np

from .tools import Wrong, attempt, compare, not_none


class Descent:
    """p <- p - g. It also notes its step in `log`."""

    def __init__(self, name, parameters, log):
        self.name, self.parameters, self.log = name, parameters, log

    def step(self, gradients):
        self.log.append(self.name)
        for p, g in zip(self.parameters, gradients):
            if np.shape(g) != p.data.shape:
                raise Wrong(
                    f"{self.name}.step got the gradients of the other network: D_adam wants those of D.parameters, and "
                    "G_adam those of G.parameters."
                )
            p.data = p.data - g


def play(parts, step):
    """Let `step` do a step with two small networks. Return the weights of D and G, losses, and what was done: a list
    of "G(z)", "vjp of G", "D_adam" and "G_adam".
    """
    rng, log = np.random.default_rng(0), []
    Tensor, Linear, Sequential = parts[2].Tensor, parts[4].Linear, parts[4].Sequential
    noted = parts[2].operation(lambda x: (log.append("G(z)"), x)[1], lambda g, y, x: (log.append("vjp of G"), (g,))[1])
    G = Sequential(Linear(2, 3, rng), parts[2].tanh, noted, Linear(3, 2, rng))
    D = Sequential(Linear(2, 4, rng), parts[2].leaky_relu, Linear(4, 1, rng))
    real, z = Tensor(rng.normal(size=(5, 2)) + 2), Tensor(rng.normal(size=(5, 2)))
    optimisers = Descent("G_adam", G.parameters, log), Descent("D_adam", D.parameters, log)

    def explained(output, inputs, g=None):
        try:
            return parts[2].grad(output, inputs, g)
        except KeyError:
            network = "G" if inputs[0] is G.parameters[0] else "D"
            raise Wrong(f"the loss does not depend on the weights of {network}. {lost(network, log)}") from None

    with mock.patch.object(parts[9], "grad", explained):
        losses = step(G, D, *optimisers, real, z)
    weights = [np.concatenate([p.data.ravel() for p in network.parameters]) for network in (D, G)]
    return weights, losses, log


def lost(network, log):
    """Return the most likely reason why a loss does not depend on the weights of a network."""
    if network == "D":
        return "Most likely: it was given images. Call D on the images first: D(real), D(fake.detach())."
    if "D_adam" not in log:
        return "D learns first: D_adam.step wants grad(D_loss, D.parameters)."
    return "Most likely: G's loss was given fake.detach(), without the graph of G. (Or is this D's loss?)"


def steps(parts, swapped=False, early=False, both=False, saturating=False):
    """Return the step of the game. Each option makes a known mistake."""
    grad, m = parts[2].grad, parts[7]

    def step(G, D, G_adam, D_adam, real, z):
        fake = G(z)
        real_logits, fake_logits = D(real), D(fake)
        logits = (fake_logits, real_logits) if swapped else (real_logits, fake_logits)
        D_loss = m.discriminator_loss(*logits)
        D_adam.step(grad(D_loss, D.parameters))
        G_loss = (m.saturating_loss if saturating else m.generator_loss)(fake_logits if early else D(fake))
        gradients = grad(G_loss, [*G.parameters, *D.parameters])
        G_adam.step(gradients[: len(G.parameters)])
        if both:
            D_adam.step(gradients[len(G.parameters) :])
        return D_loss.data, G_loss.data

    return step


def game(parts):
    (right_D, right_G), right_losses, _ = play(parts, steps(parts))
    weights, losses, log = play(parts, parts[9].step)
    not_none("step", losses)
    if [name for name in log if name.endswith("adam")] == ["G_adam", "D_adam"]:
        raise Wrong(
            "G_adam.step came before D_adam.step: D learns first, so that the updated D judges the fake images."
        )
    wrong = lambda **mistake: play(parts, steps(parts, **mistake))[0]
    compare(
        "the weights of D after a step", weights[0], right_D,
        ("real and fake are swapped in D's loss.", wrong(swapped=True)[0]),
        ("G's phase changes D too: only the weights of G move there.", wrong(both=True)[0]),
        ("D was not updated.", at_the_start(parts)[0]), tolerance=1e-5,
    )  # fmt: skip
    compare(
        "the weights of G after a step", weights[1], right_G,
        ("D judged the fake images before its update. Call D(fake) again.", wrong(early=True)[1]),
        ("the saturating loss.", wrong(saturating=True)[1]),
        ("G was not updated.", at_the_start(parts)[1]), tolerance=1e-5,
    )  # fmt: skip
    if "vjp of G" in log[: log.index("D_adam")]:
        raise Wrong(
            "all weights are right, but D's phase also took derivatives in G, which nobody uses. Most likely: D's loss "
            "was given `fake` with its graph. Where is the detach?"
        )
    if log.count("G(z)") != 1:
        raise Wrong("all weights are right, but G was called again. Keep `fake`: both phases judge the same images.")
    if not isinstance(losses, tuple) or len(losses) != 2:
        raise Wrong("step must return (D's loss, G's loss).")
    if any(isinstance(loss, parts[2].Tensor) for loss in losses):
        raise Wrong(
            "step must return the losses as arrays, .data, not Tensors: these would keep both graphs in memory."
        )
    for name, found, expected, other in zip("DG", losses, right_losses, right_losses[::-1]):
        swapped = ("the two losses are swapped.", other)
        compare(f"the loss of {name} that step returns", found, expected, swapped, tolerance=1e-5)


def at_the_start(parts):
    """Return the weights of D and of G before a step."""
    return play(parts, lambda *args: None)[0]


def training(parts):
    """Check exercise 10, without its training."""
    m, rng = parts[10], np.random.default_rng(0)
    found = attempt("mnist_networks", "Which layers need which arguments?", m.mnist_networks, rng)
    if not isinstance(found, tuple) or len(found) != 2:
        raise Wrong("mnist_networks must return two networks: (G, D).")
    networks(parts, *found, parts[2].Tensor(rng.normal(size=(4, 64)).astype("float32")))
    epochs(parts)
    samples(parts, found[0], parts[2].Tensor(rng.normal(size=(4, 64)).astype("float32")))


def networks(parts, G, D, z):
    shapes = "The shape of a batch must fit the layer that gets it: Linear wants (N, n), ConvTranspose (N, H, W, C)."
    images = attempt("G(z)", shapes, G, z)
    if images.data.shape != (4, 28, 28, 1):
        raise Wrong(f"G(z) of four latent vectors has the shape {images.data.shape}, expected (4, 28, 28, 1).")
    logits = attempt("D(images)", shapes, D, images)
    if logits.data.shape != (4, 1):
        raise Wrong(f"D(images) of four images has the shape {logits.data.shape}, expected (4, 1): one logit each.")
    relu, norm, tanh = parts[2].leaky_relu, parts[6].BatchNorm, parts[2].tanh
    if G.layers[-1] is not tanh:
        raise Wrong("G must end with tanh: real pixels are between -1 and 1, and so must be those of G.")
    if D.layers[-1] is tanh:
        raise Wrong("D must end with Linear: a logit can be any number, but tanh keeps it between -1 and 1.")
    for name, network, norms in (("G", G, 2), ("D", D, 1)):
        layers = list(network.layers)
        if layers.count(relu) != 2:
            found = layers.count(relu)
            raise Wrong(f"{name} has leaky_relu {found} times, expected 2: without it, two linear layers are like one.")
        if sum(isinstance(layer, norm) for layer in layers) != norms:
            raise Wrong(f"{name} has another number of BatchNorm layers than {norms}.")
    if len({id(p) for p in (*G.parameters, *D.parameters)}) != 18:
        raise Wrong(f"G and D have {len(G.parameters)} and {len(D.parameters)} parameters (arrays), expected 10 and 8.")


def epochs(parts):
    m, rng, calls, real_step = parts[10], np.random.default_rng(0), [], parts[10].step
    G, D = m.ring_networks(rng)
    rows = np.arange(20.0, dtype="float32").reshape(10, 2)
    m.step = lambda G, D, G_adam, D_adam, real, z: (calls.append((G_adam, D_adam, real, z)), (len(calls), 0.0))[1]
    try:
        results = []
        for number in (10, 10, 8):
            before = len(calls)
            results.append(not_none("epoch", m.epoch(G, D, "G_adam", "D_adam", rows[:number], rng, batch=4)))
            sizes = [len(real.data) for _, _, real, _ in calls[before:]]
            if sizes != [4, 4]:
                raise Wrong(f"an epoch of {number} rows in batches of 4 calls step with {sizes} rows, expected [4, 4].")
    finally:
        m.step = real_step
    if any(call[:2] != ("G_adam", "D_adam") for call in calls):
        raise Wrong("step wants G_adam first, then D_adam.")
    if any(not isinstance(tensor, parts[2].Tensor) for call in calls for tensor in call[2:]):
        raise Wrong("step wants Tensors: put the rows into Tensor(...).")
    order = [np.concatenate([real.data[:, 0] for _, _, real, _ in part]) for part in (calls[:2], calls[2:4])]
    if any(len(set(rows)) < 8 for rows in order):
        raise Wrong("a row is used twice in an epoch: go through one random order, rng.permutation(len(rows)).")
    if np.array_equal(*order):
        raise Wrong("two epochs have the same order: draw a new one with rng.permutation(len(rows)) in each call.")
    z = [tensor.data for *_, tensor in calls]
    if z[0].shape != (4, 2):
        raise Wrong(f"the latent vectors have the shape {z[0].shape}, expected (4, 2): latent(G, batch, rng).")
    if np.array_equal(z[0], z[1]):
        raise Wrong("two steps have the same latent vectors: call latent anew for each batch.")
    if results[0] != (2, 0.0):
        raise Wrong("epoch must return what its last step has returned.")


def samples(parts, G, z):
    m, Tensor = parts[10], parts[2].Tensor
    norms = [layer for layer in G.layers if isinstance(layer, parts[6].BatchNorm)]
    before = [norm.running_mean.copy() for norm in norms]
    found = not_none("sample(G, z)", m.sample(G, z))
    if isinstance(found, Tensor):
        raise Wrong("sample must return an array: .data of the Tensor.")
    if any(not np.array_equal(old, norm.running_mean) for old, norm in zip(before, norms)):
        raise Wrong("sample has changed the running averages of BatchNorm: set training to False before G(z).")
    alone = np.concatenate([m.sample(G, Tensor(z.data[i : i + 1])) for i in range(len(z.data))])
    if not np.allclose(found, alone, atol=1e-4):
        raise Wrong("a sample depends on the others of its batch: set training to False in all BatchNorm layers.")
    if not all(norm.training for norm in norms):
        raise Wrong("BatchNorm is still in evaluation after sample: set training to True again.")
