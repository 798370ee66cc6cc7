"""The page of a run computes NumPy's images, and works with a mouse, with keys, and by touch."""

import functools
import json

import numpy as np
import pytest
from runs import lively, new_run

from tinygan import Tensor, backend, data
from tinygan.app import directions, export, report
from tinygan.gan.health import METRICS
from tinygan.gan.presets import PRESETS

if backend.device != "cpu":
    pytest.skip("pages are written on the CPU", allow_module_level=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return a function: page(preset, shape) writes the page of a run and returns (URL, training)."""

    @functools.cache
    def write(name="cgan", shape=(8, 12, 1), classes=3, data=None):
        run = new_run(tmp_path_factory.mktemp("pages") / "run", name, data, shape, classes)
        training = lively(run.settings.training())
        report.save(run, training)
        return (run.folder / "report.html").as_uri(), training

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directions, "SAMPLES", 128)
        yield write


CASES = [*((name, (8, 12, 1)) for name in PRESETS), ("cgan", (8, 12, 3))]


@pytest.mark.parametrize("name, shape", CASES)
def test_the_page_computes_the_images_of_numpy_within_two_grey_levels(page, browser, name, shape):
    url, training = page(name, shape)
    U, _ = directions.principal(training, export.generator(training, shape))
    points = np.random.default_rng(1).normal(size=(12, len(U))).astype(np.float32)
    labels = np.arange(12) % 3
    expected = data.to_pixels(training.sample(points @ U.T, labels if training.gan.classes else None))
    opened = browser.open(url)
    script = "const G = generatorOf(run.generator); return %s.map((point, i) => [...G(point, i %% 3)])"
    found = data.to_pixels(np.array(opened.run(script % json.dumps(points.tolist()))).reshape(expected.shape))
    assert expected.std() > 40 and opened.errors() == []
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_half_precision_is_read_as_numpy_reads_it(page, browser):
    url, _ = page()
    halves = np.arange(2**16, dtype=np.uint16)
    finite = halves[np.isfinite(halves.view(np.float16))]
    found = browser.open(url).run(f"return {finite.tolist()}.map(halfToNumber)")
    assert (np.array(found) == finite.view(np.float16).astype(float)).all()


def shown(opened):
    """Return the latent point, the class, and the pixels of the image on the page."""
    return opened.run("""
        const pixels = $("image").getContext("2d").getImageData(0, 0, play.shape[1], play.shape[0]).data;
        return [play.point, play.label, [...pixels].join()];""")


def test_choosing_a_class_a_point_or_a_slider_value_changes_the_image(page, browser):
    opened = browser.open(page()[0])
    first, _, image = shown(opened)
    opened.click("#classes button:nth-child(3)")
    point, label, other = shown(opened)
    assert (point, label) == (first, 2) and other != image
    assert opened.run('return $("classes").querySelector("[aria-pressed=true]").textContent') == "2"
    opened.click("#random")
    assert shown(opened)[0] != first
    opened.run('document.querySelector("#sliders input").focus()')
    before, _, image = shown(opened)
    opened.press("ArrowRight", 5)
    after, _, other = shown(opened)
    assert other != image and after[1:] == before[1:]
    # five steps of 0.05; the slider also rounds the value to a multiple of 0.05
    assert after[0] == pytest.approx(before[0] + 0.25, abs=0.03)
    opened.run('document.querySelector("#grid button").focus()')
    opened.press("Enter")
    assert shown(opened)[0] != after and opened.errors() == []


def test_a_walk_leads_from_one_end_to_the_other_and_stops_at_a_touch(page, browser):
    opened = browser.open(page()[0], 400, 800, touch=True)
    ends = opened.run("return [play.from, play.to]")
    for t, end in zip((0, 1), ends):
        opened.run(f'$("way").value = {t}; $("way").dispatchEvent(new Event("input"))')
        assert shown(opened)[0] == pytest.approx(end, abs=1e-5)
    opened.touch("#walk")
    opened.run('while (Number($("way").value) > 0.98) await new Promise(requestAnimationFrame)')
    opened.touch("#walk")
    assert opened.run('return [play.walking, $("walk").textContent]') == [None, "walk"]
    point = shown(opened)[0]
    assert point not in ends
    opened.touch("#ends button:last-child")  # sets the end of the walk to the point that is shown
    assert opened.run("return play.to") == point and opened.errors() == []


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_is_cut_off_in_light_and_in_dark_mode(page, browser, dark):
    opened = browser.open(page(classes=12)[0], 400, 800, dark, touch=True)
    wide = 'return [...document.querySelectorAll("body *")].filter(n => n.getBoundingClientRect().right > 400).length'
    assert opened.run(wide) == 0
    assert opened.run("return document.documentElement.scrollWidth") == 400
    paper = opened.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(21, 21, 23)" if dark else "rgb(252, 252, 250)")


def test_a_click_on_a_thumbnail_shows_its_image(page, browser):
    opened = browser.open(page()[0])
    picture = 'return [...%s.getContext("2d").getImageData(0, 0, 12, 8).data].join()'
    for thumbnail in ("#grid button:nth-child(5)", "#classes button:nth-child(2)"):
        opened.run("while (play.waiting.length) await new Promise(requestAnimationFrame)")
        small = opened.run(picture % f'document.querySelector("{thumbnail} canvas")')
        opened.click(thumbnail)
        assert shown(opened)[2] == small


def test_buttons_show_any_name_of_a_folder_as_plain_text(tmp_path, browser):
    names = ("cat", "<img src=x onerror=alert(1)>", "a name without end " * 9)
    run = new_run(tmp_path / "r", "cgan", class_names=names)
    report.save(run, run.settings.training())
    opened = browser.open((run.folder / "report.html").as_uri(), 400, 800)
    buttons = '[...document.querySelectorAll("#classes button")]'
    assert opened.run(f"return {buttons}.map(button => button.textContent)") == list(names)
    assert opened.run(f"return {buttons}.map(button => button.title)") == list(names)
    assert opened.run("return document.documentElement.scrollWidth") == 400
    assert opened.run(f"return {buttons}[2].clientHeight < 120") and opened.errors() == []


def test_the_page_of_a_run_without_classes_has_no_buttons_for_classes(page, browser):
    opened = browser.open(page("dcgan")[0])
    assert opened.run('return [$("play").hidden, $("kinds").hidden, $("plane").hidden]') == [False, True, True]
    assert opened.errors() == []


def test_points_of_a_toy_world_can_be_dragged_and_moved_with_keys(page, browser):
    url, training = page("r3gan", (2,), data="ring", classes=0)
    opened = browser.open(url, 400, 900, touch=True)
    assert opened.run('return [$("play").hidden, $("plane").hidden]') == [True, False]
    first = opened.run("return plane.marks[0]")
    wide = opened.run('return $("latent").clientWidth')
    opened.touch(".mark", dx=wide / 6)  # the plane is six units wide, so this is one unit
    moved = opened.run("return plane.marks[0]")
    assert moved == pytest.approx([first[0] + 1, first[1]], abs=0.05)
    opened.run('document.querySelector(".mark").focus()')
    opened.press("ArrowUp", 3)
    assert opened.run("return plane.marks[0]") == pytest.approx([moved[0], moved[1] + 0.3], abs=1e-6)
    U, _ = directions.principal(training, export.generator(training, (2,)))
    latent = np.array([[0.5, -1.0, *[0.0] * (len(U) - 2)]], np.float32)
    x, y = training.sample(latent @ U.T)[0]
    assert opened.run("return [...image([0.5, -1])]") == pytest.approx([x, y], abs=0.02)
    at = "return network(run.discriminator)([0.5, -1])[0]"
    from_d = training.gan.D(Tensor(np.array([[0.5, -1.0]], np.float32))).item()
    assert opened.run(at) == pytest.approx(from_d, rel=0.01, abs=1e-3) and opened.errors() == []


def test_directions_are_named_by_their_effect():
    """Each image is a stroke. One latent number slants the stroke, and another widens it."""
    height, width = np.mgrid[:16, :16] / 8.0 - 1.0

    class Strokes:
        class gan:
            classes = 0

        @staticmethod
        def sample(latent, classes):
            slant, thickness = np.tanh(latent[:, 2])[:, None, None] / 2, 0.2 * np.exp(latent[:, 1] / 4)[:, None, None]
            ink = np.exp(-(((width + slant * height) / thickness) ** 2)) * (np.abs(height) < 0.7)
            return (2 * ink - 1).astype(np.float32)[..., None]

    U, names = directions.principal(Strokes, export.Generator([], 4, 0, (16, 16, 1)))
    assert sorted(filter(None, names)) in (["slant", "thickness"], ["slant", "width"])
    slant = U[:, names.index("slant")]
    assert slant[2] > 0.95  # the sign is chosen so that a larger number slants more to the right
    assert U.T @ U == pytest.approx(np.eye(4), abs=1e-5)


def test_a_page_without_an_exported_network_has_no_controls(tmp_path, browser, monkeypatch):
    monkeypatch.setattr(export, "operation", lambda layer: (_ for _ in ()).throw(export.ExportError("no")))
    run = new_run(tmp_path / "r")
    report.save(run, run.settings.training())
    opened = browser.open((run.folder / "report.html").as_uri())
    assert opened.run('return [$("play").hidden, $("plane").hidden]') == [True, True] and opened.errors() == []


@pytest.mark.parametrize("name", PRESETS)
def test_a_page_with_many_large_pictures_is_smaller_than_a_megabyte_and_a_half(tmp_path, monkeypatch, name):
    monkeypatch.setattr(directions, "SAMPLES", 128)
    monkeypatch.setattr(report, "embedded", lambda path: "x" * 60_000)
    run = new_run(tmp_path / "r", name, shape=(28, 28, 1), classes=10)
    run.write_rows([(i, 1, *[0.123456] * len(METRICS)) for i in range(1, 1001)], [])
    for step in range(1, 41):
        (run.samples / f"step_{step:07d}.png").touch()
    report.save(run, run.settings.training())
    assert 1_300_000 < (run.folder / "report.html").stat().st_size < 1_500_000
