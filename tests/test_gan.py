"""Each phase of a training step computes its loss and updates one network. A step frees its memory."""

import gc
import tracemalloc

import numpy as np
import pytest
from games import SHAPE, SameBatch, build, images, same, snapshot, steps

from tinygan import Tensor, backend, grad
from tinygan.autograd import PRIMITIVES
from tinygan.gan.gan import GAN
from tinygan.gan.health import METRICS
from tinygan.gan.presets import PRESETS


@pytest.fixture
def count_calls(monkeypatch):
    """Return {name of a primitive: number of its calls during the test}."""
    calls = dict.fromkeys(PRIMITIVES, 0)

    def counted(name, forward):
        def call(*args, **kwargs):
            calls[name] += 1
            return forward(*args, **kwargs)

        return call

    for name, primitive in PRIMITIVES.items():
        monkeypatch.setattr(primitive, "forward", counted(name, primitive.forward))
    return calls


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_moves_both_networks_and_records_finite_metrics(name):
    training = build(name)
    G, D = training.gan.G, training.gan.D
    before = [{k: p.numpy().copy() for k, p in network.named_parameters().items()} for network in (G, D)]
    steps(training, 3)
    for network, old in zip((G, D), before):
        # D's last bias is not compared: its gradient is 0 if the loss uses only differences of logits
        last_bias = list(old)[-1] if network is D else None
        now = network.named_parameters()
        assert all((now[k].numpy() != old[k]).any() for k in old if k != last_bias)
    history = backend.to_host(training.history)
    assert np.isfinite(history).all() and (abs(history[:3]) < 1000).all() and (history[3:] == 0).all()
    row = dict(zip(METRICS, history[2]))
    assert row["d_gradient"] > 0 and row["g_gradient"] > 0 and row["pairwise_distance"] > 0
    assert (row["penalty"] > 0) == (PRESETS[name].penalty != "none")
    assert int(training.steps[0]) == 3


def test_the_discriminators_phase_gives_the_generator_no_gradient():
    gan = build().gan
    phase = gan.discriminator_loss(Tensor(images()), gan.G(gan.latent(4)).detach())
    with pytest.raises(ValueError, match="does not depend on input 0"):
        grad(phase.loss, gan.G.parameters())


