"""Translate an elementwise Python function to CUDA: call the function once, with symbols in place of arrays.

Each operation on a symbol writes a line, such as `const Real v3 = maximum(v1, v2);`, and returns a symbol for the
result. During this call backend.xp is a Namespace (below), so functions such as xp.sqrt write lines too.
"""

import contextlib

from ... import backend

FUNCTIONS = "abs exp expm1 log log1p maximum minimum sign sqrt tanh".split()
PREAMBLE = """
__device__ Real maximum(Real a, Real b) { return a > b || a != a ? a : b; }  // NaN if a or b is NaN
__device__ Real minimum(Real a, Real b) { return a < b || a != a ? a : b; }
__device__ Real sign(Real x) { return x > 0 ? Real(1) : x < 0 ? Real(-1) : x; }
"""


class Symbol:
    """A number in a kernel. name: its variable.

    lines: the list to which its operations append lines. prefix: the first letter of the variables in these lines.
    """

    def __init__(self, name, lines, prefix):
        self.name, self.lines, self.prefix = name, lines, prefix

    def write(self, text, *args):
        """Append the line of an operation, and return its result. text: a CUDA expression, with {} for each of args."""
        names = [x.name if isinstance(x, Symbol) else f"Real({float(x)!r})" for x in args]
        result = Symbol(f"{self.prefix}{len(self.lines)}", self.lines, self.prefix)
        self.lines.append(f"const Real {result.name} = {text.format(*names)};")
        return result

    def __neg__(self):
        return self.write("-{}", self)

    def __abs__(self):
        return self.write("fabs({})", self)

    def astype(self, dtype):
        return self


def _operator(symbol):
    def forward(self, other):
        return self.write(f"{{}} {symbol} {{}}", self, other)

    def reflected(self, other):
        return self.write(f"{{}} {symbol} {{}}", other, self)

    return forward, reflected


for _name, _symbol in dict(add="+", sub="-", mul="*", truediv="/").items():
    _forward, _reflected = _operator(_symbol)
    setattr(Symbol, f"__{_name}__", _forward)
    setattr(Symbol, f"__r{_name}__", _reflected)
for _name, _symbol in dict(lt="<", le="<=", gt=">", ge=">=").items():
    setattr(Symbol, f"__{_name}__", _operator(_symbol)[0])


class Namespace:
    """The stand-in for backend.xp while a function is translated: its functions write lines."""

    def __getattr__(self, name):
        if name not in FUNCTIONS:
            raise TypeError(f"a fused function uses xp.{name}; on CUDA it can use only xp.{', xp.'.join(FUNCTIONS)}")

        def function(*args):
            first = next(x for x in args if isinstance(x, Symbol))
            called = "fabs" if name == "abs" else name
            return first.write(f"{called}({', '.join(['{}'] * len(args))})", *args)

        return function


@contextlib.contextmanager
def _symbolic():
    before, backend.xp = backend.xp, Namespace()
    try:
        yield
    finally:
        backend.xp = before


def trace(function, names, prefix="v"):
    """Return (lines, variables of the results) of an elementwise function. names: the variables of its arguments."""
    lines = []
    with _symbolic():
        results = function(*(Symbol(name, lines, prefix) for name in names))
    results = results if isinstance(results, tuple) else (results,)
    return lines, [r.name if isinstance(r, Symbol) else f"Real({float(r)!r})" for r in results]
