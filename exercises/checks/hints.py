"""Three hints for each exercise: a question, a pointer, and the formula. None is code."""

HINTS = {
    1: (
        "By how much does y change if x grows by a little h? This number, divided by h, is dy/dx. What is dL/dx then?",
        "For a product, one factor is constant while the other moves. For tanh, write dy/dx with y alone.",
        "dL/da = g b and dL/db = g a. dL/dx = g (1 - y^2) for tanh. For leaky_relu dL/dx = g where x > 0, else 0.2 g.",
    ),
    2: (
        "Which things does the vjp need later, and which of them are gone after apply unless a function keeps "
        "them? In which order must grad visit the tensors, so that a gradient is complete when it is passed on?",
        "apply: unpack the arrays, call forward, and give the Tensor a lambda that remembers y, the arrays and "
        "the options. The order: visit the args of a tensor first, then append it; skip what was visited. grad: a "
        "dict from id(tensor) to its gradient, and a loop over the reversed order.",
        "gradients[output] = g. For each tensor with args, from the last to the first: for each (x, dx) of its "
        "args and of tensor.vjp(gradients[tensor]): gradients[x] = (gradients[x], or 0 if there is none) + dx.",
    ),
    3: (
        "The number b[j] was added to each of the 64 rows. How does L change if b[j] grows by h? How many axes "
        "did broadcasting add, and which did it stretch?",
        "First sum over the missing axes, the first g.ndim - len(shape) of g. Then sum over the axes that have "
        "length 1 in `shape`, and keep them. array.sum takes a tuple of axes, which may be empty.",
        "dL/db[j] = sum over i of g[i, j]. For the mean of n numbers, dy/dx[i] = 1/n, so dL/dx[i] = g / n for each i.",
    ),
    4: (
        "y[i, j] = sum over l of a[i, l] b[l, j]. Where does a[i, l] appear? Which product of g and b has the "
        "shape of a?",
        "a[i, l] is in row i of y: in y[i, j] with the factor b[l, j], for each j. So sum over j. For b the sum "
        "is over i.",
        "dL/da = g b^T and dL/db = a^T g. W is normal with standard deviation sqrt(2 / fan_in). y = x W + b, on "
        "Tensors.",
    ),
    5: (
        "Fix one pixel (i, j) of the filter. Which pixels of the padded image meet it, over all patches? What is "
        "the same loop, read backwards, that gives each pixel back what the patches know of it?",
        "They are a slice from row i and column j with step 2, H/2 times W/2 pixels. fold adds to the same "
        "slices. conv is linear in x and in w: for conv_x spread g over the pixels of each patch with w, then "
        "fold; for conv_w sum over all patches.",
        "With P = patches(x): y[n,h,w,f] = sum_kc P[n,h,w,k,c] w[k,c,f]. dL/dP[n,h,w,k,c] = sum_f g[n,h,w,f] "
        "w[k,c,f], and dL/dx = fold(dL/dP). dL/dw[k,c,f] = sum_nhw P[n,h,w,k,c] g[n,h,w,f]. tensordot does each "
        "of these sums.",
    ),
    6: (
        "Add 1 to all values of a channel: does y change? Multiply them by 2: does y change? Which part of g has "
        "no effect then?",
        "The axes are all but the last: tuple(range(x.ndim - 1)). The three terms of dL/dx use means over these "
        "axes. In evaluation the running averages are constants: a scale and a shift for each channel, on "
        "Tensors.",
        "running <- running + MOMENTUM (batch - running), with the unbiased variance. In evaluation y = gamma (x "
        "- running_mean) / sqrt(running_var + EPS) + beta.",
    ),
    7: (
        "Which exponentials become infinite for x = 100, and which for x = -100? How can both be avoided?",
        "log(1 + exp(x)) = x + log(1 + exp(-x)): take the form whose exponent is negative. np.log1p(u) is log(1 + "
        "u). To minimise a loss, change the sign of what is maximised, and write each log D with softplus.",
        "dy/dx = sigmoid(x) = exp(x) / (1 + exp(x)) = exp(x - y). D: E softplus(-real) + E softplus(fake). G: E "
        "softplus(-fake), and saturating: -E softplus(fake).",
    ),
    8: (
        "After the first step m = (1 - b1) g. By which number must it be divided to give g? And in step t?",
        "First t, then m and v, then m^ and v^, then p: for each parameter with its own m and v. What must the "
        "next step find? A name in a loop that gets a new array does not change the list.",
        "m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)",
    ),
    9: (
        "Who moves in which phase? Which gradients does each phase need, and which would it compute for nothing?",
        "Five lines: fake images; the loss of D; D's step; the loss of G, for which D is called again; G's step.",
        "D_loss(D(real), D(detached fake)), gradients for D.parameters, D moves. G_loss(D(fake)), gradients for "
        "G.parameters, G moves.",
    ),
    10: (
        "Which shape comes out of each layer, from (N, 64) to (N, 28, 28, 1)? When may a sample depend on other "
        "samples?",
        "mnist_networks: write the layers one after the other, as in ring_networks; the docstring has the "
        "numbers. epoch: rng.permutation, then slices of `batch` indices. sample: isinstance(layer, BatchNorm), "
        "then layer.training.",
        "G: 64 -> 1568 -> (7, 7, 32) -> norm, relu -> (14, 14, 16) -> norm, relu -> (28, 28, 1) -> tanh. D: (28, "
        "28, 1) -> (14, 14, 16) -> relu -> (7, 7, 32) -> norm, relu -> 1568 -> 1.",
    ),
}
