"""Check that all processes of a run have the same settings, the same data (by its hash), and bitwise equal states."""

import hashlib
import json

from .. import backend
from ..backend import distributed
from .errors import TrainingError


def check(settings, **parts) -> None:
    """Compare Settings and state between the processes of a run, by hashes. parts: {name: object with state_dict()}.

    Raises TrainingError if a process differs from process 0. The error names the process, and "settings" or an array.
    """
    if distributed.size == 1:
        return
    values = {**settings.to_json(), "device": None}  # the processes can use different GPUs
    digests = {"settings": _digest(json.dumps(values).encode())}
    for part, owner in parts.items():
        for name, array in owner.state_dict().items():
            digests[f"{part}.{name}"] = _digest(backend.to_host(array).tobytes())
    first, *others = distributed.gathered(digests)
    for number, other in enumerate(others, 1):
        if names := [name for name in first if other.get(name) != first[name]]:
            more = f" and {len(names) - 1} more" if names[1:] else ""
            raise TrainingError(
                f"process {number} differs from process 0 in {names[0]}{more}: do both use the same data, program and "
                "libraries? The last checkpoint is not affected"
            )


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
