"""Two scripts put mistakes into the code, and report those that no test notices.

mutate.py makes mistakes in the derivatives, for each argument of a primitive. mutants.py replaces texts of the code.
Each of these texts is found exactly once.
"""

import ast

import mutants
import mutate
import pytest
from cases import CASES

from tinygan.autograd import PRIMITIVES, Composed, GradientError

NOTICED = "test_an_update_makes_earlier_graphs_invalid"
HANDFUL = {  # primitive: the arguments that have a derivative
    "tanh": ["x"],
    "divide": ["a", "b"],
    "leaky_relu_grad": ["u"],  # the argument y has no derivative
    "concatenate": ["xs[0]", "xs[1]", "xs[2]"],
    "conv_transpose2d": ["r", "w"],
    "batch_norm": ["x", "gamma", "beta"],
}


@pytest.mark.parametrize("name", HANDFUL)
def test_no_mutant_of_a_handful_of_primitives_survives(name):
    results = mutate.run([PRIMITIVES[name]])
    kinds = [False, True] if isinstance(PRIMITIVES[name], Composed) else [False]
    expected = [(a, m, fast) for m in mutate.MUTATIONS for fast in kinds for a in HANDFUL[name]]
    assert [(m.argument, m.mutation, m.fast) for m in results] == expected
    assert all(case.startswith(name) for case in results.values())


@pytest.mark.parametrize("name", ["tanh", "batch_norm"])
def test_without_cases_every_mutant_of_a_primitive_survives(name, monkeypatch):
    monkeypatch.setattr(mutate, "CASES", {name: [], "negative": CASES["negative"]})
    assert set(mutate.run([PRIMITIVES[name]]).values()) == {None}


def test_mutate_ends_with_the_number_of_survivors_and_fails_if_there_are_any(monkeypatch, capsys):
    monkeypatch.setattr(mutate, "PRIMITIVES", {name: PRIMITIVES[name] for name in ("tanh", "negative")})
    monkeypatch.setattr(mutate, "CASES", {name: CASES[name] for name in ("tanh", "negative")})
    assert mutate.main() == 0
    assert capsys.readouterr().out.endswith("4 mutants, 0 survivors\n")
    monkeypatch.setattr(mutate, "CASES", {"negative": CASES["negative"]})
    assert mutate.main() == 1
    assert capsys.readouterr().out.endswith("4 mutants, 2 survivors\n")


def test_mutate_fails_if_a_case_fails_without_a_mutant():
    wrong = mutate.Mutant(PRIMITIVES["tanh"], 0, "times 1.01")
    with mutate.planted(wrong), pytest.raises(GradientError):
        mutate.main()


def test_mutate_restores_the_derivatives():
    before = {name: (p.vjp, getattr(p, "gradients", None)) for name, p in PRIMITIVES.items()}
    mutate.run([PRIMITIVES["tanh"], PRIMITIVES["batch_norm"]])
    assert {name: (p.vjp, getattr(p, "gradients", None)) for name, p in PRIMITIVES.items()} == before


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.mistake)
def test_the_text_of_each_mutant_is_found_once_and_its_tests_exist(mutant):
    path, text = mutants.mutated(mutant)
    assert text != path.read_text()
    ast.parse(text)
    for test in mutant.tests.split():
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in (mutants.ROOT / "tests" / file).read_text(), f"there is no {test}"


def test_a_text_that_is_not_found_exactly_once_is_named_with_its_mutant():
    for text, times in (("no such text", 0), ("self", "")):
        with pytest.raises(ValueError, match=rf"mutant 'lost': its text '{text}' is found {times}.*tests/mutants\.py"):
            mutants.mutated(mutants.Mutant("lost", "gan/gan.py", text, "", ""))


@pytest.mark.slow
def test_a_mutant_that_its_tests_do_not_notice_survives(monkeypatch, capsys):
    harmless = mutants.Mutant("harmless", "optim.py", '"""Adam, on', '"""Adam on', "test_optim.py::" + NOTICED)
    noticed = harmless._replace(mistake="noticed", text="parameter.version += 1", replacement="pass")
    monkeypatch.setattr(mutants, "MUTANTS", [harmless, noticed])
    assert mutants.main() == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in printed] == ["SURVIVED", "killed", "mutants,"]
    assert printed[-1] == "2 mutants, 1 survivors"


@pytest.mark.slow
def test_no_mutant_of_the_code_survives(capsys):
    assert mutants.main() == 0, capsys.readouterr().out
