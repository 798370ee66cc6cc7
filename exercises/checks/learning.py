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
B1, B2, LR, EPS = 0.5, 0.9, 0.1, 0.01


def adam_of_paper(
    new_m=lambda m, g: B1 * m + (1 - B1) * g,
    new_v=lambda v, g: B2 * v + (1 - B2) * g**2,
    corrections=lambda t: (1 - B1**t, 1 - B2**t),
    stored=lambda m, v, m_hat, v_hat: (m, v),
    change=lambda m_hat, v_hat: -LR * m_hat / (np.sqrt(v_hat) + EPS),
    count=lambda step, i: step,
):
    """Return the parameters after each step. The known mistakes are made by other functions."""
    p, history = [np.ones(2), np.ones((1, 1))], []
    m, v = ([np.zeros_like(x) for x in p] for _ in range(2))
    for step, gradients in enumerate(GRADIENTS, 1):
        for i, g in enumerate(gradients):
            m[i], v[i] = new_m(m[i], g), new_v(v[i], g)
            c1, c2 = corrections(count(step, i))
            hats = m[i] / c1, v[i] / c2
            p[i] = p[i] + change(*hats)
            m[i], v[i] = stored(m[i], v[i], *hats)
        history.append(np.concatenate([x.ravel() for x in p]))
    return np.array(history)


def adam(parts):
    parameters = [parts[2].Tensor(np.ones(2)), parts[2].Tensor(np.ones((1, 1)))]
    adam = parts[8].Adam(parameters, lr=LR, betas=(B1, B2), eps=EPS)
    history = []
    for gradients in GRADIENTS:
        try:
            with np.errstate(divide="raise", invalid="raise"):
                adam.step([g.copy() for g in gradients])
        except ArithmeticError as error:
            root = "v averages g^2, not g: the root of a negative number was taken."
            zero = "1 - b1^t is 0 for t = 0. The first step is t = 1: add 1 to self.t before it is used."
            likely = root if "sqrt" in str(error) or "power" in str(error) else zero
            raise Wrong(f"Adam.step raises {type(error).__name__}: {error}. Most likely: {likely}") from error
        history.append(np.concatenate([p.data.ravel() for p in parameters]))
        if np.array_equal(history[0], np.ones(3)):
            raise Wrong("Adam.step leaves the parameters as they were: replace its `...`, and set parameter.data.")
    of = adam_of_paper
    compare(
        "the parameters after steps 1, 2 and 3 (the rows)", history, of(),
        ("the corrections m^ = m / (1 - b1^t) and v^ are missing.", of(corrections=lambda t: (1, 1))),
        ("the correction m^ = m / (1 - b1^t) is missing.", of(corrections=lambda t: (1, 1 - B2**t))),
        ("the correction v^ = v / (1 - b2^t) is missing.", of(corrections=lambda t: (1 - B1**t, 1))),
        ("v^ is v / (1 - b2^t), with b2, not b1.", of(corrections=lambda t: (1 - B1**t, 1 - B1**t))),
        ("the factor b1 of the old m is missing: m would only grow.", of(new_m=lambda m, g: m + (1 - B1) * g)),
        ("the factor b2 of the old v is missing: v would only grow.", of(new_v=lambda v, g: v + (1 - B2) * g**2)),
        ("the factor 1 - b1 of g is missing.", of(new_m=lambda m, g: B1 * m + g)),
        ("the factor 1 - b2 of g^2 is missing.", of(new_v=lambda v, g: B2 * v + g**2)),
        ("v is averaged with b1, not with b2.", of(new_v=lambda v, g: B1 * v + (1 - B1) * g**2)),
        ("m^ is stored as m: self.m keeps m without its correction.", of(stored=lambda m, v, m_hat, v_hat: (m_hat, v))),
        ("m^ and v^ are stored as m and v.", of(stored=lambda m, v, m_hat, v_hat: (m_hat, v_hat))),
        ("m and v are not stored: each step begins with zeros again.", of(stored=lambda m, v, *_: (0 * m, 0 * v))),
        ("v averages g, not g^2.", of(new_v=lambda v, g: B2 * v + (1 - B2) * abs(g))),
        ("the root of v^ is missing.", of(change=lambda m, v: -LR * m / (v + EPS))),
        ("eps is added after the root.", of(change=lambda m, v: -LR * m / np.sqrt(v + EPS))),
        (
            "b1 and b2 are swapped.",
            of(
                new_m=lambda m, g: B2 * m + (1 - B2) * g, new_v=lambda v, g: B1 * v + (1 - B1) * g**2,
                corrections=lambda t: (1 - B2**t, 1 - B1**t),
            ),
        ),
        ("the parameters go up the gradient: subtract.", of(change=lambda m, v: LR * m / (np.sqrt(v) + EPS))),
        ("t counts one step too many: the first step has t = 1.", of(count=lambda step, i: step + 1)),
        ("t counts parameters: add 1 once in each step, before the loop.", of(count=lambda step, i: 2 * step - 1 + i)),
    )  # fmt: skip
