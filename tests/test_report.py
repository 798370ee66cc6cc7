"""report.html shows a run in a real browser, without network requests."""

import json
import re

import numpy as np
import pytest
from runs import new_run, settings

from tinygan.app import plots, report
from tinygan.app.runs import LOG_COLUMNS, Run
from tinygan.app.terminal import command
from tinygan.gan.health import METRICS

HOSTILE = '<img src=x onerror=alert(1)> & "it\'s" <!--'


def rows(n, per_epoch=10):
    """Return a log of n rows. In row i, metric j is 0.1 (i + 1) + j."""
    return [(10 * (i + 1), 1 + i // per_epoch, *(0.1 * (i + 1) + j for j in range(len(METRICS)))) for i in range(n)]


def make(folder, pictures=3, log=30, preset="vanilla", **settings):
    run = new_run(folder, preset, **settings)
    run.write_rows(rows(log), [(10 * log, 3, 1.0)] if log else [])
    for i in range(pictures):
        plots.save_grid(run.samples / f"step_{100 * i:07d}.png", np.full((4, 8, 8, 1), i, np.uint8))
    return Run.open(folder)


def content(run):
    """Save the page, and return the data in it."""
    report.save(run)
    page = (run.folder / "report.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)[1])


TRY = """
    const at = {title: document.title, heading: $("title").textContent, images: document.images.length,
        told: $("settings").textContent, first: [$("step").textContent, $("picture").src, $("when").textContent],
        command: document.querySelector("pre").textContent, metrics: $("metrics").textContent,
        paths: document.querySelectorAll("#curves path").length};
    $("slider").value = 0;
    $("slider").dispatchEvent(new Event("input"));
    at.moved = [$("step").textContent, $("picture").src, $("when").textContent];
    const svg = document.querySelector("#curves svg"), box = svg.getBoundingClientRect();
    svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.right}));
    at.pointed = $("when").textContent;
    document.documentElement.style.width = "390px";
    drawAll();
    const all = [...document.querySelectorAll("body *")];
    at.outside = all.filter(node => node.getBoundingClientRect().right > 390).map(node => node.outerHTML.slice(0, 200));
    return at;
"""


def test_the_page_works_in_a_browser_for_any_name_of_a_run(tmp_path, browser):
    (tmp_path / HOSTILE).mkdir()
    run = make(tmp_path / HOSTILE, data="</script><script>document.title = 'owned'</script>")
    plots.save_grid(run.folder / "interpolation.png", np.zeros((4, 8, 8, 1), np.uint8))
    samples, real = {"distance": 12.5, "agreement": None}, {"distance": 1.5, "agreement": None}
    found = {"step": 300, "n": 4, "samples": samples, "real": real}
    (run.folder / "metrics.json").write_text(json.dumps(found))
    frames = content(run)["frames"]
    opened = browser.open((run.folder / "report.html").as_uri() + "#150")
    at = opened.run(TRY)
    assert opened.errors() == []
    assert at["title"] == f"vanilla, {HOSTILE}" and at["heading"] == HOSTILE and at["images"] == 2
    assert "</script><script>document.title = 'owned'</script>" in at["told"]
    assert at["command"].startswith(f"{command('train')} --resume '") and "distance12.51.5" in at["metrics"]
    assert "agreement" not in at["metrics"]
    assert at["first"] == ["step 100", frames[1]["picture"], "At step 100"]
    assert at["moved"] == ["step 0", frames[0]["picture"], "At step 10"]  # the first row of the log
    assert at["pointed"] == "At step 300"
    assert at["paths"] == len(METRICS) - 1  # vanilla has no penalty
    assert at["outside"] == []  # nothing is wider than the screen of a phone


def test_the_page_of_a_run_that_has_just_begun_has_no_errors(tmp_path, browser):
    run = make(tmp_path / "r", pictures=0, log=0)
    report.save(run)
    script = 'return [...document.querySelectorAll("body section")].filter(node => !node.hidden).length'
    opened = browser.open((run.folder / "report.html").as_uri())
    assert opened.run(script) == 2 and opened.errors() == []  # the sections with the commands and the settings


def test_the_test_browser_reports_an_error_in_a_page(tmp_path, browser):
    page = tmp_path / "page.html"
    page.write_text("<script>nothing.there</script></html>")
    assert "nothing is not defined" in str(browser.open(page.as_uri()).errors())


def test_the_page_makes_no_network_requests(tmp_path):
    run = make(tmp_path / "r")
    shown = content(run)
    page = (run.folder / "report.html").read_text()
    assert "default-src 'none'" in page  # so the browser refuses requests
    assert not re.search(r"://|<link|\bsrc *=[\"']|url\(|@import", report.template())
    assert report.template().count("fetch(") == 1 and 'if (location.protocol === "http:") renew' in report.template()
    assert all(frame["picture"].startswith("data:image/webp;base64,") for frame in shown["frames"])
    assert [path.name for path in run.folder.iterdir() if path.name.endswith(".tmp")] == []


def test_the_page_shows_the_settings_of_the_run(tmp_path):
    run = make(tmp_path / "a run", preset="cgan", seed=7)
    shown = content(run)
    assert shown["name"] == "a run" and shown["done"] == 300 and shown["pictures"] == 3
    settings = dict(shown["settings"])
    assert settings["seed"] == "7" and settings["conditional"] == "yes" and settings["shape"] == "8, 8, 1"
    assert settings["data"] == "-" and settings["versions numpy"] == np.__version__ and settings["lr"] == "0.0008"
    folder = f"'{run.folder}'"
    assert ["one class", f"{command('sample')} {folder} --digit 2"] in shown["commands"]
    assert shown["commands"][0][1] == f"{command('train')} --resume {folder} --epochs N"


def test_every_metric_has_its_curve(tmp_path):
    shown = content(make(tmp_path / "r", preset="r3gan"))
    drawn = [column for panel in shown["panels"] for column in panel["lines"]]
    assert sorted(drawn) == sorted(METRICS) and all(panel["meaning"] for panel in shown["panels"])
    assert shown["curves"].keys() == set(LOG_COLUMNS) and shown["curves"]["step"][-1] == 300


def test_long_curves_are_averaged_and_values_that_are_not_finite_are_gaps(monkeypatch):
    monkeypatch.setattr(report, "POINTS", 3)
    log = rows(7)
    log[6] = (*log[6][:2], float("nan"), *log[6][3:])
    found = report.curves(log)
    assert found["step"] == (30, 60, 70)
    assert found["d_loss"] == (pytest.approx(0.2), pytest.approx(0.5), None)


def test_the_page_has_a_selection_of_pictures_from_the_first_to_the_last(tmp_path, monkeypatch):
    frames = {i: tmp_path / f"step_{i:07d}.png" for i in range(1, 201)}
    monkeypatch.setattr(report, "embedded", lambda path: None if path.name == "step_0000004.png" else "x" * 1000)

    def steps(frames, room):
        return [frame["step"] for frame in report.some(frames, room)]

    kept = steps(frames, 60_000)
    assert len(kept) == 59 and kept[0] == 1 and kept[-1] == 200  # step 4 has no picture
    assert steps({1: frames[1]}, 60_000) == [1] and steps({}, 60_000) == []
    assert len(steps(frames, 10_500)) == 10 and steps(frames, 10) == steps(frames, -10) == [1, 200]


def test_a_changed_picture_is_encoded_again_and_a_file_that_is_no_picture_is_left_out(tmp_path):
    path = tmp_path / "a.png"
    assert report.embedded(path) is None
    plots.save_grid(path, np.zeros((4, 8, 8, 1), np.uint8))
    black = report.embedded(path)
    assert black.startswith("data:image/webp;base64,") and report.embedded(path) is black
    plots.save_grid(path, np.full((4, 8, 8, 1), 200, np.uint8))
    assert report.embedded(path) != black
    path.write_bytes(b"no picture")
    assert report.embedded(path) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"step": 7}', '{"step": 7, "samples": 1}', '{"step": 7, "samples": {}, "real": null}']
)
def test_metrics_that_cannot_be_read_are_left_out(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    assert report.metrics(tmp_path / "metrics.json", 7) is None


def test_metrics_of_an_earlier_step_are_not_shown(tmp_path):
    run = make(tmp_path / "r")
    found = {"step": 300, "samples": {"distance": 12.5}, "real": {"distance": 1.5}}
    (run.folder / "metrics.json").write_text(json.dumps(found))
    assert content(run)["metrics"]["compared"] == [["distance", "12.5", "1.5"]]
    run.write_rows(rows(31), [(310, 4, 1.0)])
    assert content(run)["metrics"] is None


def test_quality_during_training_has_a_curve(tmp_path):
    run = make(tmp_path / "r", log=6)
    assert "multiple" not in content(run)["curves"]
    (run.folder / "quality.csv").write_text("step,epoch,distance,multiple\n20,1,3.0,40.0\n65,2,1.5,20.0\n")
    shown = content(run)
    assert shown["curves"]["multiple"] == [None, 40.0, 40.0, 40.0, 40.0, 20.0]
    assert shown["panels"][-1]["title"] == "distance from real images" and shown["panels"][-1]["log"]


def test_the_page_of_a_toy_world_has_no_commands_for_images(tmp_path):
    world = settings(data="ring", shape=(2,))
    assert len(report.commands(Run(tmp_path, world), world.to_json())) == 2


def test_on_a_phone_a_long_hash_fits_and_a_curve_of_one_point_is_visible(tmp_path, browser):
    run = make(tmp_path / "r", pictures=1, log=1)
    found = {"step": 10, "classifier": {"sha256": "a" * 64}, "samples": {"distance": 12.5}, "real": {"distance": 1.5}}
    (run.folder / "metrics.json").write_text(json.dumps(found))
    report.save(run)
    script = """
        document.documentElement.style.width = "375px";
        drawAll();
        const all = [...document.querySelectorAll("body *")];
        const outside = all.filter(node => node.getBoundingClientRect().right > 375).map(node => node.outerHTML);
        return [outside, document.querySelector("#curves path").style.strokeLinecap];
    """
    opened = browser.open((run.folder / "report.html").as_uri())
    outside, cap = opened.run(script)
    assert outside == [] and cap == "round" and opened.errors() == []
