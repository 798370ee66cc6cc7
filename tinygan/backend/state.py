"""Saved arrays back into live ones."""

from .. import backend


def load_arrays(live, saved, owner):
    """Copy `saved` (name -> numpy.ndarray) into the arrays of `live` (name -> array), in place.

    Everything is compared first, so that a state that does not fit changes nothing.
    Raises ValueError, naming the owner, for a name that is missing or too many, a shape or a dtype that differs.
    """
    for name in live.keys() ^ saved.keys():
        raise ValueError(f"{owner}: the saved state {'lacks' if name in live else 'has an unknown'} {name!r}")
    for name, array in live.items():
        if saved[name].shape != array.shape or saved[name].dtype != array.dtype:
            raise ValueError(
                f"{owner}: {name!r} is {array.dtype} {array.shape}; {saved[name].dtype} {saved[name].shape} was saved"
            )
    for name, array in live.items():
        array[...] = backend.to_device(saved[name])
