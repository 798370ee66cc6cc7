"""Tables of the functions and methods of CuPy 14 that the stand-in has, with CuPy's arguments.

Any other function or method raises AttributeError. To use another one in tinygan, add it here. test_cupy_names.py
compares these tables with the real CuPy, if it is installed.
"""

import functools
import inspect

import numpy as np

TYPES = "generic dtype bool_ uint8 int32 int64 uint32 uint64 float16 float32 float64".split()
UFUNCS = """abs absolute add bitwise_and bitwise_or bitwise_xor cos divide equal exp expm1 floor_divide greater
    greater_equal invert isfinite isnan less less_equal log log1p logical_and logical_not logical_or maximum minimum
    multiply negative not_equal positive power reciprocal remainder rint sign sin sqrt square subtract tanh
    true_divide""".split()
FUNCTIONS = {  # name: CuPy's arguments
    "arange": "start, stop=None, step=1, dtype=None",
    "argwhere": "a",
    "array": "obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False",
    "asarray": "a, dtype=None, order=None, *, copy=None, blocking=False",
    "ascontiguousarray": "a, dtype=None",
    "asnumpy": "a, stream=None, order='C', out=None, *, blocking=True",
    "broadcast_to": "array, shape",
    "clip": "a, a_min, a_max, out=None",
    "concatenate": "tup, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "dot": "a, b, out=None",
    "einsum": "*operands, **kwargs",
    "empty": "shape, dtype=float, order='C'",
    "empty_like": "prototype, dtype=None, order='K', subok=None, shape=None",
    "eye": "N, M=None, k=0, dtype=float, order='C'",
    "full": "shape, fill_value, dtype=None, order='C'",
    "linspace": "start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0",
    "mean": "a, axis=None, dtype=None, out=None, keepdims=False",
    "nonzero": "a",
    "ones": "shape, dtype=float, order='C'",
    "ones_like": "a, dtype=None, order='K', subok=None, shape=None",
    "shares_memory": "a, b, max_work=None",
    "stack": "tup, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "sum": "a, axis=None, dtype=None, out=None, keepdims=False",
    "take": "a, indices, axis=None, out=None",
    "tensordot": "a, b, axes=2",
    "unique": "ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True",
    "where": "condition, x=None, y=None",
    "zeros": "shape, dtype=float, order='C'",
    "zeros_like": "a, dtype=None, order='K', subok=None, shape=None",
}
METHODS = {  # name: CuPy's arguments, for the methods of ndarray that cupy_rules.py does not define
    "all": "self, axis=None, out=None, keepdims=False",
    "any": "self, axis=None, out=None, keepdims=False",
    "argmax": "self, axis=None, out=None, dtype=None, keepdims=False",
    "astype": "self, dtype, order='K', casting=None, subok=None, copy=True",
    "copy": "self, order='C'",
    "dot": "self, b, out=None",
    "max": "self, axis=None, out=None, keepdims=False",
    "mean": "self, axis=None, dtype=None, out=None, keepdims=False",
    "min": "self, axis=None, out=None, keepdims=False",
    "ravel": "self, order='C'",
    "reshape": "self, *shape, order='C', copy=None",
    "squeeze": "self, axis=None",
    "std": "self, axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "sum": "self, axis=None, dtype=None, out=None, keepdims=False",
    "swapaxes": "self, axis1, axis2",
    "take": "self, indices, axis=None, out=None",
    "transpose": "self, *axes",
    "var": "self, axis=None, dtype=None, out=None, ddof=0, keepdims=False",
}
AS_STRIDED = "x, shape=None, strides=None"
CUBLAS = {"dot", "einsum", "matmul", "tensordot"}  # functions that call cuBLAS, so they cannot be captured
WAITS = {"argwhere", "nonzero", "shares_memory", "unique"}  # functions whose result the host waits for

# BINARY, COMPARISONS, UNARY: {operator of ndarray: the ufunc that computes it}. ATTRIBUTES: the attributes that the
# stand-in's ndarray takes from its NumPy array
BINARY = dict(add="add", sub="subtract", mul="multiply", truediv="divide", floordiv="floor_divide", mod="remainder")
BINARY |= {"pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}
COMPARISONS = dict(lt="less", le="less_equal", gt="greater", ge="greater_equal", eq="equal", ne="not_equal")
UNARY = dict(neg="negative", pos="positive", abs="absolute", invert="invert")
ATTRIBUTES = "shape ndim size dtype strides nbytes itemsize flags".split()


@functools.cache
def signature(text):
    return inspect.signature(eval(f"lambda {text}: None"))


SCALARS = (bool, int, float, complex, np.number, np.bool_)


class CUDARuntimeError(RuntimeError):
    """The stand-in for cupy.cuda.runtime.CUDARuntimeError."""
