"""Random numbers on the CPU."""

import numpy as xp


class RNG:
    """A seeded source of random numbers. Its state is an array, so a checkpoint can store it."""

    def __init__(self, seed):
        self.generator = xp.random.Generator(xp.random.SFC64(seed))

    def normal(self, shape, dtype="float32"):
        """Return numbers from N(0, 1)."""
        return self.generator.standard_normal(shape, dtype)

    def uniform(self, shape, dtype="float32"):
        """Return numbers that are uniform in [0, 1)."""
        return self.generator.random(shape, dtype)

    def state_dict(self):
        state = self.generator.bit_generator.state
        spare = [state["has_uint32"], state["uinteger"]]  # 32 random bits that are not yet used
        return {"state": xp.concatenate([state["state"]["state"], xp.array(spare, "uint64")])}

    def load_state_dict(self, saved):
        words = xp.asarray(saved.get("state", ()))
        if words.shape != (6,) or words.dtype != "uint64":
            raise ValueError("the saved random state is not for device cpu; resume on the device that saved it")
        self.generator.bit_generator.state = {
            "bit_generator": "SFC64",
            "state": {"state": words[:4].copy()},
            "has_uint32": int(words[4]),
            "uinteger": int(words[5]),
        }
