"""Changes of the solutions of exercises/, for test_exercises.py: usual mistakes, and other right ways."""

MISTAKES = {  # number: [(a text of the solution, its replacement, a part of the sentence)]
    1: [
        ("g * b, g * a", "g * a, g * b", "the two gradients are swapped"),
        ("g * b, g * a", "b, a", "multiply_vjp, dL/da, index (0, 0): computed 1, by finite differences"),
        ("1 - y**2", "1 - x**2", "it is 1 - y^2, not 1 - x^2"),
        ("(g * (1 - y**2),)", "(1 - y**2,)", "the factor g is missing"),
        ("(g * (1 - y**2),)", "g * (1 - y**2)", "must return a tuple with one gradient for each argument: (x,)"),
        ("where(x > 0, g, 0.2 * g)", "where(g > 0, g, 0.2 * g)", "depends on the sign of x, not of g"),
        ("where(x > 0, g, 0.2 * g)", "where(x > 0, g, 0)", "this is relu"),
        (
            "    return (np.where(x > 0, g, 0.2 * g),)",
            "    g[x <= 0] *= 0.2\n    return (g,)",
            "has changed the array g",
        ),
    ],
    2: [
        ("gradients.get(id(x), 0) + dx", "dx", "a later use of a tensor overwrites an earlier one"),
        (
            "gradients[id(x)] = gradients.get(id(x), 0) + dx",
            "if id(x) in gradients:\n                    gradients[id(x)] += dx\n"
            "                else:\n                    gradients[id(x)] = dx",
            "`+=` has changed an array",
        ),
        ("if id(tensor) not in visited:", "if True:", "returns a tensor twice"),
        (
            "            for x in tensor.args:\n                visit(x)\n            order.append(tensor)",
            "            order.append(tensor)\n            for x in tensor.args:\n                visit(x)",
            "Append it after its args were visited",
        ),
        ("np.ones_like(output.data) if g is None else g", "np.ones_like(output.data)", "g was ignored"),
        ("Tensor(y, args,", "Tensor(y, arrays,", "args must be the Tensors a and b themselves"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, y, *args, **options)", "vjp gets a Tensor as a"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, Tensor(y), *arrays, **options)", "vjp gets a Tensor as y"),
        ("forward(*arrays, **options)", "forward(*args, **options)", "forward gets a Tensor as a"),
        ("lambda g: vjp(g, y, *arrays, **options)", "vjp", "which grad calls later: a lambda"),
        (
            "lambda g: vjp(g, y, *arrays, **options)",
            "vjp(y, y, *arrays, **options)",
            "which grad calls later: a lambda",
        ),
        ("return Tensor(y, args, lambda g: vjp(g, y, *arrays, **options))", "return y", "apply must return a Tensor"),
        ("[gradients[id(x)] for", "[gradients.get(id(x), 0 * x.data) for", "must raise a KeyError"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, y, *arrays)", "passes its options to forward, but not to vjp"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, arrays[0], *arrays, **options)", "the argument in place of y"),
        ("reversed(topological_order(output))", "topological_order(output)", "Go through the order in reverse"),
    ],
    3: [
        ("    g = g.sum(tuple(range(g.ndim - len(shape))))\n", "    return g\n", "without a sum over this axis"),
        (
            "return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)",
            "return g + 0",
            "has the shape (4, 3), but x has (1, 3)",
        ),
        (", keepdims=True", "", "an axis of length 1 must stay"),
        ("g = g.sum(", "g = g.mean(", "the mean of the uses in place of their sum"),
        ("g / x.size", "g", "each element has the weight 1 / 9"),
        ("np.full_like(x, g / x.size)", "g / x.size", "each element of x needs its own gradient"),
        ("g / x.size", "g / len(x)", "the mean is over all elements"),
    ],
    4: [
        ("g @ b.T, a.T @ g", "b.T @ g, g @ a.T", "the operands are in the wrong order"),
        ("g @ b.T, a.T @ g", "g @ b, a @ g", "a transpose is missing"),
        ("g @ b.T, a.T @ g", "a.T @ g, g @ b.T", "dL/da and dL/db are swapped"),
        ("g @ b.T, a.T @ g", "g * b, g * a", "a matrix product needs @"),
        ("np.sqrt(2 / fan_in)", "2 / fan_in", "2 / fan_in is the variance"),
        ("np.sqrt(2 / fan_in)", "1", "N(0, 1) was not scaled"),
        ("add(self.operation(x, w), b)", "self.operation(x, w)", "the bias b is missing"),
        ("self.operation(x, w)", "matmul(x, w)", "matmul was used in place of self.operation"),
        ("add(self.operation(x, w), b)", "Tensor(x.data @ w.data + b.data)", "does not lead back to w and b"),
    ],
    5: [
        ("((0, 0), (1, 1), (1, 1), (0, 0))", "((0, 0), (0, 2), (0, 2), (0, 0))", "a border of one zero before"),
        ("for i in range(4) for j in range(4)", "for j in range(4) for i in range(4)", "rows and columns are swapped"),
        ("i : i + H : 2, j : j + W : 2]", "i::2, j::2]", "patches(x) raises ValueError"),
        (", axis=3)", ", axis=4)", "stack along axis 3"),
        ("] += p[", "] = p[", "a patch overwrites its neighbours"),
        ("padded[:, 1:-1, 1:-1]", "padded[:, 2:, 2:]", "the border is one pixel at each side"),
        (", p.dtype)", ")", "fold(p) is float64"),
        ("(patches(x), w, ", "(patches(x), w[::-1], ", "the filter is turned by 180 degrees"),
        ("([3], [2])", "([3], [1])", "the sum is over axis 1 of w"),
        ("([0, 1, 2], [0, 1, 2]))", "([0, 1, 2], [0, 1, 2])) / len(x)", "the mean over the images"),
    ],
    6: [
        ("axes = tuple(range(x.ndim - 1))\n    return (x - x", "axes = 0\n    return (x - x", "over axis 0 only"),
        ("np.sqrt(x.var(axes) + EPS)\n", "(x.std(axes) + EPS)\n", "EPS belongs into the root"),
        ("np.sqrt(x.var(axes) + EPS)\n", "x.std(axes)\n", "EPS is missing"),
        ("np.sqrt(x.var(axes) + EPS),)", "x.std(axes),)", "EPS is missing"),
        ("self.running_var + EPS", "self.running_var", "computed -11.278147, expected -11.278118. Most likely: EPS is"),
        ("(g * y).mean(axes)", "g.mean(axes)", "mean(g) in place of mean(g y)"),
        ("(x - x.mean(axes))", "(x - x.mean())", "the mean is over all axes"),
        ("g.mean(axes) - y * (g * y).mean(axes)", "g.mean() - y * (g * y).mean()", "a mean is over all axes"),
        ("g - g.mean(axes)", "g - g.mean()", "a mean is over all axes"),
        ("(g * y).mean(axes)", "(g * y).mean()", "a mean is over all axes"),
        ("x.data.mean(axes)", "x.data.mean()", "running_mean after a batch in training, index (0,)"),
        ("x.data.var(axes, ddof=1)", "x.data.var(ddof=1)", "it is over all axes"),
        (
            "self.running_mean += MOMENTUM * (x.data.mean(axes) - self.running_mean)",
            "self.running_mean = Tensor(0.9 * self.running_mean + MOMENTUM * x.data.mean(axes))",
            "running_mean must be an array, not a Tensor",
        ),
        ("add(multiply(x, Tensor(scale)), Tensor(", "add(multiply(x, Tensor(scale)), (", "wrap it in Tensor(...)"),
        ("multiply(x, Tensor(scale))", "multiply(x, 2.0)", "wrap it in Tensor(...). (e06_batchnorm.py, line 38"),
        ("(g - g.mean(axes) - y * (g * y).mean(axes))", "g", "taken as constants, but they depend on x"),
        (" - y * (g * y).mean(axes)", "", "the term of the variance"),
        ("ddof=1", "ddof=0", "the biased variance"),
        ("MOMENTUM * (x.data.mean(axes)", "(1 - MOMENTUM) * (x.data.mean(axes)", "it must be the reverse"),
        ("        if self.training:", "        if True:", "mean and variance of the batch were used"),
        ("1 / np.sqrt(self.running_var + EPS)", "1 / (self.running_var + EPS)", "not by its root"),
        ("y = normalised(x)\n", "y = Tensor(normalise(x.data))\n", "does not lead back to its argument"),
    ],
    7: [
        ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.log(1 + np.exp(x))", "an exponential is infinite"),
        ("g * np.exp(x - y)", "g * np.exp(x) / (1 + np.exp(x))", "exp of a large positive number is infinite"),
        ("g * np.exp(x - y)", "g / (1 + np.exp(-x))", "exp of a large positive number is infinite"),
        ("g * np.exp(x - y)", "g * np.exp(-y)", "this is sigmoid(-x)"),
        ("mean(soft(-real)) + mean(soft(fake))", "mean(soft(real)) + mean(soft(-fake))", "real and fake are swapped"),
        ("mean(soft(-real)) + mean(soft(fake))", "mean(soft(-real)) + mean(soft(-fake))", "a sign: softplus(-real)"),
        ("return mean(soft(-fake))", "return -mean(soft(fake))", "this is the saturating loss"),
        ("return -mean(soft(fake))", "return mean(soft(-fake))", "this is the non-saturating loss"),
        ("return -mean(soft(fake))", "return mean(soft(fake))", "G wants the opposite"),
        ("return -mean(soft(fake))", "return -soft(fake).data.mean()", "must be a Tensor"),
    ],
    8: [
        ("m / (1 - b1**self.t), v / (1 - b2**self.t)", "m, v", "the corrections m^"),
        ("m / (1 - b1**self.t), v", "m, v", "the correction m^ = m / (1 - b1^t) is missing"),
        ("v / (1 - b2**self.t)", "v", "the correction v^ = v / (1 - b2^t) is missing"),
        ("v / (1 - b2**self.t)", "v / (1 - b1**self.t)", "with b2, not b1"),
        ("        self.t += 1\n", "", "1 - b1^t is 0 for t = 0"),
        ("g**2", "abs(g)", "v averages g, not g^2"),
        ("g**2", "g", "sqrt. Most likely: v averages g^2, not g"),
        ("(1 - b1) * (g - m)", "(1 - b1) * g", "the factor b1 of the old m is missing"),
        ("(1 - b2) * (g**2 - v)", "(1 - b2) * g**2", "the factor b2 of the old v is missing"),
        ("m += (1 - b1) * (g - m)", "m += g - (1 - b1) * m", "the factor 1 - b1 of g is missing"),
        ("v += (1 - b2) * (g**2 - v)", "v += g**2 - (1 - b2) * v", "the factor 1 - b2 of g^2 is missing"),
        ("v += (1 - b2)", "v += (1 - b1)", "v is averaged with b1"),
        ("b1, b2 = self.betas", "b2, b1 = self.betas", "b1 and b2 are swapped"),
        ("            m_hat, v_hat =", "            m_hat, v_hat = m[:], v[:] =", "m^ and v^ are stored as m and v"),
        ("            m_hat, v_hat =", "            m_hat, v_hat = m[:], _ =", "m^ is stored as m"),
        (
            "m += (1 - b1) * (g - m)\n            v += (1 - b2) * (g**2 - v)",
            "m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2",
            "m and v are not stored",
        ),
        ("p.data - self.lr", "p.data + self.lr", "the parameters go up the gradient"),
        ("np.sqrt(v_hat)", "v_hat", "the root of v^ is missing"),
        ("np.sqrt(v_hat) + self.eps", "np.sqrt(v_hat + self.eps)", "eps is added after the root"),
        ("            m += (1", "            self.t += len(m) == 1\n            m += (1", "t counts parameters"),
    ],
    9: [
        ("fake.detach()", "fake", "Where is the detach?"),
        ("D_loss.data, G_loss.data", "D_loss, G_loss", "not Tensors"),
        ("generator_loss(D(fake))", "generator_loss(D(fake.detach()))", "without the graph of G"),
        ("(D(real), D(fake.detach()))", "(D(fake.detach()), D(real))", "real and fake are swapped"),
        ("    D_adam.step(grad(D_loss, D.parameters))\n", "", "D was not updated"),
        (
            "D(real), D(fake.detach())",
            "real, fake.detach()",
            "not depend on the weights of D. Most likely: it was given images",
        ),
        ("grad(D_loss, D.parameters)", "grad(D_loss, G.parameters)", "D_adam.step wants grad(D_loss, D.parameters)"),
        (
            "grad(G_loss, G.parameters)",
            "grad(G_loss, D.parameters)",
            "G_adam.step got the gradients of the other network",
        ),
        ("D_adam.step(grad(D", "G_adam.step(grad(D", "G_adam.step got the gradients of the other network"),
        ("D_loss.data, G_loss.data", "G_loss.data, D_loss.data", "the two losses are swapped"),
        ("G_loss = generator_loss(D(fake))", "G_loss = generator_loss(D(G(z)))", "G was called again"),
        ("D(fake.detach())", "D(G(z).detach())", "G was called again"),
        (
            "    D_loss = discriminator_loss(D(real), D(fake.detach()))\n"
            "    D_adam.step(grad(D_loss, D.parameters))\n"
            "    G_loss = generator_loss(D(fake))\n"
            "    G_adam.step(grad(G_loss, G.parameters))\n",
            "    G_loss = generator_loss(D(fake))\n"
            "    G_adam.step(grad(G_loss, G.parameters))\n"
            "    D_loss = discriminator_loss(D(real), D(fake.detach()))\n"
            "    D_adam.step(grad(D_loss, D.parameters))\n",
            "D learns first",
        ),
        (
            "    G_adam.step(grad(G_loss, G.parameters))\n",
            "    G_adam.step(grad(G_loss, G.parameters))\n    D_adam.step(grad(G_loss, D.parameters))\n",
            "G's phase changes D too",
        ),
        (
            "    D_adam.step(grad(D_loss, D.parameters))\n    G_loss = generator_loss(D(fake))\n",
            "    G_loss = generator_loss(D(fake))\n    D_adam.step(grad(D_loss, D.parameters))\n",
            "D judged the fake images before its update",
        ),
    ],
    10: [
        ("ConvTranspose(16, 1, rng), tanh,", "ConvTranspose(16, 1, rng),", "G must end with tanh"),
        ("Linear(1568, 1, rng),", "Linear(1568, 1, rng), tanh,", "D must end with Linear"),
        ("Conv(1, 16, rng), leaky_relu, ", "Conv(1, 16, rng), ", "D has leaky_relu 1 times"),
        ("to_shape(7, 7, 32), ", "", "G(z) raises"),
        ("rng.permutation(len(rows))", "np.arange(len(rows))", "two epochs have the same order"),
        ("rng.permutation(len(rows))", "rng.integers(len(rows), size=len(rows))", "a row is used twice"),
        ("len(rows) - batch + 1", "len(rows)", "[4, 4, 2] rows"),
        ("len(rows) - batch + 1", "len(rows) - batch", "of 8 rows in batches of 4 calls step with [4] rows"),
        ("        norm.training = False\n", "        pass\n", "training to False before G(z)"),
        ("norm.training = False", "norm.training = True", "training to False before G(z)"),
        ("norm.training = True", "norm.training = False", "set training to True again"),
        ("Tensor(rows[order[i : i + batch]])", "rows[order[i : i + batch]]", "step wants Tensors"),
        ("rows = G(z).data", "rows = G(z)", "sample must return an array"),
    ],
}

