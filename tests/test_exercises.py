"""The checks of exercises/ accept the solutions, refuse the open files, and name each of the usual mistakes."""

import ast
import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinygan import backend
from tinygan.autograd import PRIMITIVES

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from exercises.__main__ import main  # noqa: E402
from exercises.checks import EXERCISES  # noqa: E402
from exercises.checks.hints import HINTS  # noqa: E402
from exercises.checks.running import FOLDER, SOLUTIONS, check, load  # noqa: E402

pytestmark = pytest.mark.skipif(backend.device != "cpu", reason="the exercises compute with NumPy")

MISTAKES = {  # number: [(a text of the solution, its replacement, a part of the sentence)]
    1: [
        ("g * b, g * a", "g * a, g * b", "the two gradients are swapped"),
        ("g * b, g * a", "b, a", "multiply_vjp, dL/da, index (0, 0): computed 1, by finite differences"),
        ("1 - y**2", "1 - x**2", "it is 1 - y^2, not 1 - x^2"),
        ("(g * (1 - y**2),)", "(1 - y**2,)", "the factor g is missing"),
        ("(g * (1 - y**2),)", "g * (1 - y**2)", "must return a tuple with one gradient for each argument: (x,)"),
        ("where(x > 0, g, 0.2 * g)", "where(g > 0, g, 0.2 * g)", "depends on the sign of x, not of g"),
        ("where(x > 0, g, 0.2 * g)", "where(x > 0, g, 0)", "this is relu"),
    ],
    2: [
        ("gradients.get(id(x), 0) + dx", "dx", "a later use of a tensor overwrites an earlier one"),
        (
            "gradients[id(x)] = gradients.get(id(x), 0) + dx",
            "if id(x) in gradients:\n                    gradients[id(x)] += dx\n"
            "                else:\n                    gradients[id(x)] = dx",
            "`+=` has changed an array",
        ),
        ("if id(tensor) not in visited:", "if True:", "returns a tensor twice"),
        (
            "            for x in tensor.args:\n                visit(x)\n            order.append(tensor)",
            "            order.append(tensor)\n            for x in tensor.args:\n                visit(x)",
            "Append it after its args were visited",
        ),
        ("np.ones_like(output.data) if g is None else g", "np.ones_like(output.data)", "g was ignored"),
        ("Tensor(y, args,", "Tensor(y, arrays,", "args must be the Tensors a and b themselves"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, y, *arrays)", "passes its options to forward, but not to vjp"),
        ("vjp(g, y, *arrays, **options)", "vjp(g, arrays[0], *arrays, **options)", "the argument in place of y"),
        ("reversed(topological_order(output))", "topological_order(output)", "Go through the order in reverse"),
    ],
    3: [
        ("    g = g.sum(tuple(range(g.ndim - len(shape))))\n", "    return g\n", "without a sum over this axis"),
        (
            "return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)",
            "return g + 0",
            "has the shape (4, 3), but x has (1, 3)",
        ),
        (", keepdims=True", "", "an axis of length 1 must stay"),
        ("g = g.sum(", "g = g.mean(", "the mean of the uses in place of their sum"),
        ("g / x.size", "g", "each element has the weight 1 / 9"),
        ("np.full_like(x, g / x.size)", "g / x.size", "each element of x needs its own gradient"),
        ("g / x.size", "g / len(x)", "the mean is over all elements"),
    ],
    4: [
        ("g @ b.T, a.T @ g", "b.T @ g, g @ a.T", "the operands are in the wrong order"),
        ("g @ b.T, a.T @ g", "g @ b, a @ g", "a transpose is missing"),
        ("g @ b.T, a.T @ g", "a.T @ g, g @ b.T", "dL/da and dL/db are swapped"),
        ("g @ b.T, a.T @ g", "g * b, g * a", "a matrix product needs @"),
        ("np.sqrt(2 / fan_in)", "2 / fan_in", "2 / fan_in is the variance"),
        ("np.sqrt(2 / fan_in)", "1", "N(0, 1) was not scaled"),
        ("add(self.operation(x, w), b)", "self.operation(x, w)", "the bias b is missing"),
        ("add(self.operation(x, w), b)", "Tensor(x.data @ w.data + b.data)", "does not lead back to w and b"),
    ],
    5: [
        ("((0, 0), (1, 1), (1, 1), (0, 0))", "((0, 0), (0, 2), (0, 2), (0, 0))", "a border of one zero before"),
        ("for i in range(4) for j in range(4)", "for j in range(4) for i in range(4)", "rows and columns are swapped"),
        ("i : i + H : 2, j : j + W : 2]", "i::2, j::2]", "patches(x) raises ValueError"),
        (", axis=3)", ", axis=4)", "stack along axis 3"),
        ("] += p[", "] = p[", "a patch overwrites its neighbours"),
        ("padded[:, 1:-1, 1:-1]", "padded[:, 2:, 2:]", "the border is one pixel at each side"),
        (", p.dtype)", ")", "fold(p) is float64"),
        ("(patches(x), w, ", "(patches(x), w[::-1], ", "the filter is turned by 180 degrees"),
        ("([3], [2])", "([3], [1])", "the sum is over axis 1 of w"),
        ("([0, 1, 2], [0, 1, 2]))", "([0, 1, 2], [0, 1, 2])) / len(x)", "the mean over the images"),
    ],
    6: [
        ("axes = tuple(range(x.ndim - 1))\n    return (x - x", "axes = 0\n    return (x - x", "over axis 0 only"),
        ("np.sqrt(x.var(axes) + EPS)\n", "(x.std(axes) + EPS)\n", "EPS belongs into the root"),
        ("(g - g.mean(axes) - y * (g * y).mean(axes))", "g", "taken as constants, but they depend on x"),
        (" - y * (g * y).mean(axes)", "", "the term of the variance"),
        ("ddof=1", "ddof=0", "the biased variance"),
        ("MOMENTUM * (x.data.mean(axes)", "(1 - MOMENTUM) * (x.data.mean(axes)", "it must be the reverse"),
        ("        if self.training:", "        if True:", "mean and variance of the batch were used"),
        ("1 / np.sqrt(self.running_var + EPS)", "1 / (self.running_var + EPS)", "not by its root"),
        ("y = normalised(x)\n", "y = Tensor(normalise(x.data))\n", "does not lead back to its argument"),
    ],
    7: [
        ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.log(1 + np.exp(x))", "an exponential is infinite"),
        ("g * np.exp(x - y)", "g * np.exp(x) / (1 + np.exp(x))", "exp(x) is infinite for a large x"),
        ("g * np.exp(x - y)", "g * np.exp(-y)", "this is sigmoid(-x)"),
        ("mean(soft(-real)) + mean(soft(fake))", "mean(soft(real)) + mean(soft(-fake))", "real and fake are swapped"),
        ("mean(soft(-real)) + mean(soft(fake))", "mean(soft(-real)) + mean(soft(-fake))", "a sign: softplus(-real)"),
        ("return mean(soft(-fake))", "return -mean(soft(fake))", "this is the saturating loss"),
        ("return -mean(soft(fake))", "return mean(soft(-fake))", "this is the non-saturating loss"),
        ("return -mean(soft(fake))", "return mean(soft(fake))", "G wants the opposite"),
        ("return -mean(soft(fake))", "return -soft(fake).data.mean()", "must be a Tensor"),
    ],
    8: [
        ("m / (1 - b1**self.t), v / (1 - b2**self.t)", "m, v", "the corrections m^"),
        ("        self.t += 1\n", "", "1 - b1^t is 0 for t = 0"),
        ("g**2", "abs(g)", "v averages g, not g^2"),
        (
            "m += (1 - b1) * (g - m)\n            v += (1 - b2) * (g**2 - v)",
            "m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2",
            "m and v are not stored",
        ),
        ("p.data - self.lr", "p.data + self.lr", "the parameters go up the gradient"),
        ("np.sqrt(v_hat)", "v_hat", "the root of v^ is missing"),
        ("np.sqrt(v_hat) + self.eps", "np.sqrt(v_hat + self.eps)", "eps is added after the root"),
        ("            m += (1", "            self.t += len(m) == 1\n            m += (1", "t counts parameters"),
    ],
    9: [
        ("fake.detach()", "fake", "Where is the detach?"),
        ("D_loss.data, G_loss.data", "D_loss, G_loss", "not Tensors"),
        ("generator_loss(D(fake))", "generator_loss(D(fake.detach()))", "without the graph of G"),
        ("(D(real), D(fake.detach()))", "(D(fake.detach()), D(real))", "real and fake are swapped"),
        ("    D_adam.step(grad(D_loss, D.parameters))\n", "", "D was not updated"),
        (
            "    G_adam.step(grad(G_loss, G.parameters))\n",
            "    G_adam.step(grad(G_loss, G.parameters))\n    D_adam.step(grad(G_loss, D.parameters))\n",
            "G's phase changes D too",
        ),
        (
            "    D_adam.step(grad(D_loss, D.parameters))\n    G_loss = generator_loss(D(fake))\n",
            "    G_loss = generator_loss(D(fake))\n    D_adam.step(grad(D_loss, D.parameters))\n",
            "D judged the fake images before its update",
        ),
    ],
    10: [
        ("ConvTranspose(16, 1, rng), tanh,", "ConvTranspose(16, 1, rng),", "G must end with tanh"),
        ("Linear(1568, 1, rng),", "Linear(1568, 1, rng), tanh,", "D must end with Linear"),
        ("Conv(1, 16, rng), leaky_relu, ", "Conv(1, 16, rng), ", "D has leaky_relu 1 times"),
        ("to_shape(7, 7, 32), ", "", "G(z) raises"),
        ("rng.permutation(len(rows))", "np.arange(len(rows))", "two epochs have the same order"),
        ("rng.permutation(len(rows))", "rng.integers(len(rows), size=len(rows))", "a row is used twice"),
        ("len(rows) - batch + 1", "len(rows)", "[4, 4, 2] rows"),
        ("        norm.training = False\n", "        pass\n", "training to False before G(z)"),
        ("norm.training = False", "norm.training = True", "training to False before G(z)"),
        ("norm.training = True", "norm.training = False", "set training to True again"),
        ("Tensor(rows[order[i : i + batch]])", "rows[order[i : i + batch]]", "step wants Tensors"),
        ("rows = G(z).data", "rows = G(z)", "sample must return an array"),
    ],
}


