"""The checks of exercises 5 and 6: convolution and BatchNorm."""

import numpy as np

from .tools import Wrong, attempt, check_function, check_vjp, compare, not_none


def cut_out(x, before=1, swapped=False):
    """Return the patches of images by loops. The wrong ones: another border before the image, k = i + 4 j."""
    N, H, W, C = x.shape
    padded, p = np.zeros((N, H + 3, W + 3, C)), np.zeros((N, H // 2, W // 2, 16, C))
    padded[:, before : before + H, before : before + W] = x
    for h, w, i, j in np.ndindex(H // 2, W // 2, 4, 4):
        p[:, h, w, i + 4 * j if swapped else 4 * i + j] = padded[:, 2 * h + i, 2 * w + j]
    return p


def put_back(p, before=1, swapped=False, overwrite=False):
    """Return the sum of patches by loops. The wrong ones, also: a patch overwrites those before it."""
    N, H, W, _, C = p.shape
    padded = np.zeros((N, 2 * H + 4, 2 * W + 4, C))
    for i, j, h, w in np.ndindex(4, 4, H, W):
        place = np.s_[:, 2 * h + i, 2 * w + j]
        padded[place] = p[:, h, w, i + 4 * j if swapped else 4 * i + j] + (0 if overwrite else padded[place])
    return padded[:, before : before + 2 * H, before : before + 2 * W]


def convolution(parts):
    m, rng = parts[5], np.random.default_rng(0)
    x, p = rng.normal(size=(2, 4, 6, 3)), rng.normal(size=(2, 2, 3, 16, 3))
    swapped = "rows and columns are swapped: k = 4 i + j, so the row i is the outer loop."
    ends = "Each slice has H/2 rows: it begins at row i of the padded images, has step 2, and ends before row i + H."
    compare(
        "patches(x)", attempt("patches(x)", ends, m.patches, x), cut_out(x),
        (swapped, cut_out(x, swapped=True)),
        ("there must be a border of one zero before the image too.", cut_out(x, before=0)),
        ("the border has the width 1, not 2.", cut_out(x, before=2)),
        ("the channels are before the 16 pixels: stack along axis 3.", cut_out(x).swapaxes(3, 4)),
    )  # fmt: skip
    side = "the border is one pixel at each side: cut off the first and the last row and column."
    compare(
        "fold(p)", attempt("fold(p)", "The padded image has 2h + 2 rows and 2w + 2 columns.", m.fold, p), put_back(p),
        ("a patch overwrites its neighbours: add it.", put_back(p, overwrite=True)),
        (swapped, put_back(p, swapped=True)),
        (side, put_back(p, before=0)), (side, put_back(p, before=2)),
        ("the border was not cut off.", np.pad(put_back(p), ((0, 0), (1, 1), (1, 1), (0, 0)))),
    )  # fmt: skip
    if m.fold(p.astype("float32")).dtype != np.float32:
        raise Wrong("fold(p) is float64 for p in float32: give np.zeros the dtype p.dtype, or training is slower.")
    for filters in (3, 2):  # 3: as many as channels, so that a wrong axis gives wrong values, and not an error
        products(m, x, rng.normal(size=(16, 3, filters)), rng.normal(size=(2, 2, 3, filters)))
    layer = "Layer of exercise 4 must work for images (N, H, W, C) too."
    for name, shape in (("Conv", (2, 2, 3, 5)), ("ConvTranspose", (2, 8, 12, 5))):
        found = attempt(f"{name}(3, 5, rng)(x)", layer, getattr(m, name)(3, 5, rng), parts[2].Tensor(x)).data.shape
        if found != shape:
            raise Wrong(f"{name}(3, 5, rng)(x) has the shape {found}, expected {shape}. {layer}")


def products(m, x, w, g):
    forward = lambda p, w: np.einsum("nhwkc,kcf->nhwf", p, w)
    flipped = "the filter is turned by 180 degrees. Here it is not: pixel k of the patch belongs to w[k]."
    axes = "The axes of w are pixel k, channel c, filter f. Those of the patches are n, h, w, k, c."
    other = w.swapaxes(1, 2) if w.shape[1] == w.shape[2] else w
    compare(
        "conv(x, w)", attempt("conv(x, w)", axes, m.conv, x, w), forward(cut_out(x), w),
        (flipped, forward(cut_out(x), w[::-1])),
        ("the sum is over the last axis of w, the filters.", forward(cut_out(x), other)),
    )  # fmt: skip

    def conv_x(g, y, x):
        return (attempt("conv_x(g, w)", axes, m.conv_x, g, w),)

    def conv_w(g, y, w):
        return (attempt("conv_w(x, g)", axes, m.conv_w, x, g),)

    back = lambda g, w: put_back(np.einsum("nhwf,kcf->nhwkc", g, w))
    check_vjp(
        conv_x, lambda x: m.conv(x, w), [x],
        (flipped, lambda g, y, x: (back(g, w[::-1]),)),
        ("the sum is over axis 1 of w, the channels, not over the filters.", lambda g, y, x: (back(g, other),)),
    )  # fmt: skip
    right = lambda g: np.einsum("nhwkc,nhwf->kcf", cut_out(x), g)
    check_vjp(
        conv_w, lambda w: m.conv(x, w), [w],
        ("the last two axes are swapped: (16, C, F).", lambda g, y, w: (right(g).swapaxes(1, 2),)),
        ("the mean over the images in place of the sum.", lambda g, y, w: (right(g) / len(x),)),
        ("the mean over patches in place of the sum.", lambda g, y, w: (right(g) / (g.size / g.shape[-1]),)),
        (flipped, lambda g, y, w: (right(g)[::-1],)),
    )  # fmt: skip


def batchnorm(parts):
    m = parts[6]
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 2)) * [0.1, 2.0] + [1.0, -3.0]
    normal = lambda x, axes=(0, 1, 2), ddof=0, eps=m.EPS: (x - x.mean(axes)) / np.sqrt(x.var(axes, ddof=ddof) + eps)
    std = np.sqrt(x.var((0, 1, 2)) + m.EPS)
    compare(
        "normalise(x)", attempt("normalise(x)", "The axes are all but the last.", m.normalise, x), normal(x),
        ("the unbiased variance: here var divides by n.", normal(x, ddof=1)),
        ("EPS is missing.", normal(x, eps=0)),
        ("EPS belongs into the root.", (x - x.mean((0, 1, 2))) / (x.std((0, 1, 2)) + m.EPS)),
        ("mean and variance over axis 0 only. Take all axes but the last.", normal(x, 0)),
        ("mean and variance over all axes. Each channel has its own.", normal(x, None)),
        ("the mean is over all axes. Each channel has its own.", (x - x.mean()) / std),
        ("the variance in place of its root.", (x - x.mean((0, 1, 2))) / (x.var((0, 1, 2)) + m.EPS)),
    )  # fmt: skip
    mean = lambda g: g.mean((0, 1, 2))
    whole = "a mean is over all axes: each channel has its own."
    check_vjp(
        m.normalise_vjp, m.normalise, [x],
        ("mean and variance were taken as constants, but they depend on x.", lambda g, y, x: (g / std,)),
        ("the term of the variance, y mean(g y), is missing.", lambda g, y, x: ((g - mean(g)) / std,)),
        ("the term of the mean, mean(g), is missing.", lambda g, y, x: ((g - y * mean(g * y)) / std,)),
        ("the division by sqrt(var + EPS) is missing.", lambda g, y, x: (g - mean(g) - y * mean(g * y),)),
        ("x in place of y.", lambda g, y, x: ((g - mean(g) - x * mean(g * x)) / std,)),
        ("g y in place of mean(g y).", lambda g, y, x: ((g - mean(g) - y * g * y) / std,)),
        ("mean(g) in place of mean(g y).", lambda g, y, x: ((g - mean(g) - y * mean(g)) / std,)),
        (whole, lambda g, y, x: ((g - g.mean() - y * (g * y).mean()) / std,)),
        (whole, lambda g, y, x: ((g - g.mean() - y * mean(g * y)) / std,)),
        (whole, lambda g, y, x: ((g - mean(g) - y * (g * y).mean()) / std,)),
        ("EPS is missing.", lambda g, y, x: ((g - mean(g) - y * mean(g * y)) / x.std((0, 1, 2)),)),
    )  # fmt: skip
    training(parts, x)
    evaluation(parts, x)


def training(parts, x):
    layer = parts[6].BatchNorm(2)
    layer.running_mean, layer.running_var = np.array([5.0, 6.0]), np.array([2.0, 3.0])
    before, axes = (layer.running_mean.copy(), layer.running_var.copy()), (0, 1, 2)
    not_none("the call of BatchNorm", layer(parts[2].Tensor(x)))
    for name, old, new in zip(("running_mean", "running_var"), before, (x.mean(axes), x.var(axes, ddof=1))):
        if isinstance(getattr(layer, name), parts[2].Tensor):
            raise Wrong(f"{name} must be an array, not a Tensor: compute it from x.data.")
        whole = x.mean() if name == "running_mean" else x.var(ddof=1)
        compare(
            f"{name} after a batch in training", getattr(layer, name), 0.9 * old + 0.1 * new,
            ("it is over all axes: each channel has its own.", 0.9 * old + 0.1 * whole),
            (f"{name} was not updated.", old),
            ("a tenth of the old value and nine tenths of the new: it must be the reverse.", 0.1 * old + 0.9 * new),
            ("the biased variance: running_var averages the unbiased one (ddof=1).", 0.9 * old + 0.1 * x.var(axes)),
            ("the old value was not reduced.", old + 0.1 * new), ("this is only the last batch.", new),
        )  # fmt: skip

    def batchnorm(x, gamma, beta):
        layer.parameters = [gamma, beta]
        return layer(x)

    scale, shift = np.array([2.0, 3.0]), np.array([-1.0, 0.5])
    y = parts[6].normalise(x)
    compare(
        "BatchNorm in training", batchnorm(*map(parts[2].Tensor, (x, scale, shift))).data, y * scale + shift,
        ("gamma and beta are missing.", y), ("beta is missing.", y * scale), ("gamma is missing.", y + shift),
        ("gamma and beta are swapped.", y * shift + scale),
    )  # fmt: skip
    check_function("BatchNorm in training", parts, batchnorm, [x, scale, shift])


def evaluation(parts, x):
    layer = parts[6].BatchNorm(2)
    gamma, layer.running_mean, layer.running_var = np.array([4.0, 0.5]), np.array([5.0, 6.0]), np.array([2.0, 3.0])
    layer.training, layer.parameters[0].data = False, gamma
    centred, var = x - [5.0, 6.0], np.array([2.0, 3.0]) + parts[6].EPS
    y = not_none("the call of BatchNorm in evaluation", layer(parts[2].Tensor(x)))
    compare(
        "BatchNorm in evaluation", y.data, centred / np.sqrt(var) * gamma,
        ("mean and variance of the batch were used, not the running averages.", parts[6].normalise(x) * gamma),
        ("the division is by the variance, not by its root.", centred / var * gamma),
        ("EPS is missing.", centred / np.sqrt([2.0, 3.0]) * gamma),
        ("gamma is missing.", centred / np.sqrt(var)),
    )  # fmt: skip
    if not np.array_equal([layer.running_mean, layer.running_var], [[5.0, 6.0], [2.0, 3.0]]):
        raise Wrong("BatchNorm in evaluation has changed its running averages: only training updates them.")
    check_function("BatchNorm in evaluation", parts, lambda x: layer(x), [x])
