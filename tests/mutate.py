"""Check that the gradient checks notice wrong derivatives. One derivative at a time is made wrong.

A mutant is one derivative dL/d(argument), scaled by 1.01 or with its sign flipped. The gradient checks run on the
inputs of cases.py until one fails. The mutant is then caught. A mutant that passes all checks survives: then cases.py
lacks a case.

    python tests/mutate.py        prints each mutant and the case that caught it; exit status 1 if one survived
"""

import inspect
import sys
from contextlib import contextmanager
from typing import NamedTuple

from cases import CASES

from tinygan import check_grads
from tinygan.autograd import PRIMITIVES, Composed, GradientError, Primitive

MUTATIONS = {"times 1.01": 1.01, "sign flipped": -1.0}


class Mutant(NamedTuple):
    primitive: Primitive
    position: int  # index of the argument whose derivative is wrong
    mutation: str
    fast: bool = False  # True: only the fast gradient of a composed operation is wrong

    @property
    def argument(self):
        """Return the argument's name: "gamma", or "xs[1]" if the primitive takes any number of arguments."""
        parameters = list(inspect.signature(self.primitive.forward).parameters.values())
        if parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
            return f"{parameters[0].name}[{self.position}]"
        return parameters[self.position].name


@contextmanager
def planted(mutant):
    """Make the mutant's derivative wrong within a with block."""
    primitive, factor, name = mutant.primitive, MUTATIONS[mutant.mutation], "gradients" if mutant.fast else "vjp"
    right = getattr(primitive, name)

    def wrong(*args, **kwargs):
        gradients = list(right(*args, **kwargs))
        if mutant.position < len(gradients) and gradients[mutant.position] is not None:
            gradients[mutant.position] = gradients[mutant.position] * factor
        return gradients

    setattr(primitive, name, wrong)
    try:
        yield
    finally:
        setattr(primitive, name, right)


def positions(primitive):
    """Return the indices of the arguments that have a derivative: those for which the cases get a gradient."""
    right, found = primitive.vjp, set()

    def noted(*args, **kwargs):
        gradients = list(right(*args, **kwargs))
        found.update(i for i, gradient in enumerate(gradients) if gradient is not None)
        return gradients

    primitive.vjp = noted
    try:
        for _, function, inputs in cases(primitive.__name__):
            check_grads(function, inputs, order=1)
    finally:
        primitive.vjp = right
    return sorted(found) or range(1)  # without a case, a mutant of argument 0 survives and is reported


def cases(first=None):
    """Yield (name, function, inputs) of each case, beginning with the cases of the primitive `first`."""
    for name in sorted(CASES, key=lambda name: name != first):
        for i, (function, inputs) in enumerate(CASES[name]):
            yield f"{name}-{i}", function, inputs


def caught_by(mutant):
    """Return the name of the first case that fails with the mutant, or None if the mutant survives."""
    with planted(mutant):
        for name, function, inputs in cases(mutant.primitive.__name__):
            try:
                check_grads(function, inputs, order=2)
            except GradientError:
                return name
    return None


def run(primitives):
    """Return {mutant: name of the case that caught it, or None}."""
    mutants = [
        Mutant(p, i, mutation, fast)
        for mutation in MUTATIONS
        for p in primitives
        for fast in ([False, True] if isinstance(p, Composed) else [False])
        for i in positions(p)
    ]
    return {mutant: caught_by(mutant) for mutant in mutants}


def main():
    for _, function, inputs in cases():
        check_grads(function, inputs)  # all checks must pass without a mutant
    results = run(PRIMITIVES.values())
    for mutant, case in results.items():
        fast = "fast" if mutant.fast else ""
        where = f"{mutant.primitive.__name__:<17} {mutant.argument:<7} {mutant.mutation:<13} {fast:<5}"
        print(where, case or "SURVIVED")
    survivors = sum(case is None for case in results.values())
    print(f"{len(results)} mutants, {survivors} survivors")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
