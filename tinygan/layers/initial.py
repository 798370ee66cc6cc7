"""Initial weights: functions (rng, shape, fan_in) -> array. fan_in: the number of inputs that one output depends on."""


def normal(rng, shape, fan_in):
    """N(0, s) with standard deviation s = 0.02 for any fan_in (Radford et al. 2016, section 4)."""
    return rng.normal(shape) * 0.02


def he_normal(rng, shape, fan_in):
    """N(0, s) with s = sqrt(2 / fan_in), which preserves variance through ReLUs (He et al. 2015, section 2.2)."""
    return rng.normal(shape) * (2.0 / fan_in) ** 0.5
