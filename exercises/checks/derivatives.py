"""The checks of exercises 1, 3 and 4: vjps, broadcasting, linear layers. All derivatives by finite differences."""

import numpy as np

from .tools import Wrong, check_vjp, compare, not_none

x = np.array([[-2.0, -0.6, 0.3], [0.9, 1.5, -1.1], [0.7, -0.2, 2.0]])  # no kink of leaky_relu is near
NO_G = "the factor g is missing: the chain rule multiplies dL/dy with dy/dx."


def vjps(parts):
    m = parts[1]
    check_vjp(
        m.multiply_vjp, np.multiply, [x, x.T + 3],
        ("the two gradients are swapped: dy/da is b, and dy/db is a.", lambda g, y, a, b: (g * a, g * b)),
        (NO_G, lambda g, y, a, b: (b, a)),
        ("this is the derivative of a + b.", lambda g, y, a, b: (g, g)),
    )  # fmt: skip
    check_vjp(
        m.tanh_vjp, np.tanh, [x],
        (NO_G, lambda g, y, x: (1 - y**2,)),
        ("it is 1 - y^2, not 1 - x^2.", lambda g, y, x: (g * (1 - x**2),)),
        ("y (1 - y) is the derivative of sigmoid. For tanh it is 1 - y^2.", lambda g, y, x: (g * y * (1 - y),)),
        ("it is 1 - y^2, not 1 - y.", lambda g, y, x: (g * (1 - y),)),
    )  # fmt: skip
    check_vjp(
        m.leaky_relu_vjp, m.leaky_relu, [x],
        (NO_G, lambda g, y, x: (np.where(x > 0, 1, 0.2),)),
        ("this is relu: for x < 0 the slope is 0.2, not 0.", lambda g, y, x: (np.where(x > 0, g, 0),)),
        ("the slope depends on the sign of x, not of g.", lambda g, y, x: (np.where(g > 0, g, 0.2 * g),)),
        ("the two slopes are swapped.", lambda g, y, x: (np.where(x > 0, 0.2 * g, g),)),
        ("g is multiplied by y, not by dy/dx.", lambda g, y, x: (g * y,)),
    )  # fmt: skip


def broadcasting(parts):
    m, rng = parts[3], np.random.default_rng(0)
    for shape in ((3,), (1, 3), (4, 1), (), (1, 1)):
        axes = {(3,): 0, (1, 3): 0, (4, 1): 1}.get(shape)

        def unbroadcast(g, y, x):
            return (not_none("unbroadcast(g, shape)", m.unbroadcast(g, x.shape)),)

        check_vjp(
            unbroadcast, lambda x: x + np.zeros((4, 3)), [rng.normal(size=shape)],
            ("g is returned without a sum over this axis.", lambda g, y, x: (g,)),
            ("the mean of the uses in place of their sum.", lambda g, y, x: (g.mean(axes).reshape(x.shape),)),  # noqa: B023
            ("an axis of length 1 must stay (keepdims=True).", lambda g, y, x: (g.sum(axes),)),  # noqa: B023
            ("the sum is over all axes, also those that were not broadcast.", lambda g, y, x: (0 * x + g.sum(),)),
        )  # fmt: skip
    check_vjp(
        m.mean_vjp, np.mean, [x],
        (f"each element has the weight 1 / {x.size} in the mean: divide by x.size.", lambda g, y, x: (g + 0 * x,)),
        ("g / len(x): the mean is over all elements, x.size.", lambda g, y, x: (g / len(x) + 0 * x,)),
        ("each element of x needs its own gradient: fill an array of x.shape.", lambda g, y, x: (g / x.size,)),
        (NO_G, lambda g, y, x: (1 / x.size + 0 * x,)),
        ("g x / n is the derivative of the mean of x^2 / 2.", lambda g, y, x: (g * x / x.size,)),
    )  # fmt: skip


def linear(parts):
    m, rng, (a, b) = parts[4], np.random.default_rng(0), (x, x.T + 3)
    mistakes = (
        ("the operands are in the wrong order: compare their shapes.", lambda g, y, a, b: (b.T @ g, g @ a.T)),
        ("a transpose is missing: dL/da = g b^T, dL/db = a^T g.", lambda g, y, a, b: (g @ b, a @ g)),
        ("dL/da and dL/db are swapped.", lambda g, y, a, b: (a.T @ g, g @ b.T)),
        ("the elementwise product: a matrix product needs @.", lambda g, y, a, b: (g * b, g * a)),
        ("a gradient is transposed.", lambda g, y, a, b: ((g @ b.T).T, (a.T @ g).T)),
    )
    check_vjp(m.matmul_vjp, np.matmul, [a, b], *mistakes)  # square matrices: no mistake is an error of shapes
    check_vjp(m.matmul_vjp, np.matmul, [a[:2], rng.normal(size=(3, 4))])
    weights(m.initial, parts[2].Tensor)

    layer, inputs = m.Linear(3, 2, np.random.default_rng(0)), rng.normal(size=(4, 3))
    b = layer.parameters[1].data = np.array([5.0, -7.0])
    w = layer.parameters[0].data
    found = not_none("the call of a Layer", layer(parts[2].Tensor(inputs)))
    if not isinstance(found, parts[2].Tensor):
        raise Wrong("a Layer must return a Tensor: use self.operation and add, not NumPy, so that it has derivatives.")
    compare(
        "Linear(3, 2, rng)(x)", found.data, inputs @ w + b,
        ("the bias b is missing.", inputs @ w), ("the bias is subtracted.", inputs @ w - b),
    )  # fmt: skip
    if any(not any(t is p for t in reached(found)) for p in layer.parameters):
        raise Wrong("y of a Layer does not lead back to w and b: use the Tensors themselves, not their data.")
    w = x.T + 3  # a square matrix: with matmul the layer gives wrong numbers, and not an error
    scaled = m.Layer(parts[3].multiply, parts[2].Tensor(w), 3)(parts[2].Tensor(x))
    compare("Layer(multiply, w, 3)(x)", scaled.data, x * w, ("matmul was used in place of self.operation.", x @ w))


def reached(tensor):
    """Yield all tensors from which a tensor was made."""
    yield tensor
    for arg in tensor.args:
        yield from reached(arg)


def weights(initial, Tensor):
    """Check the function initial of exercise 4."""
    found = not_none("initial(shape, fan_in, rng)", initial((400, 50), 200, np.random.default_rng(0)))
    if not isinstance(found, Tensor):
        raise Wrong("initial must return a Tensor: put the array into Tensor(...).")
    if found.data.shape != (400, 50) or found.data.dtype != np.float32:
        raise Wrong(f"initial((400, 50), ...) is {found.data.dtype} {found.data.shape}, expected float32 (400, 50).")
    if np.array_equal(found.data, initial((400, 50), 200, np.random.default_rng(1)).data):
        raise Wrong("initial gives the same weights for two seeds: draw them with rng.")
    std, mean = float(found.data.std()), float(found.data.mean())
    likely = {
        1.0: "N(0, 1) was not scaled.", 0.01: "2 / fan_in is the variance; rng.normal wants its square root.",
        0.07: "1 / fan_in in place of 2 / fan_in.", 0.06: "rng.uniform in place of rng.normal.",
    }  # fmt: skip
    if abs(std - 0.1) > 0.005 or abs(mean) > 0.01:
        hint = next((f" Most likely: {text}" for s, text in likely.items() if abs(std / s - 1) < 0.06), "")
        raise Wrong(f"initial((400, 50), 200, rng) has mean {mean:.3g} and std {std:.3g}, expected 0 and 0.1.{hint}")