@pytest.fixture(autouse=True)
def restored_primitives():
    """Remove the primitives that the checks register, because each registered primitive must have a gradient check."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def earlier(number):
    """Return {number: module} of the solutions before this exercise, loaded in the place of the reader's files."""
    return {n: load(n, SOLUTIONS) for n in range(1, number)}


@pytest.mark.parametrize("number", EXERCISES)
def test_each_solution_passes_its_check(number):
    assert check(number, SOLUTIONS, earlier(number)) is None


@pytest.mark.parametrize("number", EXERCISES)
def test_each_open_exercise_is_refused_with_the_name_of_its_first_open_function(number):
    wrong = check(number, FOLDER, earlier(number))
    name = next(name for name, node in definitions(FOLDER, number).items() if is_open(node))
    assert name.split(".")[-1] in wrong and "replace its `...`" in wrong


ROWS = [(number, *row) for number, rows in MISTAKES.items() for row in rows]


@pytest.mark.parametrize("number, text, replacement, sentence", ROWS, ids=[f"{row[0]}: {row[3]}" for row in ROWS])
def test_a_usual_mistake_is_recognised(number, text, replacement, sentence, tmp_path):
    name = f"{EXERCISES[number][0]}.py"
    source = (SOLUTIONS / name).read_text()
    assert source.count(text) == 1
    (tmp_path / name).write_text(source.replace(text, replacement))
    assert sentence in (check(number, tmp_path, earlier(number)) or "nothing found")


