"""Draw a computational graph from Tensor.node.

Data flows from left to right. The backward pass (tinygan/autograd/backward.py) goes from right to left.
"""

from matplotlib.patches import FancyBboxPatch

from tinygan import Tensor

COLUMN, ROW = 1.15, 0.9  # distances between the centres of neighbouring boxes, in inches
WIDTH, HEIGHT = 0.9, 0.45  # size of a box, in inches
COLOURS = {"parameter": "#cfe8cf", "constant": "#eeeeee", "operation": "#cfdff3"}


def ancestors(output):
    """Return `output` and all tensors that it depends on. Each tensor comes before its arguments."""
    found, visited = [], set()

    def visit(tensor):
        if id(tensor) not in visited:
            visited.add(id(tensor))
            for argument in arguments(tensor):
                visit(argument)
            found.append(tensor)

    visit(output)
    return found[::-1]


def arguments(tensor):
    """Return the arguments of the tensor's operation that are tensors."""
    return [a for a in tensor.node.args if isinstance(a, Tensor)] if tensor.node else []


def layout(output, column=0, row=0.0):
    """Return {id of a tensor: (column, row)}. The output is at (column, row), and all other tensors are to its left.

    The result of an operation is to the right of its arguments. A leaf is directly to the left of the first operation
    that uses it. `shift` gives the row of an argument relative to the operation. If several operations use a tensor,
    its row is the mean of the rows that they give.
    """
    order, users = ancestors(output), {}
    for tensor in order:
        for argument in arguments(tensor):
            users.setdefault(id(argument), []).append(tensor)
    columns = {}
    for tensor in reversed(order):
        columns[id(tensor)] = 1 + max((columns[id(a)] for a in arguments(tensor)), default=-1)
    rows = {id(output): row}
    for tensor in order:
        if not tensor.node:
            columns[id(tensor)] = min(columns[id(user)] for user in users[id(tensor)]) - 1
        if tensor is not output:
            places = [rows[id(user)] + shift(tensor, user, len(users[id(tensor)])) for user in users[id(tensor)]]
            rows[id(tensor)] = sum(places) / len(places)
    to_the_right = column - columns[id(output)]
    return {key: (columns[key] + to_the_right, rows[key]) for key in columns}


def shift(argument, user, shared_by):
    """Return how many rows an argument is above the operation that uses it.

    If both of two arguments have nodes, they are one row above and one row below. Otherwise the first argument is in
    the row of the operation, and so is a tensor that several operations use. Another argument is one row above.
    """
    others = arguments(user)
    if len(others) == 2 and all(a.node for a in others):
        return 1.0 if argument is others[0] else -1.0
    return 0.0 if argument is others[0] or shared_by > 1 else 1.0


def draw(axes, output, places, labels=None, faded=False):
    """Draw a graph into axes. labels: {id of a tensor: text}. The default text is the name of the operation."""
    for tensor in ancestors(output):
        x, y = places[id(tensor)]
        kind = "operation" if tensor.node else "parameter" if tensor.requires_grad else "constant"
        made_by = tensor.node.primitive.__name__.replace("_", " ", 1).replace("_", "\n") if tensor.node else ""
        box(axes, x, y, (labels or {}).get(id(tensor), made_by), COLOURS[kind], faded)
        for argument in arguments(tensor):
            arrow(axes, places[id(argument)], (x, y), faded)


def box(axes, x, y, text, colour, faded=False):
    left, bottom = x * COLUMN - WIDTH / 2, y * ROW - HEIGHT / 2
    style = {"facecolor": colour, "edgecolor": "#555555", "alpha": 0.35 if faded else 1.0, "linewidth": 0.8}
    axes.add_patch(FancyBboxPatch((left, bottom), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", **style))
    axes.text(x * COLUMN, y * ROW, text, ha="center", va="center", fontsize=9, color="#888888" if faded else "black")


def arrow(axes, start, end, faded=False):
    """Draw an arrow from the right side of the box at `start` to the left side of the box at `end`."""
    (x0, y0), (x1, y1) = start, end
    style = {
        "arrowstyle": "-|>",
        "color": "#bbbbbb" if faded else "#555555",
        "linewidth": 0.9,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    tail, head = (x0 * COLUMN + WIDTH / 2, y0 * ROW), (x1 * COLUMN - WIDTH / 2, y1 * ROW)
    axes.annotate("", head, tail, arrowprops=style)


def fit(axes, places, left=0.0, right=0.0, above=0.0, below=0.0):
    """Set the limits of axes so that all boxes fit, with margins in inches. Return the width and height in inches."""
    xs, ys = [x * COLUMN for x, _ in places], [y * ROW for _, y in places]
    x0, x1 = min(xs) - WIDTH / 2 - 0.1 - left, max(xs) + WIDTH / 2 + 0.1 + right
    y0, y1 = min(ys) - HEIGHT / 2 - 0.1 - below, max(ys) + HEIGHT / 2 + 0.1 + above
    axes.set(xlim=(x0, x1), ylim=(y0, y1), aspect="equal")
    axes.axis("off")
    return x1 - x0, y1 - y0
