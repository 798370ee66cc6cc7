"""Three CUDA kernels. im2col copies patches of images, col2im adds them up, gather collects the images of a batch.

backend/patches.py explains patches. Each element of a result is computed by one thread. Atomic additions are not used,
because their order is random. So the same step always gives the same bits. Sizes are constants in the source, because
division by a constant is fast.
"""

import functools

import cupy as xp
import numpy as np

from ..patches import patch_grid

THREADS = 256  # threads in a block

PIXELS = """
struct alignas(LANES * sizeof(Real)) Channels { Real lane[LANES]; };  // one instruction moves 16 bytes, or one number
constexpr int C = CHANNELS / LANES;
"""
IM2COL = """
// x: (N, H, W, C) -> columns: (N, OH, OW, KH, KW, C). One thread computes one element of columns
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
// columns: (N, OH, OW, KH, KW, C) -> x: (N, H, W, C). One thread adds up the copies of one element of x in all patches
extern "C" __global__ void tinygan_col2im(const Channels* columns, Channels* x, Index total) {
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    Index rest = i;
    const int c = rest % C;  rest /= C;
    const int w = rest % W;  rest /= W;
    const int h = rest % H;
    const Index n = rest / H;
    Channels sum = Channels();
    #pragma unroll
    for (int a = 0; a < (KH + SH - 1) / SH; a++) {  // both loops have constant lengths, so loads can overlap
        const int u = (h + PH) % SH + a * SH, oh = (h + PH - u) / SH;  // row u of the filter at response oh covers h
        #pragma unroll
        for (int b = 0; b < (KW + SW - 1) / SW; b++) {
            const int v = (w + PW) % SW + b * SW, ow = (w + PW - v) / SW;
            const bool covers = u < KH && u <= h + PH && oh < OH && v < KW && v <= w + PW && ow < OW;
            const Channels one = covers ? columns[((((n * OH + oh) * OW + ow) * KH + u) * KW + v) * C + c] : Channels();
            for (int lane = 0; lane < LANES; lane++) sum.lane[lane] += one.lane[lane];
        }
    }
    x[i] = sum;
}
"""
GATHER = """
// y[j] = rows[order[position + j]] * factor - offset        rows: (ROWS, COLUMNS), y: (n, COLUMNS)
extern "C" __global__ void tinygan_gather(
    const Element* rows, const long long* order, const long long* position, Real* y, Index total, Real factor,
    Real offset) {
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    y[i] = (Real)rows[order[(position[0] + i / COLUMNS) % ROWS] * COLUMNS + i % COLUMNS] * factor - offset;
}
"""
CODE = {"gather": GATHER, "im2col": PIXELS + IM2COL, "col2im": PIXELS + COL2IM}


def source(name, dtype, index, element="", **constants):
    """Return the source of a kernel. index: the integer type for indices. element: a C typedef of the type Element."""
    numbers = "".join(f"constexpr int {key} = {value};\n" for key, value in constants.items())
    real = {"float32": "float", "float64": "double"}[str(dtype)]
    return f"typedef {real} Real;\ntypedef {index} Index;\n{element}{numbers}{CODE[name]}"


@functools.cache
def kernel(name, dtype, index, element="", **constants):
    return xp.RawKernel(source(name, dtype, index, element, **constants), f"tinygan_{name}")


def im2col(x, kernel, stride, padding):
    """x: (N, H, W, C) -> (N * OH * OW, kh * kw * C)"""
    n, h, w, c = x.shape
    oh, ow = patch_grid((h, w), kernel, stride, padding)
    columns = xp.empty((n * oh * ow, kernel[0] * kernel[1] * c), x.dtype)
    return move("im2col", x, columns, x.shape, (oh, ow), kernel, stride, padding)


def col2im(columns, shape, kernel, stride, padding):
    """columns: (N * OH * OW, kh * kw * C) -> x: (N, H, W, C), of this shape. Adds up patches: the adjoint of im2col."""
    grid = patch_grid(shape[1:3], kernel, stride, padding)
    return move("col2im", columns, xp.empty(shape, columns.dtype), shape, grid, kernel, stride, padding)


def move(name, source, target, shape, grid, size, stride, padding):
    """Run the kernel im2col or col2im, and return `target`. If possible, a thread moves 16 bytes of channels."""
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


def gather(rows, order, position, n, factor, offset):
    """See backend.gather. This is one kernel."""
    y = xp.empty((n, *rows.shape[1:]), "float32")
    element = {"uint8": "typedef unsigned char Element;\n", "float32": "typedef float Element;\n"}[rows.dtype.name]
    program = kernel("gather", "float32", "unsigned int", element, COLUMNS=y.size // n, ROWS=len(order))
    args = rows, order, position, y, np.uint32(y.size), np.float32(factor), np.float32(offset)
    program((-(-y.size // THREADS),), (THREADS,), args)
    return y