def test_there_are_at_least_five_mistakes_for_each_exercise():
    assert MISTAKES.keys() == EXERCISES.keys() and all(len(rows) >= 5 for rows in MISTAKES.values())


def test_an_error_in_the_code_of_a_reader_is_shown_with_its_line(tmp_path):
    source = (SOLUTIONS / "e08_adam.py").read_text()
    (tmp_path / "e08_adam.py").write_text(source.replace("b1, b2 = self.betas", "b1, b2 = self.beta"))
    assert check(8, tmp_path, earlier(8)).endswith("(e08_adam.py, line 12: b1, b2 = self.beta)")


def definitions(folder, number):
    """Return {name: node} of the functions and methods of an exercise, without their docstrings."""
    found, tree = {}, ast.parse((folder / f"{EXERCISES[number][0]}.py").read_text())
    for outer in tree.body:
        for node in [outer, *(outer.body if isinstance(outer, ast.ClassDef) else ast.walk(outer))]:
            if isinstance(node, ast.FunctionDef):
                name = f"{outer.name}.{node.name}" if node is not outer else node.name
                found[name] = node = copy.deepcopy(node)
                if ast.get_docstring(node):
                    node.body = node.body[1:]
    return found


def is_open(node):
    return any(isinstance(part, ast.Constant) and part.value is ... for part in ast.walk(node))