def test_the_losses_get_the_logits_of_real_and_fake_images():
    gan = build("vanilla").gan
    real, latent = Tensor(images()), gan.latent(4)
    phase = gan.discriminator_loss(real, gan.G(latent).detach())
    np.testing.assert_allclose(phase.real_logits.numpy(), gan.D(real).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(phase.fake_logits.numpy(), gan.D(gan.G(latent)).numpy(), rtol=1e-4, atol=1e-6)
    assert phase.loss.item() == pytest.approx(gan.loss.discriminator(phase.real_logits, phase.fake_logits).item())


def test_both_phases_of_a_step_get_the_same_fake_images_and_only_one_gets_their_graph(monkeypatch):
    training, fakes = build("wgan-gp", n_critic=2), {"discriminator_loss": [], "generator_loss": []}

    def recorded(phase, loss):
        return lambda self, real, fake: fakes[phase].append((fake.data, fake.node)) or loss(self, real, fake)

    for phase in fakes:
        monkeypatch.setattr(GAN, phase, recorded(phase, getattr(GAN, phase)))
    steps(training)
    (first, _), (last, _) = fakes["discriminator_loss"]
    ((of_G, node),) = fakes["generator_loss"]
    assert of_G is last and first is not last
    assert node is not None and [node for _, node in fakes["discriminator_loss"]] == [None, None]


def test_only_the_last_fake_images_of_a_step_have_a_graph(monkeypatch):
    training = build("wgan-gp", n_critic=3)
    made, forward = [], type(training.gan.G).forward

    def recorded(network, x):
        y = forward(network, x)
        if network is training.gan.G:
            made.append(y.node is not None)
        return y

    monkeypatch.setattr(type(training.gan.G), "forward", recorded)
    steps(training)
    assert made == [False, False, True]


def test_the_loss_of_a_relativistic_generator_gets_real_and_fake_logits():
    gan = build("r3gan").gan
    real, fake = Tensor(images()), gan.G(gan.latent(4))
    phase = gan.generator_loss(real, fake)
    np.testing.assert_allclose(phase.real_logits.numpy(), gan.D(real).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(phase.fake_logits.numpy(), gan.D(fake).numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["wgan-gp", "r3gan"])
def test_the_discriminators_loss_includes_the_weighted_penalty(name):
    gan = build(name, penalty_weight=7.0).gan
    phase = gan.discriminator_loss(Tensor(images()), gan.G(gan.latent(4)).detach())
    plain = gan.loss.discriminator(phase.real_logits, phase.fake_logits).item()
    assert phase.penalty.item() > 0
    assert phase.loss.item() == pytest.approx(plain + 7 * phase.penalty.item(), rel=1e-5)


def test_a_step_computes_only_the_gradients_that_it_needs(count_calls):
    """The preset is dcgan. G has two transposed convolutions, and D has two convolutions.

    Forward: a step runs G once, and D three times: on real and on fake images in D's phase, and in G's phase. So there
    are 2 transposed convolutions and 6 convolutions.
    Backward in D's phase, for each of the two batches: D has 2 filter gradients, and 1 image gradient, which is a
    transposed convolution. The first convolution needs no image gradient.
    Backward in G's phase: D has 2 image gradients, and no filter gradients. G has 2 filter gradients, and 2 image
    gradients, which are convolutions.
    """
    steps(build())
    assert count_calls["conv_transpose2d"] == 2 + 2 * 1 + 2
    assert count_calls["conv2d"] == 6 + 2
    assert count_calls["conv2d_weight_grad"] == 2 * 2 + 2
    # G and D have one Linear each. Forward: 1 + 3 products. Backward in D's phase: gradients of the weight and the
    # input of D's Linear, for two batches. In G's phase: of the input of D's Linear, and of the weight of G's Linear.
    assert count_calls["matmul"] == 4 + 2 * 2 + 1 + 1


@pytest.mark.parametrize("loss, passes", [("bce", 3), ("hinge", 3), ("lsgan", 3), ("relativistic", 4)])
def test_only_a_relativistic_loss_computes_real_logits_in_the_generators_phase(loss, passes, count_calls):
    """The preset is vanilla, where G and D have three Linears each. A step runs G once, and D `passes` times: twice in
    D's phase, on real and on fake images, and once or twice in G's phase."""
    training = build("vanilla", loss=loss)
    steps(training)
    # Gradients in D's phase, for each of two batches: 3 of weights, 2 of inputs. In G's phase: 3 of inputs in D; 3 of
    # weights and 2 of inputs in G.
    backward = 2 * (3 + 2) + 3 + (3 + 2)
    assert count_calls["matmul"] == 3 + passes * 3 + backward


@pytest.mark.parametrize("n", [1, 5])
def test_the_discriminator_learns_n_critic_times_for_each_step_of_the_generator(n):
    training = steps(build("wgan-gp", n_critic=n), 2)
    assert float(training.D_optimizer.t[0]) == 2 * n and float(training.G_optimizer.t[0]) == 2


@pytest.mark.parametrize("name", PRESETS)
def test_no_primitive_of_a_step_takes_or_makes_float64(name, monkeypatch):
    dtypes = set()

    def recorded(forward):
        def call(*args, **kwargs):
            y = forward(*args, **kwargs)
            dtypes.update(str(a.dtype) for a in (*args, y) if hasattr(a, "dtype"))
            return y

        return call

    for primitive in PRIMITIVES.values():
        monkeypatch.setattr(primitive, "forward", recorded(primitive.forward))
    training = steps(build(name, dropout=0.3))
    assert dtypes == {"float32"}
    assert "float64" not in {str(array.dtype) for array in training.state_dict().values()}
    assert training.G_optimizer.gradient.dtype == "float32"


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_frees_all_its_tensors_without_the_garbage_collector(name):
    training = build(name)
    batches = SameBatch(training)
    training.step(batches)
    gc.collect()
    gc.disable()
    try:
        before = sum(type(o) is Tensor for o in gc.get_objects())
        training.step(batches)
        assert sum(type(o) is Tensor for o in gc.get_objects()) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["history", "G_optimizer", "D_optimizer"])
def test_is_finite_finds_a_nan_or_an_infinity_in_metrics_and_weights(where, value):
    training = steps(build("vanilla"))
    assert training.is_finite()
    array = training.history if where == "history" else getattr(training, where).flat.data
    array[-1] = value
    assert not training.is_finite()


@pytest.mark.parametrize("name, changes", [*((name, {}) for name in PRESETS), ("dcgan", {"ema": 0.0})])
def test_sampling_changes_nothing_that_the_next_step_depends_on(name, changes):
    """Without an average (ema=0), samples are drawn from G itself, and G must be in training mode afterwards."""
    a, b = steps(build(name, **changes)), steps(build(name, **changes))
    latent = backend.RNG(5).normal((3, a.gan.latent_size))
    first, second = backend.to_host(a.sample(latent)), backend.to_host(a.sample(latent))
    assert (first == second).all() and first.shape == (3, *SHAPE) and abs(first).max() <= 1
    assert all(layer.training for layer in a.gan.G.modules())
    assert same(snapshot(a), snapshot(b))
    assert same(snapshot(steps(a)), snapshot(steps(b)))


@pytest.mark.parametrize("name", PRESETS)
def test_a_restored_training_continues_bit_for_bit(name):
    a = steps(build(name, dropout=0.3), 2)
    b = build(name, dropout=0.3, seed=1)
    b.load_state_dict(snapshot(a))
    assert same(snapshot(steps(a)), snapshot(steps(b)))


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    a, b, c = (snapshot(steps(build(seed=seed))) for seed in (1, 1, 2))
    assert same(a, b) and not same(a, c)


def test_a_state_of_another_preset_is_refused():
    with pytest.raises(ValueError, match=r"lacks|unknown|was saved"):
        build("vanilla").load_state_dict(snapshot(build("dcgan")))


def test_with_dropout_a_dropout_layer_follows_each_activation_of_the_discriminator():
    kinds = [type(module).__name__ for module in build(dropout=0.3).gan.D.layers]
    assert kinds.count("Dropout") == 2 == kinds.count("LeakyReLU")
    assert all(kinds[i + 1] == "Dropout" for i, kind in enumerate(kinds) if kind == "LeakyReLU")
    assert "Dropout" not in [type(module).__name__ for module in build().gan.D.layers]


def test_networks_of_dcgan_for_mnist_have_the_expected_shapes_and_initial_weights():
    gan = build("dcgan", (28, 28, 1)).gan
    assert {k: v.shape for k, v in gan.G.named_parameters().items()} == {
        "0.weight": (32, 3136), "2.gamma": (64,), "2.beta": (64,), "4.weight": (4, 4, 32, 64),
        "5.gamma": (32,), "5.beta": (32,), "7.weight": (4, 4, 1, 32), "7.bias": (1,),
    }  # fmt: skip
    assert {k: v.shape for k, v in gan.D.named_parameters().items()} == {
        "0.weight": (4, 4, 1, 32), "0.bias": (32,), "2.weight": (4, 4, 32, 64), "3.gamma": (64,), "3.beta": (64,),
        "6.weight": (3136, 1), "6.bias": (1,),
    }  # fmt: skip
    weight = gan.D.named_parameters()["2.weight"].numpy()
    assert weight.std() == pytest.approx(0.02, rel=0.02) and weight.mean() == pytest.approx(0, abs=1e-3)


def test_convolutional_networks_refuse_sizes_they_cannot_halve_twice():
    with pytest.raises(ValueError, match="multiples of 4; got 30 x 28"):
        build("dcgan", (30, 28, 1))


@pytest.mark.parametrize("shape", [(32, 32, 3), (16, 28, 1)])
@pytest.mark.parametrize("name", PRESETS)
def test_other_sizes_and_colours_work(name, shape):
    training = steps(build(name, shape, n_critic=1), shape=shape)
    assert training.sample(backend.RNG(0).normal((2, training.gan.latent_size))).shape == (2, *shape)


def test_against_a_fixed_generator_the_loss_of_the_discriminator_falls():
    """D must learn to tell white images from the images of an untrained G."""
    training = build("vanilla")
    gan, losses = training.gan, []
    for _ in range(80):
        phase = gan.discriminator_loss(Tensor(backend.xp.ones((16, *SHAPE), "float32")), gan.G(gan.latent(16)).detach())
        losses.append(phase.loss.item())
        training.D_optimizer.step(grad(phase.loss, training.D_optimizer.parameters))
    assert losses[-1] < losses[0] / 3


@pytest.mark.skipif(backend.device != "cpu", reason="tracemalloc measures the memory of the host only")
@pytest.mark.parametrize("name, factor", [("dcgan", 1.6), ("r3gan", 1.12)])
def test_the_peak_memory_of_a_step_is_bounded_by_its_activations(name, factor, monkeypatch):
    """The step needs the most memory when the graphs of G and D's loss exist. Gradients replace freed activations."""
    training = build(name, (28, 28, 1), ema=0.0)
    batches, results = SameBatch(training, (28, 28, 1), n=64), []

    def watched(forward):
        def call(*args, **kwargs):
            y = forward(*args, **kwargs)
            results.append(0 if getattr(y, "base", None) is not None else y.nbytes)
            return y

        return call

    training.step(batches)
    with monkeypatch.context() as patch:
        for primitive in PRIMITIVES.values():
            patch.setattr(primitive, "forward", watched(primitive.forward))
        fake = training.gan.G(training.gan.latent(64)).detach()
        training.gan.discriminator_loss(Tensor(batches.take(1)[0][0]), fake)
    flat = training.G_optimizer.m.nbytes + training.D_optimizer.m.nbytes
    tracemalloc.start()
    training.step(batches)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < factor * sum(results) + 2 * flat + 4 * 2**20  # 4 MB for the blocks of threads
