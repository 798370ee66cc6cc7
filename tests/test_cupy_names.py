"""The names and arguments of the stand-in are those of the real CuPy. The comparison needs CuPy, but no GPU."""

import inspect

import cupy_names
import cupy_standin
import numpy as np
import pytest

REASON = "needs the real CuPy"
real = pytest.importorskip("cupy", reason=REASON, exc_type=ImportError)
if not hasattr(real, "__version__"):
    pytest.skip(f"{REASON}; the installed cupy is the stand-in", allow_module_level=True)
standin = cupy_standin.module()


def arguments(thing):
    """Return the names of a compiled function's arguments, from the first line of its docstring."""
    line = thing.__doc__.strip().split("\n")[0]
    inside = line[line.index("(") + 1 : line.rindex(")")]
    return [part.split("=")[0].split()[-1] for part in inside.split(",")]


def declared(signature):
    """Return the names of the arguments in a signature: ["a", "*axes", "*", "order"]."""
    return arguments(type("signature", (), {"__doc__": str(signature)}))


@pytest.mark.parametrize("name", cupy_names.FUNCTIONS)
def test_functions_take_cupys_arguments(name):
    ours, theirs = cupy_names.signature(cupy_names.FUNCTIONS[name]), inspect.signature(getattr(real, name))
    assert [(p.name, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.kind) for p in theirs.parameters.values()
    ]


def test_as_strided_takes_cupys_arguments():
    theirs = inspect.signature(real.lib.stride_tricks.as_strided)
    assert list(cupy_names.signature(cupy_names.AS_STRIDED).parameters) == list(theirs.parameters)


@pytest.mark.parametrize("name", cupy_names.METHODS)
def test_methods_take_cupys_arguments(name):
    ours = [a for a in declared(cupy_names.signature(cupy_names.METHODS[name])) if a != "*"]
    assert ours == arguments(getattr(real.ndarray, name))


def test_raw_kernel_takes_cupys_arguments():
    assert declared(inspect.signature(standin.RawKernel)) == arguments(real.RawKernel)
    ours = declared(inspect.signature(standin.ElementwiseKernel))
    assert ours[: ours.index("*")] == arguments(real.ElementwiseKernel)[:-1]
    for name in ours[ours.index("*") + 1 :]:  # CuPy takes these as **kwargs, and its docstring describes them
        assert f"    {name} (" in real.ElementwiseKernel.__doc__


@pytest.mark.parametrize("name", cupy_names.UFUNCS)
def test_ufuncs_are_ufuncs_of_cupy(name):
    assert isinstance(getattr(real, name), real.ufunc)
    assert getattr(real, name).nin == getattr(np, name).nin


def public(thing):
    return [name for name in dir(thing) if not name.startswith("_")]


def test_every_name_exists_in_cupy():
    for name in public(standin):
        assert hasattr(real, name), name
    for name in cupy_names.TYPES:
        assert getattr(real, name) is getattr(np, name), name
    for name in public(standin.cuda):
        assert hasattr(real.cuda, name), f"cuda.{name}"
    for owner in ("Device", "Event", "Graph", "MemoryPool", "Stream", "runtime"):
        for name in public(getattr(standin.cuda, owner)):
            assert name == "id" or hasattr(getattr(real.cuda, owner), name), f"cuda.{owner}.{name}"


def test_arrays_have_cupys_attributes_and_operators():
    special = {name for name in vars(standin.ndarray) if name.startswith("__")}
    special -= {"__doc__", "__getattr__", "__init__", "__module__", "__slots__", "__weakref__"}
    for name in (*public(standin.ndarray), *special):
        assert hasattr(real.ndarray, name), name
    for name in ("__index__", "__imatmul__", "__contains__"):
        assert not hasattr(real.ndarray, name) and not hasattr(standin.ndarray, name), name
