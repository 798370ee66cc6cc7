"""Run a CUDA kernel on the CPU. g++ compiles its source as C++, after definitions of CUDA's words such as __global__.

The blocks of a kernel run one after another, and so do the threads of a block. But if the kernel calls __syncthreads,
each thread of a block is a thread of the operating system. Then a test can find a missing synchronisation. Kernels run
slowly here, so the arrays of a test should be small.
"""

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

COMPILER = shutil.which("g++")
WORDS = r"""
#include <cmath>
#include <cstdint>
using namespace std;
#define __global__
#define __device__ static inline
#define __shared__ static
struct Place { unsigned int x, y, z; };
struct uint2 { unsigned int x, y; };
static inline uint2 make_uint2(unsigned int x, unsigned int y) { return {x, y}; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline unsigned int __umulhi(unsigned int a, unsigned int b) { return ((uint64_t)a * b) >> 32; }
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;
"""
ONE_BY_ONE = r"""
static void do_block(unsigned int n, auto thread) { for (unsigned int t = 0; t < n; t++) thread(t); }
"""
TOGETHER = r"""
#include <barrier>
#include <thread>
#include <vector>
static barrier<>* everyone;
static void __syncthreads() { everyone->arrive_and_wait(); }
static void do_block(unsigned int n, auto thread) {
    barrier<> of_block(n);
    everyone = &of_block;
    vector<std::thread> threads;
    for (unsigned int t = 0; t < n; t++) threads.emplace_back(thread, t);
    for (auto& t : threads) t.join();
}
"""
LAUNCH = r"""
extern "C" void launch(unsigned int grid_x, unsigned int grid_y, unsigned int block_size, PARAMETERS) {
    gridDim = {grid_x, grid_y, 1};
    blockDim = {block_size, 1, 1};
    for (unsigned int block_y = 0; block_y < grid_y; block_y++)
        for (unsigned int block_x = 0; block_x < grid_x; block_x++)
            do_block(block_size, [&](unsigned int thread_x) {
                threadIdx = {thread_x, 0, 0};
                blockIdx = {block_x, block_y, 0};
                NAME(ARGUMENTS);
            });
}
"""


@functools.cache
def compiled(text):
    """Compile C++ to a shared library, and load it."""
    folder = Path(tempfile.mkdtemp(prefix="cuda_on_cpu"))
    try:
        options = ["-std=c++20", "-O1", "-pthread", "-shared", "-fPIC", "-x", "c++", "-", "-o", folder / "kernel.so"]
        done = subprocess.run([COMPILER, *options], input=WORDS + text, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr[:3000]
        return ctypes.CDLL(str(folder / "kernel.so"))
    finally:
        shutil.rmtree(folder)


def raw_kernel(source, name):
    """Return a function that is called like a cupy.RawKernel: grid, block, and a tuple of NumPy arrays and scalars."""
    parameters = re.search(rf"__global__ void {name}\(([^)]*)\)", source)[1]
    arguments = ", ".join(re.split(r"[\s*]+", p.strip())[-1] for p in parameters.split(","))
    call = LAUNCH.replace("PARAMETERS", parameters).replace("NAME", name).replace("ARGUMENTS", arguments)
    library = compiled((TOGETHER if "__syncthreads" in source else ONE_BY_ONE) + source + call)

    def launch(grid, block, args):
        gx, gy = (*grid, 1)[:2]
        library.launch(gx, gy, block[0], *(as_ctypes(a) for a in args))

    return launch


def elementwise(operation, preamble, real):
    """Return a function (draws, key, y) that runs the operation of a random kernel for each element of the array y.

    operation, preamble: the CUDA code of the ElementwiseKernel. real: the C type of y.
    """
    loop = f"typedef {real} T;\n{preamble}\n" + (
        'extern "C" void launch(const uint64_t* draws, const uint32_t* key, T* out, long long size) {'
        f"for (long long i = 0; i < size; i++) {{ T& y = out[i]; {operation}; }} }}"
    )
    library = compiled(loop)
    return lambda draws, key, y: library.launch(*(as_ctypes(a) for a in (draws, key, y)), ctypes.c_longlong(y.size))


def as_ctypes(x):
    return ctypes.c_void_p(x.ctypes.data) if isinstance(x, np.ndarray) else np.ctypeslib.as_ctypes_type(x.dtype)(x)