@pytest.mark.parametrize("number", EXERCISES)
def test_exercise_and_solution_differ_only_in_the_open_functions(number):
    exercise, solution = definitions(FOLDER, number), definitions(SOLUTIONS, number)
    assert any(map(is_open, exercise.values()))
    for name in exercise.keys() & solution.keys():
        assert ast.dump(exercise[name].args) == ast.dump(solution[name].args), name
        if not is_open(exercise[name]):
            assert ast.dump(exercise[name]) == ast.dump(solution[name]), name
    assert exercise.keys() - solution.keys() <= {"exp_vjp"}  # an example


def test_exercises_have_at_most_70_lines_and_the_solutions_250_that_are_not_blank():
    for number, (name, _, _) in EXERCISES.items():
        text = (FOLDER / f"{name}.py").read_text()
        assert text.startswith(f'"""Exercise {number}: ') and "Question: " in text and "the tour, stop" in text
        assert len(text.splitlines()) <= 70
    assert sum(bool(line) for path in SOLUTIONS.glob("*.py") for line in path.read_text().splitlines()) <= 250


def test_each_exercise_has_three_hints_without_code():
    code = [line.strip() for path in SOLUTIONS.glob("e*.py") for line in path.read_text().splitlines()[1:]]
    for hints in HINTS.values():
        assert len(hints) == 3
        assert not [line for line in code if len(line) > 14 and any(line in hint for hint in hints)]
    assert HINTS.keys() == EXERCISES.keys()


@pytest.mark.parametrize("world, rows", [("ring", 128), ("mnist", 64)])
def test_exercise_10_trains_and_draws(world, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = earlier(11)[10]
    everything = module.data.load("ring" if world == "ring" else None)
    few = everything._replace(images=everything.images[:rows])
    monkeypatch.setattr(module.data, "load", lambda source=None: few)
    samples = module.train(world, 1)
    assert samples.std() > 0.01 and (tmp_path / f"{world}.png").stat().st_size > 500


def run(monkeypatch, capsys, *words):
    """Run the command within this process. Return what it prints, and its error message."""
    monkeypatch.setattr(sys, "argv", ["exercises", *words])
    try:
        main()
    except SystemExit as end:
        return capsys.readouterr().out + str(end)
    return capsys.readouterr().out


def test_the_command_shows_the_progress(monkeypatch, capsys):
    text = run(monkeypatch, capsys)
    assert text.count("open") == 10 and "Exercise 1: multiply_vjp returns None" in text


def test_the_command_takes_the_earlier_exercises_of_the_reader_or_with_from_here_the_solutions(monkeypatch, capsys):
    assert "it uses exercise 1: multiply_vjp returns None" in run(monkeypatch, capsys, "5")
    assert "Exercise 5 (e05_convolution.py, convolution by patches) is not right yet: patches(x) returns None" in run(
        monkeypatch, capsys, "5", "--from-here"
    )


def test_the_command_prints_hints(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "5", "--hint", "2") == f"1. {HINTS[5][0]}\n2. {HINTS[5][1]}\n"


def test_a_reader_with_all_solutions_is_done_and_trains_the_ring(tmp_path):
    """The command runs in a copy of the folder, in which the solutions are in the place of the open files."""
    shutil.copytree(FOLDER, tmp_path / "exercises")
    shutil.copytree(SOLUTIONS, tmp_path / "exercises", dirs_exist_ok=True)
    code = "import sys, exercises.__main__ as m; m.RING = 1; m.main(); sys.argv += ['10']; m.main()"
    words, env = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.stdout.count("done\n") == 10 and "Exercise 10, train: the ring, then digits: right" in done.stdout
    assert "of 8 clusters" in done.stdout and (tmp_path / "ring.png").exists(), done.stderr
