"""Where weights start: functions (rng, shape, fan_in) -> array. fan_in: how many inputs feed one output."""


def normal(rng, shape, fan_in):
    """N(0, 0.02), whatever the fan-in (Radford et al. 2016, section 4): small enough that tanh starts unsaturated."""
    return rng.normal(shape) * 0.02


def he_normal(rng, shape, fan_in):
    """N(0, sqrt(2 / fan_in)) keeps the size of signals through layers of ReLUs (He et al. 2015, section 2.2)."""
    return rng.normal(shape) * (2.0 / fan_in) ** 0.5
