"""The training step: what it computes, what it leaves alone, and what it leaves behind."""

import gc

import pytest

from tinygan import Tensor, backend, grad, presets
from tinygan.autograd import PRIMITIVES
from tinygan.presets import PRESETS

SHAPE = (8, 8, 1)


def build(name="dcgan", shape=SHAPE, seed=0, **changes):
    return presets.build(PRESETS[name]._replace(**changes), shape, seed)


def images(n=4, shape=SHAPE):
    return backend.Generator(9).uniform((n, *shape)) * 2 - 1


def snapshot(module):
    return {name: backend.to_host(array).copy() for name, array in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


@pytest.fixture
def count_calls(monkeypatch):
    """{primitive: how often it computed}, from here on."""
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
    gan = build(name)
    before = snapshot(gan.G), snapshot(gan.D)
    for _ in range(3):
        gan.step(images())
    for network, old in zip((gan.G, gan.D), before):
        now = snapshot(network)
        assert all((now[key] != old[key]).any() for key in old)
    history = backend.to_host(gan.history)
    assert (abs(history[:3]) < 100).all() and (history[:3] != 0).all() and (history[3:] == 0).all()
    assert int(gan.steps[0]) == 3


def test_the_discriminators_phase_gives_the_generator_no_gradient():
    gan = build()
    loss, *_ = gan.discriminator_loss(Tensor(images()), gan.latent(4))
    with pytest.raises(ValueError, match="no part"):
        grad(loss, gan.G.parameters())


def test_the_losses_get_the_logits_of_real_and_fake():
    gan = build("vanilla")
    real, latent = Tensor(images()), gan.latent(4)
    loss, real_logits, fake_logits = gan.discriminator_loss(real, latent)
    assert (real_logits.numpy() == gan.D(real).numpy()).all()
    assert (fake_logits.numpy() == gan.D(gan.G(latent)).numpy()).all()
    assert loss.item() == pytest.approx(gan.loss.discriminator(real_logits, fake_logits).item())


def test_a_step_computes_no_gradient_that_its_optimiser_does_not_use(count_calls):
    """dcgan, counted by hand. G has two transposed convolutions, D two convolutions; each step runs G twice (2 x 2
    conv_transpose2d), D three times (3 x 2 conv2d).
    D's phase: a filter gradient for each of D's convolutions on real and on fake (4); an image gradient (a transposed
    convolution) for the second only, twice (2), since nobody wants that of the images.
    G's phase: image gradients through both convolutions of D (2) and no filter gradient of theirs; in G two filter
    gradients (2), and image gradients of both, which are convolutions (2)."""
    build().step(images())
    assert count_calls["conv_transpose2d"] == 4 + 2 + 2
    assert count_calls["conv2d"] == 6 + 2
    assert count_calls["conv2d_filter"] == 4 + 2
    # Linear: forward 2 in G, 3 in D; D's phase w and x of two batches; G's phase x in D, and w alone in G
    assert count_calls["matmul"] == 5 + 4 + 1 + 1


def test_a_step_contains_no_float64_array(monkeypatch):
    seen = set()

    def watch(forward):
        def call(*args, **kwargs):
            y = forward(*args, **kwargs)
            seen.update(str(a.dtype) for a in (*args, y) if hasattr(a, "dtype"))
            return y

        return call

    for primitive in PRIMITIVES.values():
        monkeypatch.setattr(primitive, "forward", watch(primitive.forward))
    gan = build(dropout=0.3)
    gan.step(images())
    assert seen == {"float32"}
    state = {name: str(array.dtype) for name, array in gan.state_dict().items()}
    assert "float64" not in state.values()
    assert gan.G_optimizer.gradient.dtype == "float32"


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_leaves_no_tensor_alive_without_the_garbage_collector(name):
    gan = build(name)
    gan.step(images())
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(o, Tensor) for o in gc.get_objects())
        gan.step(images())
        assert sum(isinstance(o, Tensor) for o in gc.get_objects()) == before
    finally:
        gc.enable()


