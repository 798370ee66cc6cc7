"""The checks of exercises/ accept the solutions, refuse the open files, and name each of the usual mistakes."""

import ast
import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from exercise_variants import MISTAKES, RIGHT

from tinygan import backend
from tinygan.autograd import PRIMITIVES

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from exercises.__main__ import main  # noqa: E402
from exercises.checks import EXERCISES  # noqa: E402
from exercises.checks.hints import HINTS  # noqa: E402
from exercises.checks.running import FOLDER, SOLUTIONS, check, load  # noqa: E402

pytestmark = pytest.mark.skipif(backend.device != "cpu", reason="the exercises compute with NumPy")


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
    wrong = check_changed(number, text, replacement, tmp_path)
    assert sentence in (wrong or "nothing found")


@pytest.mark.parametrize("number, text, replacement", RIGHT)
def test_another_right_way_is_accepted(number, text, replacement, tmp_path):
    assert check_changed(number, text, replacement, tmp_path) is None


def check_changed(number, text, replacement, folder):
    """Check a solution with one text replaced."""
    name = f"{EXERCISES[number][0]}.py"
    source = (SOLUTIONS / name).read_text()
    assert source.count(text) == 1
    (folder / name).write_text(source.replace(text, replacement))
    return check(number, folder, earlier(number))


def test_exercise_5_names_a_layer_of_exercise_4_that_works_for_rows_only(tmp_path):
    source = (SOLUTIONS / "e04_linear.py").read_text()
    rows_only = "add(reshape(self.operation(x, w), shape=(len(x.data), -1)), b)"
    (tmp_path / "e04_linear.py").write_text(source.replace("add(self.operation(x, w), b)", rows_only))
    parts = earlier(4)
    assert check(4, tmp_path, parts) is None
    assert "Layer of exercise 4 must work for images" in check(5, SOLUTIONS, parts)


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
    end = ""
    try:
        main()
    except SystemExit as error:
        end = str(error)
    return "".join(capsys.readouterr()) + end


def test_the_command_shows_the_progress(monkeypatch, capsys):
    text = run(monkeypatch, capsys)
    assert text.count("open") == 10 and "Exercise 1: multiply_vjp returns None" in text


def test_the_command_takes_the_earlier_exercises_of_the_reader_or_with_from_here_the_solutions(monkeypatch, capsys):
    assert "it uses exercise 1: multiply_vjp returns None" in run(monkeypatch, capsys, "5")
    assert "(--from-here takes exercises 1 to 4 from solutions/.)" in run(monkeypatch, capsys, "5")
    assert "(--from-here takes exercise 1 from solutions/.)" in run(monkeypatch, capsys, "2")
    assert "Exercise 5 (e05_convolution.py, convolution by patches) is not right yet: patches(x) returns None" in run(
        monkeypatch, capsys, "5", "--from-here"
    )


def test_the_command_prints_hints(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "5", "--hint", "2") == f"1. {HINTS[5][0]}\n2. {HINTS[5][1]}\n"


@pytest.mark.parametrize("words", ["--hint", "--from-here", "--mnist", "9 --mnist"])
def test_the_command_refuses_an_option_that_it_would_not_use(words, monkeypatch, capsys):
    message = "--mnist is for exercise 10" if "--mnist" in words else "--hint and --from-here need the number"
    assert f"error: {message}" in run(monkeypatch, capsys, *words.split())


def test_a_reader_with_all_solutions_is_done_and_trains_the_ring(tmp_path):
    """The command runs in a copy of the folder, in which the solutions are in the place of the open files. Numba, whose
    loops the reader's code does not call, does not compile them in the middle of the training.
    """
    shutil.copytree(FOLDER, tmp_path / "exercises")
    shutil.copytree(SOLUTIONS, tmp_path / "exercises", dirs_exist_ok=True)
    code = "import sys, exercises.__main__ as m; m.RING = 1; m.main(); sys.argv += ['10']; m.main()"
    code += "; print(m.tinygan.backend.kernels())"
    words, env = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.stdout.count("done\n") == 10 and "Exercise 10, train: the ring, then digits: right" in done.stdout
    assert "of 8 clusters" in done.stdout and (tmp_path / "ring.png").exists(), done.stderr
    assert done.stdout.endswith("\nnumpy\n")
