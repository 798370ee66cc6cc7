"""Matrix products whose first factor is given by offsets: element (m, k) is a[rows[m] + columns[k]].

    y[m, n] = sum over k of a[rows[m] + columns[k]] b[k, n]

With rows[m] = m width and columns[k] = k the first factor is an ordinary matrix. In a convolution, rows[m] is the
offset of patch m in the images, and columns[k] is the offset of pixel k within a patch. Then the first factor is the
matrix of patches, but this matrix is never built.

The result is computed in tiles of TILE rows and a few vectors. A tile stays in registers while k takes all values, so
each number from memory is used in many multiplications (Goto & van de Geijn 2008, section 4). Numba does not keep
arrays in registers. So the tile is written in instructions of LLVM, which Numba compiles with the loops around it.
"""

import functools

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .cache import OPTIONS, kernel

_cpu = llvmlite.binding.get_host_cpu_features()
VECTOR = 64 if _cpu.get("avx512f") else 32 if _cpu.get("avx2") else 16  # bytes of a register
WIDEST = 2 if VECTOR == 32 else 4  # vectors in a row of a tile: AVX2 has 16 registers, AVX-512 and ARM have 32
TILE = 6  # rows of a tile


def _tile(width):
    """Return the function that computes a tile: TILE rows from row i on, `width` vectors from column j on.

    y, a: flat arrays. The number in row m and column n of the product is written to y[y_rows[m] + n]. If adding is
    True, it is added to this element instead.
    """

    @intrinsic
    def tile(typing, y, y_rows, i, a, rows, columns, b, j, adding):
        arrays = y, y_rows, a, rows, columns, b
        if {array.layout for array in arrays} != {"C"} or not y.dtype == a.dtype == b.dtype:
            raise TypingError(f"a tile reads contiguous arrays, and y, a and b of one dtype; got {arrays}")
        signature = numba.types.void(y, y_rows, i, a, rows, columns, b, j, adding)
        return signature, lambda *args: _write_tile(width, *args)

    return tile


def _write_tile(width, context, builder, signature, args):
    """Write the instructions that compute a tile. For each k they add the product of column k of a and row k of b."""
    arrays = [context.make_array(signature.args[n])(context, builder, args[n]) for n in (0, 1, 3, 4, 5, 6)]
    y, y_rows, a, rows, columns, b = arrays
    i, j, adding = args[2], args[7], args[8]
    real, number, targets = context.get_value_type(signature.args[0].dtype), ir.IntType(64), {}
    lanes = VECTOR // (4 if isinstance(real, ir.FloatType) else 8)
    vector, sums, starts = ir.VectorType(real, lanes), {}, []

    def address(array, offset):
        return builder.gep(array.data, [offset])

    def vectors_from(pointer):
        steps = [builder.gep(pointer, [number(v * lanes)]) for v in range(width)]
        return [builder.bitcast(step, vector.as_pointer()) for step in steps]

    for m in range(TILE):
        row = builder.add(i, number(m))
        starts.append(address(a, builder.load(address(rows, row))))
        for v, target in enumerate(vectors_from(address(y, builder.add(builder.load(address(y_rows, row)), j)))):
            targets[m, v] = target
            sums[m, v] = cgutils.alloca_once(builder, vector)  # LLVM keeps this variable in a register
    for key in sums:
        before = builder.select(adding, builder.load(targets[key], align=real_size(real)), vector([0.0] * lanes))
        builder.store(before, sums[key])

    suffix = f"v{lanes}f{8 * real_size(real)}"
    fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.{suffix}")
    first, everywhere = ir.IntType(32)(0), ir.VectorType(ir.IntType(32), lanes)([0] * lanes)
    with cgutils.for_range(builder, columns.nitems) as loop:
        column = builder.load(address(columns, loop.index))
        from_b = address(b, builder.add(builder.mul(loop.index, builder.extract_value(b.shape, 1)), j))
        row_of_b = [builder.load(p, align=real_size(real)) for p in vectors_from(from_b)]
        for m in range(TILE):
            element = builder.insert_element(
                vector(ir.Undefined), builder.load(builder.gep(starts[m], [column])), first
            )
            element = builder.shuffle_vector(element, vector(ir.Undefined), everywhere)
            for v in range(width):
                total = builder.call(fma, [element, row_of_b[v], builder.load(sums[m, v])])
                builder.store(total, sums[m, v])
    for key, target in targets.items():
        builder.store(builder.load(sums[key]), target, align=real_size(real))
    return context.get_dummy_value()


