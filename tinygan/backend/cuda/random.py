"""Random numbers on CUDA, computed from a key and a counter. The counter is on the GPU, so a replay can increase it."""

import functools

import cupy as xp
import numpy as np

# Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3): ten rounds that turn a counter and
# a key into random bits. The counter of element i is (i, 0, low word of draw, high word of draw), where `draw` is the
# number of arrays that were filled before.
PHILOX = r"""
__device__ uint2 philox(unsigned int i, unsigned long long draw, unsigned int key0, unsigned int key1) {
    unsigned int c0 = i, c1 = 0, c2 = (unsigned int)draw, c3 = (unsigned int)(draw >> 32);
    for (int round = 0; round < 10; round++) {
        unsigned int high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        unsigned int high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ key0;  c1 = low1;  c2 = high0 ^ c3 ^ key1;  c3 = low0;
        key0 += 0x9E3779B9u;  key1 += 0xBB67AE85u;
    }
    return make_uint2(c0, c1);
}
"""
INPUTS = "raw uint64 draws, raw uint32 key"
UNIFORM = "y = (T)(philox(i, draws[0], key[0], key[1]).x >> 8) * (T)5.9604644775390625e-08"  # 24 bits: y < 1
NORMAL = """
    uint2 bits = philox(i, draws[0], key[0], key[1]);
    T u = ((T)bits.x + (T)1) * (T)2.3283064365386963e-10;      // in (0, 1], so log(u) is finite
    y = sqrt((T)-2 * log(u)) * cos((T)1.4629180792671596e-09 * (T)bits.y)     // Box-Muller; the factor is 2 pi / 2^32
"""


@functools.cache
def kernel(name):
    """Return the kernel that fills an array with uniform or normal numbers."""
    operation = {"uniform": UNIFORM, "normal": NORMAL}[name]
    return xp.ElementwiseKernel(INPUTS, "T y", operation, f"tinygan_{name}", preamble=PHILOX)


class RNG:
    """A seeded source of random numbers. Its state is a key, and the number of arrays filled so far.

    This number is on the GPU, where a captured step increases it. So each replay of the step has new random numbers.
    """

    def __init__(self, seed):
        self.key = xp.asarray(np.random.SeedSequence(seed).generate_state(2))
        self.draws = xp.zeros(1, "uint64")

    def normal(self, shape, dtype="float32"):
        """Return numbers from N(0, 1)."""
        return self._draw("normal", shape, dtype)

    def uniform(self, shape, dtype="float32"):
        """Return numbers that are uniform in [0, 1)."""
        return self._draw("uniform", shape, dtype)

    def _draw(self, name, shape, dtype):
        numbers = kernel(name)(self.draws, self.key, xp.empty(shape, dtype))
        self.draws += 1
        return numbers

    def state_dict(self):
        return {"key": self.key, "draws": self.draws}

    def load_state_dict(self, saved):
        if saved.keys() != {"key", "draws"}:
            raise ValueError("the saved random state is not for device cuda; resume on the device that saved it")
        self.key[...] = xp.asarray(saved["key"])
        self.draws[...] = xp.asarray(saved["draws"])
