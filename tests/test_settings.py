"""The settings of a run: what is written is read again, and each field that is wrong has a sentence."""

import json

import pytest
from runs import settings

from tinygan.app.settings import FIELDS, OPTION_FIELDS, OPTIONS, Settings, SettingsError
from tinygan.gan.presets import PRESETS


def written(**changes):
    return {**json.loads(json.dumps(settings().to_json())), **changes}


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_written_is_read_again(name):
    kept = settings(name, data="somewhere", seed=3, max_steps=9, evaluate_every=2, arguments=("--seed", "3"), lr=0.5)
    assert Settings.from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_every_option_of_a_preset_is_checked():
    assert tuple(OPTION_FIELDS) == OPTIONS and set(settings().to_json()) == {*FIELDS, *OPTIONS}


WRONG = [  # field, value, what the sentence says
    ("preset", "pix2pix", "'preset' must be one of vanilla, "),
    ("shape", [28, 28], "'shape' must be [H, W, C] of an image, or [2]; got [28, 28]"),
    ("shape", [28, 28, 0], "'shape' must be"),
    ("classes", -1, "'classes' must be a whole number of at least 0; got -1"),
    ("classes", True, "'classes' must be a whole number"),
    ("seed", 2**32, "'seed' must be a whole number from 0 to 4294967295"),
    ("seed", 1.5, "'seed' must be a whole number"),
    ("data", 7, "'data' must be text, or null; got 7"),
    ("device", None, "'device' must be text"),
    ("max_steps", 0, "'max_steps' must be a whole number of at least 1, or null; got 0"),
    ("evaluate_every", "2", "'evaluate_every' must be"),
    ("arguments", "--seed 3", "'arguments' must be a list of words"),
    ("loss", "mse", "'loss' must be one of bce, "),
    ("penalty", "r3", "'penalty' must be one of none, "),
    ("penalty_weight", -1.0, "'penalty_weight' must be a number of at least 0; got -1.0"),
    ("saturating", 1, "'saturating' must be true or false; got 1"),
    ("real_label", 1.5, "'real_label' must be a number 0 to 1; got 1.5"),
    ("lr", 0.0, "'lr' must be a number above 0; got 0.0"),
    ("lr", float("nan"), "'lr' must be a number above 0; got nan"),
    ("betas", [0.5], "'betas' must be two numbers from 0 to 1; got [0.5]"),
    ("batch_size", 0, "'batch_size' must be a whole number of at least 1; got 0"),
    ("steps", None, "'steps' must be a whole number of at least 1; got None"),
]


@pytest.mark.parametrize("key, value, sentence", WRONG)
def test_a_wrong_field_has_its_sentence(key, value, sentence):
    with pytest.raises(SettingsError) as caught:
        Settings.from_json(written(**{key: value}))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("key", ["preset", "shape", "classes", "seed", "data", "lr", "steps"])
def test_a_missing_field_is_named(key):
    values = written()
    del values[key]
    with pytest.raises(SettingsError, match=f"'{key}' is missing"):
        Settings.from_json(values)


@pytest.mark.parametrize("values", [[], None, "vanilla"])
def test_settings_are_an_object(values):
    with pytest.raises(SettingsError, match="settings are a JSON object; got"):
        Settings.from_json(values)


def test_settings_of_older_versions_are_read():
    values = written(label_smoothing=0.9, a_key_of_a_later_version=[1, 2])
    for key in ("real_label", "max_steps", "evaluate_every", "arguments", "device"):
        del values[key]
    kept = Settings.from_json(values)
    assert kept.preset.real_label == 0.9 and kept.max_steps is None and kept.evaluate_every is None


def test_the_last_step_is_that_of_the_budget_or_of_max_steps():
    assert settings(steps=50).last_step == 50
    assert settings(steps=50, max_steps=20).last_step == 20
    assert settings(steps=50, max_steps=90).last_step == 50
