"""Matrix products through tinygan's own cuBLAS handle (cuda/blas.py) are right for any memory layout of the factors.

Run with pytest --device standin. Its cuBLAS works on raw addresses and column-major matrices.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from tinygan import backend

if backend.device == "cpu" or hasattr(backend.xp, "__version__"):
    pytest.skip("needs --device standin", allow_module_level=True)
from tinygan.backend.cuda import blas

SHAPES = [(2, 3, 4), (1, 1, 1), (1, 5, 3), (5, 1, 3), (4, 3, 1), (1, 1, 6), (7, 2, 1), (3, 4, 5)]  # m, k, n
VIEWS = {  # memory layout: function of (draw, rows, columns) that returns a view of this shape
    "whole": lambda draw, r, c: draw(r, c),
    "transposed": lambda draw, r, c: draw(c, r).T,
    "some columns": lambda draw, r, c: draw(r, c + 3)[:, 2 : 2 + c],
    "some columns, transposed": lambda draw, r, c: draw(c, r + 3)[:, 1 : 1 + r].T,
    "every other row": lambda draw, r, c: draw(2 * r, c)[::2],
    "every other column": lambda draw, r, c: draw(r, 2 * c)[:, ::2],
    "rows backwards": lambda draw, r, c: draw(r, c)[::-1],
    "one row, repeated": lambda draw, r, c: backend.xp.broadcast_to(draw(1, c), (r, c)),
    "one number, repeated": lambda draw, r, c: backend.xp.broadcast_to(draw(1, 1), (r, c)),
}
# layouts that cuBLAS cannot read, so matmul copies the matrix
COPIED = ("every other column", "rows backwards", "one row, repeated", "one number, repeated")


@pytest.fixture
def draw():
    rng = np.random.default_rng(0)
    return lambda *shape: backend.to_device(rng.standard_normal(shape))


@pytest.fixture
def library():
    library = blas.handle().library
    library.calls.clear()
    return library


def get(x):
    return backend.to_host(x)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("left, right", list(itertools.product(VIEWS, VIEWS)))
def test_the_product_of_any_two_views_is_right(left, right, dtype, tolerance, draw):
    for m, k, n in SHAPES:
        a = VIEWS[left](lambda *s: draw(*s).astype(dtype), m, k)
        b = VIEWS[right](lambda *s: draw(*s).astype(dtype), k, n)
        y = blas.matmul(a, b)
        assert y.dtype == dtype and y.shape == (m, n)
        np.testing.assert_allclose(get(y), get(a) @ get(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_without_gaps_in_its_rows_or_columns_is_not_copied(view, draw):
    x = VIEWS[view](draw, 4, 5)
    assert (blas.operand(x).array is x) == (view not in COPIED)


def test_transposition_is_passed_as_a_flag_and_gaps_as_a_leading_dimension(library, draw):
    blas.matmul(draw(3, 4), draw(5, 9)[:, :4].T)
    (call,) = library.calls  # cuBLAS is column-major, so it computes the transposed product: (n, k) times (k, m)
    assert (call["m"], call["n"], call["k"]) == (5, 3, 4)
    assert (call["transa"], call["transb"]) == (1, 0) and call["ld"] == (9, 4, 5)


@pytest.mark.parametrize("m, k, n", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)])
def test_empty_matrices_have_a_product(m, k, n, draw):
    y = blas.matmul(draw(m, k), draw(k, n))
    assert y.shape == (m, n) and not get(y).any()


def test_tf32_is_used_only_for_float32_and_only_on_request(library, draw):
    a, b = draw(2, 3), draw(3, 2)
    try:
        for on in (False, True):
            backend.tf32(on)
            blas.matmul(a.astype("float32"), b.astype("float32"))
            blas.matmul(a, b)
    finally:
        backend.tf32(False)
    exact, tf32, double = blas.COMPUTE_32, blas.COMPUTE_TF32, blas.COMPUTE_64
    assert [call["compute"] for call in library.calls] == [exact, double, tf32, double]


def test_tf32_is_not_used_on_gpus_that_do_not_have_it(library, draw, monkeypatch):
    """A T4 has compute capability 7.5. Ampere, the first generation with TF32, has 8.0."""
    a, b = draw(2, 3).astype("float32"), draw(3, 2).astype("float32")
    try:
        for capability in ("75", "80"):
            monkeypatch.setattr(backend.xp.cuda.Device, "compute_capability", capability)
            backend.tf32(True)
            blas.matmul(a, b)
    finally:
        backend.tf32(False)
    assert [call["compute"] for call in library.calls] == [blas.COMPUTE_32, blas.COMPUTE_TF32]


def test_the_stream_is_set_only_when_it_changes_and_before_the_workspace(draw):
    handle = blas.Handle()
    layout = blas.operand(draw(2, 2))
    out = draw(2, 2)
    handle.gemm(layout, layout, (2, 2, 2), out)
    handle.gemm(layout, layout, (2, 2, 2), out)
    with backend.xp.cuda.Stream(non_blocking=True):
        handle.gemm(layout, layout, (2, 2, 2), out)
    again = ["stream", "workspace", "product"]
    assert handle.library.order == ["create", *again, "product", *again]


def test_an_error_status_of_cublas_raises_and_names_the_function(draw):
    handle = blas.Handle()
    layout = blas.operand(draw(2, 2))
    with pytest.raises(RuntimeError, match="cublasGemmEx failed with cuBLAS status 7"):
        handle.gemm(layout, layout, (3, 2, 2), draw(2, 3))  # the leading dimension 2 is too small for 3 rows


@pytest.mark.parametrize("status", [1, 3])
def test_a_status_of_a_full_gpu_is_a_memory_error(status, monkeypatch):
    monkeypatch.setattr(blas, "library", lambda: SimpleNamespace(cublasCreate_v2=lambda _: status))
    with pytest.raises(MemoryError, match=f"cublasCreate_v2 failed with cuBLAS status {status}"):
        blas.Handle()
