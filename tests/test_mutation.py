"""The mutation script on some primitives: it finds every differentiable argument and counts survivors."""

import mutate
import pytest
from cases import CASES

from tinygan.autograd import PRIMITIVES, GradientError

HANDFUL = {  # primitive: the arguments that receive a gradient
    "tanh": ["x"],
    "divide": ["a", "b"],
    "leaky_relu_grad": ["g"],  # y is a constant
    "concatenate": ["xs[0]", "xs[1]", "xs[2]"],
    "conv_transpose2d": ["g", "w"],
    "batch_norm": ["x", "gamma", "beta"],  # mean and var are constants
}


@pytest.mark.parametrize("name", HANDFUL)
def test_no_mutant_survives(name):
    results = mutate.run([PRIMITIVES[name]])
    kinds = [False, True] if PRIMITIVES[name].fused_vjp else [False]
    expected = [(a, m, fused) for m in mutate.MUTATIONS for fused in kinds for a in HANDFUL[name]]
    assert [(m.argument, m.mutation, m.fused) for m in results] == expected
    assert all(case.startswith(name) for case in results.values())


@pytest.mark.parametrize("name", ["tanh", "batch_norm"])
def test_without_its_cases_a_primitive_survives_every_mutation(name, monkeypatch):
    monkeypatch.setattr(mutate, "CASES", {name: [], "negative": CASES["negative"]})
    assert set(mutate.run([PRIMITIVES[name]]).values()) == {None}


def test_the_script_ends_with_the_count_and_fails_when_one_survives(monkeypatch, capsys):
    monkeypatch.setattr(mutate, "PRIMITIVES", {name: PRIMITIVES[name] for name in ("tanh", "negative")})
    monkeypatch.setattr(mutate, "CASES", {name: CASES[name] for name in ("tanh", "negative")})
    assert mutate.main() == 0
    assert capsys.readouterr().out.endswith("6 mutants, 0 survivors\n")
    monkeypatch.setattr(mutate, "CASES", {"negative": CASES["negative"]})
    assert mutate.main() == 1
    assert capsys.readouterr().out.endswith("6 mutants, 4 survivors\n")


def test_the_script_refuses_to_count_where_a_case_fails_without_a_mutant():
    wrong = mutate.Mutant(PRIMITIVES["tanh"], 0, "times 1.01")
    with mutate.planted(wrong), pytest.raises(GradientError):
        mutate.main()


def test_the_derivatives_are_right_again_afterwards():
    before = {name: (p.vjps, p.joint_vjp, p.fused_vjp) for name, p in PRIMITIVES.items()}
    mutate.run([PRIMITIVES["tanh"], PRIMITIVES["concatenate"]])
    assert {name: (p.vjps, p.joint_vjp, p.fused_vjp) for name, p in PRIMITIVES.items()} == before