RIGHT = [  # (number, a text of the solution, its replacement)
    (10, "BatchNorm(16), leaky_relu, ConvTranspose(16", "leaky_relu, BatchNorm(16), ConvTranspose(16"),
    (
        3,
        "    g = g.sum(tuple(range(g.ndim - len(shape))))\n"
        "    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)",
        "    while g.ndim > len(shape):\n"
        "        g = g.sum(0)\n"
        "    for i, n in enumerate(shape):\n"
        "        if n == 1:\n"
        "            g = g.sum(i, keepdims=True)\n"
        "    return g",
    ),
    (3, "np.full_like(x, g / x.size)", "np.ones(x.shape) * g / x.size"),
    (
        4,
        'rng.normal(0, np.sqrt(2 / fan_in), shape).astype("float32")',
        "np.float32((2 / fan_in) ** 0.5) * rng.standard_normal(shape, dtype=np.float32)",
    ),
    (4, "add(self.operation(x, w), b)", "self.operation(x, w) + b"),
    (
        6,
        "            self.running_mean += MOMENTUM * (x.data.mean(axes) - self.running_mean)",
        "            self.running_mean = (1 - MOMENTUM) * self.running_mean + MOMENTUM * x.data.mean(axes)",
    ),
    (
        6,
        "            scale = 1 / np.sqrt(self.running_var + EPS)\n"
        "            y = add(multiply(x, Tensor(scale)), Tensor(-self.running_mean * scale))",
        "            y = (x + Tensor(-self.running_mean)) * Tensor((self.running_var + EPS) ** -0.5)",
    ),
    (
        6,
        "axes = tuple(range(x.ndim - 1))\n    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPS)",
        "a = tuple(range(x.ndim - 1))\n"
        "    m = x.mean(a, keepdims=True)\n"
        "    return (x - m) / np.sqrt(((x - m) ** 2).mean(a, keepdims=True) + EPS)",
    ),
    (7, "np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.logaddexp(0, x)"),
    (7, "np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))"),
    (7, "g * np.exp(x - y)", "g * (1 - np.exp(-y))"),
    (7, "g * np.exp(x - y)", "g * 0.5 * (1 + np.tanh(x / 2))"),
    (7, "return -mean(soft(fake))", "return mean(-soft(fake))"),
    (8, "            p.data = p.data - self", "            p.data -= self"),
    (
        8,
        "        for p, g, m, v in zip(self.parameters, gradients, self.m, self.v):\n"
        "            m += (1 - b1) * (g - m)\n"
        "            v += (1 - b2) * (g**2 - v)",
        "        for i, (p, g) in enumerate(zip(self.parameters, gradients)):\n"
        "            m = self.m[i] = b1 * self.m[i] + (1 - b1) * g\n"
        "            v = self.v[i] = b2 * self.v[i] + (1 - b2) * g * g",
    ),
    (1, "return g * b, g * a", "return [g * b, g * a]"),
    (1, "np.where(x > 0, g, 0.2 * g)", "g * ((x > 0) + 0.2 * (x <= 0))"),
    (5, "padded[:, 1:-1, 1:-1]", "padded[:, 1 : 2 * h + 1, 1 : 2 * w + 1].copy()"),
]
