"""Numbers, dtypes, infinities and empty batches give the right result, or one sentence that names what is wrong."""

import numpy as np
import pytest

from tinygan import Tensor, autograd, backend, grad
from tinygan.gan.presets import PRESETS
from tinygan.layers import Conv2d, ConvTranspose2d, LeakyReLU, ReLU
from tinygan.layers.spectral import power_iteration, spectral_norm

pytestmark = pytest.mark.usefixtures("kernels")


def full(shape, value=1.0, dtype="float32"):
    return backend.xp.full(shape, value, dtype)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_number_divided_by_a_tensor_of_one_element_has_a_gradient(shape):
    b = Tensor(full(shape, 2.0), requires_grad=True)
    for create_graph in (True, False):
        assert grad(1.0 / b, [b], create_graph)[0].item() == -0.25


@pytest.mark.parametrize("number", [np.float64(2.0), np.float32(2.0), np.int64(2)], ids=lambda x: x.dtype.name)
def test_a_number_of_numpy_does_not_change_the_dtype(number):
    x = Tensor(full((2, 3), 3.0), requires_grad=True)
    results = [x * number, number * x, x + number, x - number, number - x, x / number, number / x, x**number]
    assert [y.numpy()[0, 0] for y in results] == [6, 6, 5, 1, -1, 1.5, np.float32(2 / 3), 9]
    for y in results:
        assert y.dtype == grad(y.sum(), [x])[0].dtype == "float32"


@pytest.mark.parametrize("x, bias", [((4,), (4,)), ((), (4,)), ((2, 4), (1,)), ((2, 4), (1, 4)), ((2, 4), (3,))])
def test_a_bias_that_does_not_fit_is_refused(x, bias):
    with pytest.raises(ValueError, match=r"a bias \(C,\) is for arrays \(N, ..., C\); got shapes"):
        autograd.bias_leaky_relu(Tensor(full(x)), Tensor(full(bias)), slope=0.2)


def test_infinity_passes_activations():
    for layer in (ReLU(), LeakyReLU(0.2)):
        x = Tensor(full((2, 3), np.inf), requires_grad=True)
        y = layer(x)
        assert (y.numpy() == np.inf).all() and (grad(y, [x], grad_output=full((2, 3)))[0].numpy() == 1).all()


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"axis": 1}, {"axis": None, "keepdims": True}], ids=str)
def test_the_mean_of_no_elements_is_refused(options):
    with pytest.raises(ValueError, match=r"a tensor of shape \(3, 0\) has no elements, so it has no mean"):
        Tensor(full((3, 0))).mean(**options)


@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
def test_the_convolution_of_an_empty_batch_is_empty_and_its_gradients_are_zero(layer, rng):
    network, x = layer(32, 48, 4, rng, stride=2, padding=1), Tensor(full((0, 6, 6, 32)), requires_grad=True)
    y = network(x)
    dx, dw, db = grad(y.sum(), [x, network.weight, network.bias])
    assert y.shape[0] == 0 and dx.shape == x.shape and not dw.numpy().any() and not db.numpy().any()


DTYPES = ["float32 float64", "float64 float32", "uint8 float32", "uint8 uint8", "int64 float64"]
IMAGES, FILTERS, GEOMETRY = (2, 8, 8, 32), (3, 3, 32, 32), ((1, 1), (1, 1))  # large enough for compiled tiles
PRODUCTS = {  # name: the shapes of the two arrays, and the other arguments
    "matmul": ((200, 200), (200, 200)),
    "conv2d": (IMAGES, FILTERS, *GEOMETRY),
    "conv_transpose2d": (IMAGES, FILTERS, (8, 8), *GEOMETRY),
    "conv2d_weight_grad": (IMAGES, IMAGES, (3, 3), *GEOMETRY),
}
MISFITS = [  # shapes with which a compiled kernel would read memory outside of its arrays
    ("matmul", (200, 200), (100, 200)),
    ("matmul", (200, 200), (200,)),
    ("conv2d", IMAGES, (3, 3, 16, 32)),
    ("conv_transpose2d", IMAGES, (3, 3, 32, 16)),
    ("conv_transpose2d", (2, 7, 8, 32), FILTERS),
    ("conv2d_weight_grad", IMAGES, (2, 9, 8, 32)),
    ("conv2d_weight_grad", IMAGES, (3, 8, 8, 32)),
]


@pytest.mark.parametrize("dtypes", DTYPES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_convolutions_refuse_other_and_mixed_dtypes(name, dtypes):
    one, other, *options = PRODUCTS[name]
    a, b = dtypes.split()
    with pytest.raises(TypeError, match=f"must both be float32, or both float64; got {a} and {b}"):
        getattr(backend, name)(full(one, 1, a), full(other, 1, b), *options)


@pytest.mark.parametrize("name, one, other", MISFITS)
def test_products_and_convolutions_refuse_shapes_that_do_not_fit(name, one, other):
    with pytest.raises(ValueError, match="shape"):
        getattr(backend, name)(full(one), full(other), *PRODUCTS[name][2:])


def test_a_grad_output_of_another_dtype_is_refused(rng):
    layer = Conv2d(8, 8, 3, rng)
    y = layer(Tensor(full((2, 5, 5, 8))))
    with pytest.raises(TypeError, match="got float32 and float64"):
        grad(y, [layer.weight], grad_output=full(y.shape, 1, "float64"))


def test_spectral_norm_of_a_network_in_float64_computes_in_float64(rng):
    D = spectral_norm(PRESETS["sngan"].discriminator((8, 8, 1), rng).flatten("float64"), rng)
    power_iteration(D)
    assert {str(a.dtype) for a in D.state_dict().values()} == {"float64"}
    assert D(Tensor(full((2, 8, 8, 1), 1, "float64"))).dtype == "float64"
