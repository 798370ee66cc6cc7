"""Adam computes what its paper says, and its state can be saved and restored."""

import numpy as np
import pytest

from tinygan import Tensor, backend, grad
from tinygan.layers import Linear, Sequential
from tinygan.optim import Adam


def textbook_adam(p, gradients, lr, betas, eps=1e-8):
    """Return p after a step of Adam for each of the gradients        (Kingma & Ba 2015, algorithm 1)"""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("betas", [(0.5, 0.999), (0.9, 0.99), (0.0, 0.9)])
def test_100_steps_equal_the_papers_algorithm(betas, dtype, tolerance, rng):
    network = Sequential(Linear(3, 4, rng), Linear(4, 1, rng)).flatten(dtype)
    optimizer = Adam(network, lr=0.01, betas=betas)
    host = np.random.default_rng(0)
    start = [p.numpy().astype("float64") for p in network.parameters()]
    gradients = [[host.standard_normal(p.shape).astype(dtype) for p in network.parameters()] for _ in range(100)]
    for step in gradients:
        optimizer.step([Tensor(backend.to_device(g)) for g in step])
    for i, parameter in enumerate(network.parameters()):
        expected = textbook_adam(start[i], [step[i].astype("float64") for step in gradients], 0.01, betas)
        np.testing.assert_allclose(parameter.numpy(), expected, atol=tolerance, rtol=tolerance)


def test_by_default_adam_has_the_betas_of_dcgan(rng):
    network = Linear(3, 4, rng).flatten("float64")
    optimizer, start = Adam(network), network.weight.numpy().copy()
    gradients = [1e-8 * np.random.default_rng(i).standard_normal((3, 4)) for i in range(3)]  # so small that eps matters
    for g in gradients:
        optimizer.step([Tensor(backend.to_device(g)), Tensor(backend.xp.zeros(4))])
    expected = textbook_adam(start, gradients, 2e-4, (0.5, 0.999), 1e-8)
    np.testing.assert_allclose(network.weight.numpy(), expected, rtol=1e-12)


def test_an_update_makes_earlier_graphs_invalid(rng):
    network = Linear(2, 1, rng)
    optimizer = Adam(network)
    y = network(Tensor(rng.normal((3, 2)))).sum()
    loss = (y * y).sum()
    optimizer.step(grad(y, network.parameters(), create_graph=True))
    with pytest.raises(RuntimeError, match="updated in place"):
        grad(loss, network.parameters())


def test_a_step_updates_parameters_in_place(rng):
    network = Linear(2, 1, rng)
    optimizer = Adam(network)
    arrays = [id(p.data) for p in network.parameters()]
    optimizer.step([Tensor(backend.xp.ones(p.shape, "float32")) for p in network.parameters()])
    assert [id(p.data) for p in network.parameters()] == arrays


def test_the_state_of_adam_names_parameters_and_can_be_restored(rng):
    def make():
        network = Linear(2, 1, backend.RNG(0))
        return network, Adam(network)

    (network, optimizer), (copy, restored) = make(), make()
    g = [Tensor(rng.normal(p.shape)) for p in network.parameters()]
    optimizer.step(g)
    assert list(optimizer.state_dict()) == ["t", "lr", "one_minus_beta2", "m.weight", "m.bias", "v.weight", "v.bias"]
    copy.load_state_dict({k: backend.to_host(v).copy() for k, v in network.state_dict().items()})
    restored.load_state_dict({k: backend.to_host(v).copy() for k, v in optimizer.state_dict().items()})
    optimizer.step(g)
    restored.step(g)
    assert all((a.numpy() == b.numpy()).all() for a, b in zip(network.parameters(), copy.parameters()))


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused(lr, rng):
    with pytest.raises(ValueError, match="learning rate"):
        Adam(Linear(2, 1, rng), lr=lr)
