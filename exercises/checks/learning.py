"""The checks of exercises 7 and 8: the losses and Adam."""

import numpy as np

from .tools import Wrong, attempt, check_vjp, compare, not_none


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def losses(parts):
    m, Tensor = parts[7], parts[2].Tensor
    x, large = np.array([-3.0, -0.5, 0.0, 0.7, 2.0]), np.array([-1000, -100, -80, 80, 100, 1000], "float32")
    right = np.logaddexp(0, x)
    compare(
        "softplus(x)", m.softplus(x), right,
        ("the logarithm is missing: this is relu.", np.maximum(x, 0)),
        ("exp(-x) in place of exp(-|x|).", np.maximum(x, 0) + np.log1p(np.exp(-x))),
        ("the sign of x: this is softplus(-x).", right - x),
        ("the term max(x, 0) is missing.", right - np.maximum(x, 0)),
    )  # fmt: skip
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        hint = "For a large |x| an exponential is infinite: take exp of negative numbers only, such as -|x|."
        y = attempt("softplus(x) at +-80 and +-100", hint, m.softplus, large)
    compare("softplus(x) for large |x|", y, np.maximum(large, 0))
    check_vjp(
        m.softplus_vjp, m.softplus, [x],
        ("this is sigmoid(-x). The derivative of softplus(x) is sigmoid(x).", lambda g, y, x: (g * sigmoid(-x),)),
        ("the factor g is missing.", lambda g, y, x: (sigmoid(x),)),
        ("sigmoid(y) in place of sigmoid(x).", lambda g, y, x: (g * sigmoid(y),)),
        ("this is the derivative of sigmoid, not of softplus.", lambda g, y, x: (g * sigmoid(x) * sigmoid(-x),)),
    )  # fmt: skip
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        hint = "exp of a large positive number is infinite. But dy/dx = exp(x) / (1 + exp(x)) = exp(x - y), and x < y."
        call = lambda: m.softplus_vjp(np.ones_like(large), np.maximum(large, 0), large)[0]
        compare("softplus_vjp for large |x|", attempt("softplus_vjp at +-80 and +-100", hint, call), (large > 0) * 1.0)

    real, fake = np.random.default_rng(0).normal(size=(2, 5, 1))
    s = lambda x: np.logaddexp(0, x).mean()
    signs = "a sign: softplus(-real) is small if real is large, and softplus(fake) is small if fake is negative."
    loss_is(
        Tensor, "discriminator_loss(real, fake)", m.discriminator_loss(Tensor(real), Tensor(fake)), s(-real) + s(fake),
        ("real and fake are swapped: D would learn to call fake images real.", s(real) + s(-fake)),
        (signs, s(real) + s(fake)), (signs, s(-real) + s(-fake)),
        ("a loss is minimised: change the sign.", -s(-real) - s(fake)),
        ("log(1 - D(x)) is -softplus(x): the second term has the wrong sign.", s(-real) - s(fake)),
        ("half of the sum. The sum is asked for.", (s(-real) + s(fake)) / 2),
    )  # fmt: skip
    both = ("this is the loss of D for fake images: G wants the opposite.", s(fake))
    loss_is(
        Tensor, "generator_loss(fake)", m.generator_loss(Tensor(fake)), s(-fake), both,
        ("this is the saturating loss.", -s(fake)), ("a loss is minimised: change the sign.", -s(-fake)),
    )  # fmt: skip
    loss_is(
        Tensor, "saturating_loss(fake)", m.saturating_loss(Tensor(fake)), -s(fake), both,
        ("this is the non-saturating loss.", s(-fake)), ("the sign: log(1 - D) = -softplus(l).", -s(-fake)),
    )  # fmt: skip


def loss_is(Tensor, what, found, *expected):
    if not isinstance(not_none(what, found), Tensor):
        raise Wrong(f"{what} must be a Tensor, so that it can be differentiated: use mean, soft and - of Tensors.")
    compare(what, found.data, *expected)


GRADIENTS = [  # of two parameters, in three steps
    [np.array([3.0, -0.5]), np.array([[0.01]])],
    [np.array([1.0, 2.0]), np.array([[-4.0]])],
    [np.array([-2.0, 0.1]), np.array([[0.3]])],
]


def adam_of_paper(
    b1=0.5, b2=0.9, sign=-1, correct=True, remember=True, power=2, root=True, inside=False, late=0, each=0
):  # fmt: skip
    """Return the parameters after each step. The options make the known mistakes."""
    lr, eps, p, t, history = 0.1, 0.01, [np.ones(2), np.ones((1, 1))], late, []
    m, v = ([np.zeros_like(x) for x in p] for _ in range(2))
    for gradients in GRADIENTS:
        t += 1
        for i, g in enumerate(gradients):
            new_m, new_v = b1 * m[i] + (1 - b1) * g, b2 * v[i] + (1 - b2) * np.abs(g) ** power
            if remember:
                m[i], v[i] = new_m, new_v
            c1, c2 = (1 - b1 ** (t + i * each), 1 - b2 ** (t + i * each)) if correct else (1, 1)
            scale = np.sqrt(new_v / c2 + eps) if inside else (np.sqrt(new_v / c2) if root else new_v / c2) + eps
            p[i] = p[i] + sign * lr * new_m / c1 / scale
        t += each * (len(p) - 1)
        history.append(np.concatenate([x.ravel() for x in p]))
    return np.array(history)


def adam(parts):
    parameters = [parts[2].Tensor(np.ones(2)), parts[2].Tensor(np.ones((1, 1)))]
    adam = parts[8].Adam(parameters, lr=0.1, betas=(0.5, 0.9), eps=0.01)
    history = []
    zero = "Most likely: 1 - b1^t is 0 for t = 0. The first step is t = 1: add 1 to self.t before it is used."
    for gradients in GRADIENTS:
        with np.errstate(divide="raise", invalid="raise"):
            attempt("Adam.step", zero, lambda: (adam.step([g.copy() for g in gradients]), 0))  # noqa: B023
        history.append(np.concatenate([p.data.ravel() for p in parameters]))
        if np.array_equal(history[0], np.ones(3)):
            raise Wrong("Adam.step leaves the parameters as they were: replace its `...`, and set parameter.data.")
    compare(
        "the parameters after steps 1, 2 and 3 (the rows)", history, adam_of_paper(),
        ("the corrections m^ = m / (1 - b1^t) and v^ are missing.", adam_of_paper(correct=False)),
        ("m and v are not stored: each step begins with zeros again.", adam_of_paper(remember=False)),
        ("v averages g, not g^2.", adam_of_paper(power=1)), ("the root of v^ is missing.", adam_of_paper(root=False)),
        ("eps is added after the root.", adam_of_paper(inside=True)),
        ("b1 and b2 are swapped.", adam_of_paper(b1=0.9, b2=0.5)),
        ("the parameters go up the gradient: subtract.", adam_of_paper(sign=1)),
        ("t counts one step too many: the first step has t = 1.", adam_of_paper(late=1)),
        ("t counts parameters: add 1 once in each step, before the loop.", adam_of_paper(each=1)),
    )  # fmt: skip