def test_sampling_changes_nothing():
    gan = build()
    gan.step(images())
    before, latent = snapshot(gan), backend.Generator(5).normal((3, gan.latent_size))
    a, b = gan.sample(latent), gan.sample(latent)
    assert (backend.to_host(a) == backend.to_host(b)).all()
    assert a.shape == (3, *SHAPE) and abs(a).max() <= 1
    assert same(before, snapshot(gan)) and gan.G.training


@pytest.mark.parametrize("name", PRESETS)
def test_a_restored_gan_goes_on_bit_for_bit(name):
    a = build(name, dropout=0.3)
    for _ in range(2):
        a.step(images())
    saved = snapshot(a)
    b = build(name, dropout=0.3, seed=1)
    b.load_state_dict(saved)
    for gan in (a, b):
        gan.step(images())
    assert same(snapshot(a), snapshot(b))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    a, b, c = build(seed=1), build(seed=1), build(seed=2)
    for gan in (a, b, c):
        gan.step(images())
    assert same(snapshot(a), snapshot(b))
    assert not same(snapshot(a), snapshot(c))


def test_a_state_of_another_preset_is_refused():
    with pytest.raises(ValueError, match=r"lacks|unknown|was saved"):
        build("vanilla").load_state_dict(snapshot(build("dcgan")))


def test_dropout_stands_behind_each_activation_of_the_discriminator_and_only_when_asked():
    kinds = [type(module).__name__ for module in build(dropout=0.3).D.modules]
    assert kinds.count("Dropout") == 2 == kinds.count("LeakyReLU")
    assert all(kinds[i + 1] == "Dropout" for i, kind in enumerate(kinds) if kind == "LeakyReLU")
    assert "Dropout" not in [type(module).__name__ for module in build().D.modules]


def test_networks_are_the_papers_on_mnist():
    gan = build("dcgan", (28, 28, 1))
    assert {k: v.shape for k, v in gan.G.named_parameters().items()} == {
        "0.weight": (100, 6272), "2.gamma": (128,), "2.beta": (128,), "4.weight": (4, 4, 64, 128),
        "5.gamma": (64,), "5.beta": (64,), "7.weight": (4, 4, 1, 64), "7.bias": (1,),
    }  # fmt: skip
    assert {k: v.shape for k, v in gan.D.named_parameters().items()} == {
        "0.weight": (4, 4, 1, 64), "0.bias": (64,), "2.weight": (4, 4, 64, 128), "3.gamma": (128,), "3.beta": (128,),
        "6.weight": (6272, 1), "6.bias": (1,),
    }  # fmt: skip
    weight = gan.D.named_parameters()["2.weight"].numpy()
    assert weight.std() == pytest.approx(0.02, rel=0.02) and weight.mean() == pytest.approx(0, abs=1e-3)


def test_convolutional_networks_refuse_sizes_they_cannot_halve_twice():
    with pytest.raises(ValueError, match="multiples of 4; got 30 x 28"):
        build("dcgan", (30, 28, 1))


@pytest.mark.parametrize("shape", [(32, 32, 3), (16, 28, 1)])
@pytest.mark.parametrize("name", PRESETS)
def test_other_sizes_and_colours_work(name, shape):
    gan = build(name, shape)
    gan.step(images(shape=shape))
    assert gan.sample(gan.latent(2).data).shape == (2, *shape)


def test_a_discriminator_that_learns_from_a_fixed_forger_wins():
    """Not a grey grid: D alone must come to tell bright images from the dark ones of an untrained G."""
    gan = build("vanilla")
    bright = Tensor(backend.xp.ones((16, *SHAPE), "float32"))
    first = None
    for _ in range(80):
        loss, *_ = gan.discriminator_loss(bright, gan.latent(16))
        first = first or loss.item()
        gan.D_optimizer.step(grad(loss, gan.D_optimizer.parameters))
    assert loss.item() < first / 3
