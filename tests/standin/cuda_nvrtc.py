"""Compile CUDA kernels with NVIDIA's compiler NVRTC, without a GPU: pip install -e '.[cuda-check]'

CuPy writes most of the source of an ElementwiseKernel. No public function returns this source, so this module uses
private names of CuPy.
"""

import cupy
import numpy as np
from cupy._core import _carray, _kernel, core
from cupy.cuda import nvrtc

OPTIONS = tuple(core.assemble_cupy_compiler_options(()))
HEADERS = "".join(f"#include <{header}>\n" for header in core._cupy_header_list)


def machine_code(source, architecture, options=()):
    """Compile for an architecture, such as "sm_90". Raises SyntaxError with the messages of the compiler."""
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"-arch={architecture}", "--device-as-default-execution-space", *options))
        return nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError:
        raise SyntaxError(nvrtc.getProgramLog(program)) from None
    finally:
        nvrtc.destroyProgram(program)


def elementwise_source(kernel, dtypes):
    """Return the source of an ElementwiseKernel for arguments of these dtypes.

    A parameter is an array if it is raw, or if its type is a letter such as T. All other parameters are numbers. The
    source is for arrays with two axes that are not contiguous.
    """
    infos, letters = [], {}
    for parameter, dtype in zip(kernel.in_params + kernel.out_params, map(np.dtype, dtypes), strict=True):
        is_array = parameter.raw or parameter.dtype is None
        # CuPy's kinds of arguments: 1 is an array, 2 the index of the loop, 3 a number
        of_array, of_number = (1, cupy.ndarray, dtype, 2, False, True), (3, dtype.type, dtype, 0, True, True)
        infos.append(_kernel._ArgInfo(*(of_array if is_array else of_number)))
        if parameter.dtype is None:
            letters[parameter.ctype] = dtype
    infos.append(_kernel._ArgInfo(2, _carray.Indexer, None, 2, True, True))
    types = _kernel._TypeMap(tuple(sorted(letters.items())))
    words = kernel.params, kernel.operation, kernel.name, kernel.preamble
    return HEADERS + _kernel._get_elementwise_kernel_code(tuple(infos), types, *words)


def unusable():
    """Return why NVRTC cannot be used here, or None if it can."""
    try:
        nvrtc.getVersion()
    except Exception as error:
        return f"needs NVIDIA's compiler NVRTC: pip install -e '.[cuda-check]' ({type(error).__name__})"
