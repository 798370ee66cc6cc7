"""Our own kernels: images to patches and back (see patches.py), and sums of columns.

Each output is computed and written by one thread. There are no atomic additions, whose order varies, so a step gives
the same bits each time. Sizes are constants in the source, because dividing by a constant is fast.
"""

import functools

import cupy as xp
import numpy as np

from ..patches import patch_grid

THREADS = 256  # of a block
BLOCKS = 528  # enough to keep a large card busy: four for each of 132 multiprocessors

PIXELS = """
struct alignas(LANES * sizeof(Real)) Channels { Real lane[LANES]; };  // up to 16 bytes, read and written at once
constexpr int C = CHANNELS / LANES;
"""
IM2COL = """
// x: (N, H, W, C) -> columns: (N, OH, OW, KH, KW, C); a thread for each element of columns
extern "C" __global__ void tinygan_im2col(const Channels* x, Channels* columns, Index total) {
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    Index rest = i;
    const int c = rest % C;  rest /= C;
    const int v = rest % KW;  rest /= KW;
    const int u = rest % KH;  rest /= KH;
    const int ow = rest % OW;  rest /= OW;
    const int oh = rest % OH;
    const Index n = rest / OH;
    const int h = oh * SH - PH + u, w = ow * SW - PW + v;
    const bool inside = h >= 0 && h < H && w >= 0 && w < W;
    columns[i] = inside ? x[((n * H + h) * W + w) * C + c] : Channels();
}
"""
COL2IM = """
// columns: (N, OH, OW, KH, KW, C) -> x: (N, H, W, C); a thread for each element of x adds up its copies in all patches
extern "C" __global__ void tinygan_col2im(const Channels* columns, Channels* x, Index total) {
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    Index rest = i;
    const int c = rest % C;  rest /= C;
    const int w = rest % W;  rest /= W;
    const int h = rest % H;
    const Index n = rest / H;
    Channels sum = Channels();
    for (int u = (h + PH) % SH; u < KH && u <= h + PH; u += SH) {  // where the filter lies so that it covers h
        const int oh = (h + PH - u) / SH;
        if (oh >= OH) continue;
        for (int v = (w + PW) % SW; v < KW && v <= w + PW; v += SW) {
            const int ow = (w + PW - v) / SW;
            if (ow >= OW) continue;
            const Channels one = columns[((((n * OH + oh) * OW + ow) * KH + u) * KW + v) * C + c];
            for (int lane = 0; lane < LANES; lane++) sum.lane[lane] += one.lane[lane];
        }
    }
    x[i] = sum;
}
"""
COLUMN_SUMS = """
// x: (rows, columns) -> sums: (slabs, columns), of `slab` rows each. A block takes ACROSS columns of a slab, DOWN rows
// at a time, and then adds up its DOWN sums of each column by halves
extern "C" __global__ void tinygan_column_sums(const Real* x, Real* sums, int rows, int columns, int slab) {
    __shared__ Real partial[DOWN][ACROSS];
    const int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    const int column = blockIdx.x * ACROSS + across;
    const int first = blockIdx.y * slab, end = min(first + slab, rows);
    Real sum = 0;
    if (column < columns)
        for (int row = first + down; row < end; row += DOWN) sum += x[(Index)row * columns + column];
    partial[down][across] = sum;
    for (int half = DOWN / 2; half > 0; half /= 2) {
        __syncthreads();
        if (down < half) partial[down][across] += partial[down + half][across];
    }
    if (down == 0 && column < columns) sums[(Index)blockIdx.y * columns + column] = partial[0][across];
}
"""
CODE = {"im2col": PIXELS + IM2COL, "col2im": PIXELS + COL2IM, "column_sums": COLUMN_SUMS}


def source(name, dtype, index, **constants):
    """Return the source of a kernel. index: the integer type of element numbers."""
    numbers = "".join(f"constexpr int {key} = {value};\n" for key, value in constants.items())
    real = {"float32": "float", "float64": "double"}[str(dtype)]
    return f"typedef {real} Real;\ntypedef {index} Index;\n{numbers}{CODE[name]}"


@functools.cache
def kernel(name, dtype, index, **constants):
    return xp.RawKernel(source(name, dtype, index, **constants), f"tinygan_{name}")


def im2col(x, kernel, stride, padding):
    """x: (N, H, W, C) -> (N * OH * OW, kh * kw * C)."""
    n, h, w, c = x.shape
    oh, ow = patch_grid((h, w), kernel, stride, padding)
    columns = xp.empty((n * oh * ow, kernel[0] * kernel[1] * c), x.dtype)
    return move("im2col", x, columns, x.shape, (oh, ow), kernel, stride, padding)


def col2im(columns, shape, kernel, stride, padding):
    """columns: (N * OH * OW, kh * kw * C), shape: (N, H, W, C) -> image of that shape."""
    grid = patch_grid(shape[1:3], kernel, stride, padding)
    return move("col2im", columns, xp.empty(shape, columns.dtype), shape, grid, kernel, stride, padding)


def move(name, source, target, shape, grid, size, stride, padding):
    """Fill `target` by one of the two kernels above, 16 bytes at a time if the channels allow it."""
    source = xp.ascontiguousarray(source)
    lanes = 16 // source.itemsize
    if shape[3] % lanes or source.data.ptr % 16 or target.data.ptr % 16:
        lanes = 1
    total = target.size // lanes
    if total:
        names = ("H", "W", "CHANNELS", "OH", "OW", "KH", "KW", "SH", "SW", "PH", "PW")
        sizes = dict(zip(names, (*shape[1:], *grid, *size, *stride, *padding)), LANES=lanes)
        large = max(source.size, target.size) >= 1 << 31
        index, count = ("unsigned long long", np.uint64) if large else ("unsigned int", np.uint32)
        program = kernel(name, source.dtype.name, index, **sizes)
        program((-(-total // THREADS),), (THREADS,), (source, target, count(total)))
    return target


def column_sums(x):
    """Return the sum over all axes but the last: (..., C) -> (C,), and (n,) -> (1,), in float32 or float64.

    CuPy's own sum gives each column to at most one block, so with few columns most of the GPU would be idle.
    """
    x = xp.ascontiguousarray(x).reshape(-1, x.shape[-1] if x.ndim > 1 else 1)
    (rows, columns), across = x.shape, 1
    while across < min(columns, 32):
        across *= 2
    wide, down = -(-columns // across), THREADS // across  # blocks side by side, rows at a time
    slabs = max(1, min(BLOCKS // wide, rows // (8 * down)))  # as many rows in each as pay for adding up the slabs
    sums = xp.empty((slabs, columns), x.dtype)
    program = kernel("column_sums", x.dtype.name, "long long", ACROSS=across, DOWN=down)
    slab = -(-rows // slabs)
    program((wide, slabs), (THREADS,), (x, sums, np.int32(rows), np.int32(columns), np.int32(slab)))
    return sums[0] if slabs == 1 else column_sums(sums)