def real_size(real):
    return 4 if isinstance(real, ir.FloatType) else 8


tile_1, tile_2, tile_widest = _tile(1), _tile(2), _tile(WIDEST)
DEPTH = 512  # rows of b that are multiplied at a time; they fit in the cache


@numba.njit(**OPTIONS)
def row_of_tiles(y, y_rows, i, a, rows, columns, b, width, lanes, adding):
    """Compute `width` columns of the TILE rows of y that begin at row i."""
    j = 0
    while j < width:
        if width - j > (WIDEST - 1) * lanes:
            tile_widest(y, y_rows, i, a, rows, columns, b, j, adding)
            j += WIDEST * lanes
        elif width - j > lanes:
            tile_2(y, y_rows, i, a, rows, columns, b, j, adding)
            j += 2 * lanes
        else:
            tile_1(y, y_rows, i, a, rows, columns, b, j, adding)
            j += lanes


@kernel
def _product(y, y_rows, a, rows, columns, b, lanes):
    for k in range(0, len(columns), DEPTH):
        for tile in numba.prange(len(rows) // TILE):
            columns_k, b_k = columns[k : k + DEPTH], b[k : k + DEPTH]
            row_of_tiles(y, y_rows, tile * TILE, a, rows, columns_k, b_k, b.shape[1], lanes, k > 0)


def product(y, y_rows, a, rows, columns, b):
    """y[y_rows[m] + n] = sum over k of a[rows[m] + columns[k]] b[k, n]

    y, a: contiguous arrays. b: a matrix in any layout. rows, y_rows: made by the function `offsets` below. Their length
    is a multiple of TILE, because only whole tiles are computed.
    """
    lanes, n = VECTOR // b.itemsize, b.shape[1]
    if not len(columns):  # all sums are empty: compute 0 times 0 instead, because a may have no element
        a, rows, b, columns = np.zeros(1, a.dtype), rows * 0, np.zeros((1, n), b.dtype), np.zeros(1, np.int64)
    if n % lanes == 0:
        _product(y.reshape(-1), y_rows, a.reshape(-1), rows, columns, np.ascontiguousarray(b), lanes)
        return
    wide = np.zeros((len(b), -(-n // lanes) * lanes), b.dtype)  # filled up to whole vectors
    wide[:, :n] = b
    results = np.empty((len(rows), wide.shape[1]), b.dtype)
    result_rows = np.arange(len(rows)) * wide.shape[1]
    _product(results.reshape(-1), result_rows, a.reshape(-1), rows, columns, wide, lanes)
    _copy_rows(y.reshape(-1), y_rows, results, n)


@kernel
def _copy_rows(y, y_rows, results, width):
    for m in numba.prange(len(y_rows)):
        for n in range(width):
            y[y_rows[m] + n] = results[m, n]


def offsets(array):
    """Return the offsets of rows as a vector. The last offset is repeated until the length is a multiple of TILE.

    Then the last row is computed several times, always with the same result.
    """
    flat = np.asarray(array, np.int64).reshape(-1)
    return np.concatenate([flat, np.repeat(flat[-1:], -len(flat) % TILE)])


@functools.lru_cache(1024)
def matrix_rows(rows, width):
    """Return the offsets of the rows of a contiguous matrix."""
    return offsets(np.arange(rows) * width)
