"""What needs the real CuPy and NVIDIA's compiler NVRTC, and no GPU: the text of its kernels, and their machine code.

    pip install -e '.[cuda-check]'

Looks into CuPy's private parts, since what it would send to a GPU cannot be seen from outside.
"""

import functools
import re

import cupy
import numpy as np
from cupy._core import _carray, _kernel, core
from cupy.cuda import nvrtc

OPTIONS = tuple(core.assemble_cupy_compiler_options(()))
HEADERS = "".join(f"#include <{header}>\n" for header in core._cupy_header_list)


def machine_code(source, architecture, options=()):
    """The code for "sm_90" and the like. Raises SyntaxError with what the compiler says."""
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"-arch={architecture}", "--device-as-default-execution-space", *options))
        return nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError:
        raise SyntaxError(nvrtc.getProgramLog(program)) from None
    finally:
        nvrtc.destroyProgram(program)


def elementwise_source(kernel, dtypes):
    """The text of an ElementwiseKernel for arguments of these dtypes, all taken for strided matrices."""
    infos, letters = [], {}
    for parameter, dtype in zip(kernel.in_params + kernel.out_params, map(np.dtype, dtypes), strict=True):
        infos.append(_kernel._ArgInfo(1, cupy.ndarray, dtype, 2, False, True))  # 1: an array
        if parameter.dtype is None:
            letters[parameter.ctype] = dtype
    infos.append(_kernel._ArgInfo(2, _carray.Indexer, None, 2, True, True))  # 2: the index
    types = _kernel._TypeMap(tuple(sorted(letters.items())))
    words = kernel.params, kernel.operation, kernel.name, kernel.preamble
    return HEADERS + _kernel._get_elementwise_kernel_code(tuple(infos), types, *words)


class _Owner:
    pass


@functools.cache
def has_gpu():
    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def array_to_trace(shape, dtype="float32"):
    """An array for a kernel that is traced and then launched. Without a GPU the launch fails, and there is no memory:
    then the array has an address where nothing is."""
    if has_gpu():
        return cupy.ones(shape, dtype)
    memory = cupy.cuda.UnownedMemory(0x7F0000000000, 1 << 30, _Owner(), device_id=0)
    return cupy.ndarray(shape, dtype, memptr=cupy.cuda.MemoryPointer(memory, 0))


def traced(function, name, args):
    """The ElementwiseKernel that cupy.fuse makes of a function. Raises AssertionError where it makes none, and falls
    back to something slower."""
    fused = cupy.fuse(kernel_name=name)(function)
    try:
        fused(*args)
    except cupy.cuda.runtime.CUDARuntimeError:
        if has_gpu():
            raise
    assert fused.new_fusion is None, f"{name} is not one elementwise kernel: CuPy fell back"
    ((kernel, _),) = fused._memo.values()
    return kernel


def computes_in(kernel):
    """The types of the variables that a fused kernel computes: {"float", "bool"}. Constants and arguments are not
    among them: they are converted before they are used."""
    declared = re.findall(r"^(\w+(?: \w+)*) v\d+(?:_\d+)?;", kernel.operation, re.M)
    inner = re.findall(r"(\w+(?: \w+)*) v\d+_\d+;", kernel.operation)
    return set(declared) | {word.split(";")[-1].strip() for word in inner}


def unusable():
    """Why NVRTC cannot be used here; None where it can."""
    try:
        nvrtc.getVersion()
    except Exception as error:
        return f"needs NVIDIA's compiler NVRTC: pip install -e '.[cuda-check]' ({type(error).__name__})"
