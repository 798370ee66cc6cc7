"""The settings of a run are read as they were written, and each wrong field gets an error message."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from runs import settings

from tinygan import backend, data
from tinygan.app import groups, options
from tinygan.app.settings import ADDED, FIELDS, OPTION_FIELDS, OPTIONS, Settings, SettingsError
from tinygan.data import Dataset
from tinygan.gan.presets import PRESETS


def written(**changes):
    return {**json.loads(json.dumps(settings().to_json())), **changes}


@pytest.mark.parametrize("name", PRESETS)
def test_settings_are_read_as_they_were_written(name):
    kept = settings(name, data="somewhere", seed=3, max_steps=9, evaluate_every=2, arguments=("--seed", "3"), lr=0.5)
    assert Settings.from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_every_option_of_a_preset_is_checked():
    assert tuple(OPTION_FIELDS) == OPTIONS and set(settings().to_json()) == {*FIELDS, *OPTIONS}


def test_mixed_classes_are_in_proportion_to_uneven_class_sizes():
    training = settings("cgan", classes=3, class_sizes=(60, 0, 20)).training()
    counts = np.bincount(backend.to_host(training.mixed_classes(400)), minlength=3)
    assert counts[1] == 0 and abs(counts - [300, 0, 100]).max() <= 2


WRONG = [  # field, value, part of the message
    ("preset", "pix2pix", "'preset' must be one of vanilla, "),
    ("shape", [28, 28], "'shape' must be [H, W, 1 or 3] of an image, or [2]; got [28, 28]"),
    ("shape", [28, 28, 0], "'shape' must be"),
    ("classes", -1, "'classes' must be a whole number from 0 to 256; got -1"),
    ("classes", True, "'classes' must be a whole number"),
    ("seed", 2**32, "'seed' must be a whole number from 0 to 4294967295"),
    ("seed", 1.5, "'seed' must be a whole number"),
    ("data", 7, "'data' must be text, or null; got 7"),
    ("device", None, "'device' must be cpu, cuda or cuda:N"),
    ("max_steps", 0, "'max_steps' must be a whole number from 1 to 1000000000000, or null; got 0"),
    ("evaluate_every", "2", "'evaluate_every' must be"),
    ("lr", None, "'lr' must be a number above 0"),
    ("shape", "abc", "'shape' must be [H, W, 1 or 3] of an image, or [2]; got 'abc'"),
    ("shape", [3], "'shape' must be"),
    ("seed", "0", "'seed' must be a whole number"),
    ("steps", -5, "'steps' must be a whole number"),
    ("n_critic", 10**9, "'n_critic' must be a whole number from 1 to 10000"),
    ("penalty_weight", float("nan"), "'penalty_weight' must be a number"),
    ("lr", 10**400, "'lr' must be a number above 0"),
    ("data", "a\0b", "'data' must be text"),
    ("class_sizes", [5, 5], "'class_sizes' must contain the number of images of each of 3 classes"),
    ("class_sizes", [0, 0, 0], "'class_sizes' must contain the number of images of each of 3 classes"),
    ("groups", [5, 5], "'groups' must contain the number of images of each of 3 classes"),
    ("data_sha256", "abc", "'data_sha256' must be a SHA-256, or null"),
    ("device", "\x1b[31m", "'device' must be cpu, cuda or cuda:N"),
    ("arguments", "--seed 3", "'arguments' must be a list of words"),
    ("loss", "mse", "'loss' must be one of bce, "),
    ("penalty", "r3", "'penalty' must be one of none, "),
    ("penalty_weight", -1.0, "'penalty_weight' must be a number from 0 to 1e+12; got -1.0"),
    ("saturating", 1, "'saturating' must be true or false; got 1"),
    ("real_label", 1.5, "'real_label' must be a number from 0.5 to 1; got 1.5"),
    ("lr", 0.0, "'lr' must be a number above 0, up to 1e+38; got 0.0"),
    ("lr", float("nan"), "'lr' must be a number above 0, up to 1e+38; got nan"),
    ("betas", [0.5], "'betas' must be two numbers from 0 to 0.999999; got [0.5]"),
    ("batch_size", 0, "'batch_size' must be a whole number from 1 to 1000000; got 0"),
    ("steps", None, "'steps' must be a whole number from 1 to 1000000000000; got None"),
]


@pytest.mark.parametrize("key, value, sentence", WRONG)
def test_a_wrong_field_has_its_message(key, value, sentence):
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
def test_settings_must_be_a_json_object(values):
    with pytest.raises(SettingsError, match="settings must be a JSON object; got"):
        Settings.from_json(values)


def test_settings_of_older_versions_are_read():
    values = written(label_smoothing=0.9, a_key_of_a_later_version=[1, 2])
    for key in ("real_label", "max_steps", "evaluate_every", "arguments", "device"):
        del values[key]
    kept = Settings.from_json(values)
    assert kept.preset.real_label == 0.9 and kept.max_steps is None and kept.evaluate_every is None


def test_a_field_that_is_missing_in_an_older_run_has_the_value_that_it_had_then():
    values = {key: value for key, value in written().items() if key not in ADDED}
    assert ADDED.keys() < written().keys() and Settings.from_json(values) == settings()


def test_a_step_of_wgan_gp_takes_five_batches_of_the_data():
    dataset = Dataset(np.zeros((100, 8, 8, 1), np.uint8), None, "blank")
    assert settings("wgan-gp", batch_size=4).batches(dataset).steps_per_epoch == 5


def dataset_of(n, shape=(8, 8, 1), classes=3):
    labels = np.arange(n, dtype=np.uint8) % classes if classes else None
    return Dataset(np.zeros((n, *shape), np.uint8), labels, "blank")


@pytest.mark.parametrize(
    "words, dataset, expected",
    [
        ("", dataset_of(2000), dict(augment=0.0, wrong_labels=0.15, lr=8e-4)),
        ("", dataset_of(1999), dict(augment=0.5)),
        ("--augment 0.1", dataset_of(50), dict(augment=0.1)),
        ("--preset r3gan", dataset_of(50, (2,), 0), dict(augment=0.0, penalty_weight=0.1)),
        ("--preset vanilla --penalty gp", dataset_of(50), dict(penalty="gp", penalty_weight=10.0)),
        ("--preset vanilla --penalty r1", dataset_of(50), dict(penalty="r1", penalty_weight=1.0)),
        ("--preset vanilla --penalty r1", dataset_of(50, (2,), 0), dict(penalty="r1", penalty_weight=0.1)),
        ("--preset vanilla --penalty gp:3", dataset_of(50), dict(penalty="gp", penalty_weight=3.0)),
        ("--loss hinge", dataset_of(50), dict(loss="hinge", wrong_labels=0.0)),
        ("--loss bce", dataset_of(50), dict(loss="bce", wrong_labels=0.15)),
    ],
    ids=str,
)
def test_options_that_are_not_given_depend_on_the_data_and_on_the_others(words, dataset, expected):
    _, preset = options.chosen_preset(options.parse("", words.split()), dataset)
    assert {key: getattr(preset, key) for key in expected} == expected


def test_groups_are_learned_without_wrong_labels():
    assert options.chosen_preset(options.parse("", []), dataset_of(50), grouped=True)[1].wrong_labels == 0.0


@pytest.mark.parametrize("images, k", [(250, 2), (5000, 40)])
def test_there_are_40_groups_or_one_for_each_100_images(images, k, monkeypatch):
    monkeypatch.setattr(groups.groups, "find", lambda images, k: np.arange(len(images)) % k)
    found, sizes = groups.learned(options.parse("", []), dataset_of(images, classes=0))
    assert found.classes == len(sizes) == k


@pytest.mark.parametrize(
    "images, changes, message",
    [
        (20, {}, "tiny has 20 images, but a step needs 32. Use --batch-size 20 or less"),
        (20, {"n_critic": 5}, "needs 160: D is updated 5 times, with 32 images each (--n-critic). Use --batch-size 4"),
        (3, {"n_critic": 5}, "Use --batch-size 1 or less"),
    ],
)  # fmt: skip
def test_too_few_images_for_a_step_are_refused_with_the_option_to_change(images, changes, message):
    dataset = data.Dataset(np.zeros((images, 8, 8, 1), np.uint8), None, "tiny")
    with pytest.raises(data.DataError, match=re.escape(message)):
        settings("dcgan", batch_size=32, **changes).batches(dataset)


def test_the_last_step_is_the_smaller_of_steps_and_max_steps():
    assert settings(steps=50).last_step == 50
    assert settings(steps=50, max_steps=20).last_step == 20
    assert settings(steps=50, max_steps=90).last_step == 50


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.integers(), max_size=4)
)
ODD = st.sampled_from([-1, 0, 1, 2, 256, 1e-30, 1e300, 10**9, 10**400, "0", "cpu", "ring", "", [2], [8, 8, 1], []])


def read_or_refuse(values):
    """Assert that settings are refused in one short sentence, or do not change when written and read."""
    try:
        kept = Settings.from_json(values)
    except SettingsError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return
    assert Settings.from_json(json.loads(json.dumps(kept.to_json(), allow_nan=False))) == kept
    assert 1 <= kept.last_step <= kept.preset.steps


CHANGES = st.dictionaries(st.sampled_from([*FIELDS, *OPTIONS, "another"]), JSON | ODD, max_size=4)


@examples(max_examples=500, deadline=None)
@given(CHANGES)
def test_changed_settings_are_read_or_refused(changes):
    read_or_refuse(written(**changes))


@pytest.mark.slow
@examples(max_examples=20_000, deadline=None)
@given(CHANGES)
def test_twenty_thousand_changed_settings_are_read_or_refused(changes):
    read_or_refuse(written(**changes))
