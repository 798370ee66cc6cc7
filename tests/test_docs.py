"""In the documents, links work, snippets print the output shown, figures are drawn, and line counts are right."""

import ast
import doctest
import re
import sys
from pathlib import Path

import pytest
from runs import new_run

from tinygan import backend
from tinygan.app import pictures
from tinygan.autograd import PRIMITIVES

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs"))

import figures  # noqa: E402
import measure  # noqa: E402

TOUR = ROOT / "docs/tour.md"
PAGES = [path for folder in (".", "docs", "tests") for path in sorted((ROOT / folder).glob("*.md"))]
LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def prose(path):
    """Return a page without its blocks of code."""
    return re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)


def links(text):
    """Return (text, target) of each link within the repository."""
    found = ((match["text"], match["target"]) for match in LINK.finditer(text))
    return [(text, target) for text, target in found if not re.match(r"https?:|mailto:", target)]


def defines(source, dotted):
    """Return whether Python source defines the name `dotted`: a function, class or variable, or Class.member."""
    nodes = ast.parse(source).body
    for name in dotted.split("."):
        found = [node for node in nodes if name in names(node)]
        if not found:
            return False
        nodes = getattr(found[0], "body", [])
    return True


def names(node):
    """Return the names that a statement defines."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {target.id for target in targets if isinstance(target, ast.Name)}
    return {getattr(node, "name", None)}


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_to_a_file_that_defines_the_name(page):
    for text, target in links(prose(page)):
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.is_relative_to(ROOT) and path.exists(), f"{page.name}: [{text}]({target}): there is no such file"
        name = re.fullmatch(r"`([\w.]+)`", text)
        if path.suffix == ".py" and name and not name[1].endswith(".py"):
            assert defines(path.read_text(), name[1]), f"{page.name}: {file} does not define {name[1]}"
        if path.suffix == ".md" and anchor:
            assert anchor in anchors(path), f"{page.name}: {file} has no heading {anchor}"


def test_a_name_counts_as_defined_only_at_its_own_level():
    source = "class A:\n    x = 1\n\n    def f(self): pass\n\n\ndef g(): pass\n\n\nB = 1\nD: int = 2\n"
    assert all(defines(source, name) for name in ("A", "A.x", "A.f", "g", "B", "D"))
    assert not any(defines(source, name) for name in ("f", "A.g", "x", "C", "A.B"))


def test_the_first_code_of_the_readme_is_examples_dcgan():
    first = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert first[1] == (ROOT / "examples/dcgan.py").read_text()


STOPS = re.split(r"^## ", TOUR.read_text(), flags=re.MULTILINE)[1:]


@pytest.fixture
def restored_primitives():
    """Remove the primitives that a snippet registers, because each registered primitive must have a gradient check."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.splitlines()[0])
def test_the_snippets_of_the_tour_print_the_output_shown(stop, restored_primitives):
    if backend.device != "cpu":
        pytest.skip("the tour shows the output of the CPU")
    snippets = "\n".join(re.findall(r"^```python\n(.*?)^```", stop, re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(snippets, {}, stop.splitlines()[0], str(TOUR), 0)
    failures = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False).run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_each_of_the_eight_stops_has_an_example_and_the_table_of_answers_comes_last():
    numbered = [stop for stop in STOPS if stop[0].isdigit()]
    assert [stop[0] for stop in numbered] == list("12345678")
    assert all(">>> " in stop and links(stop) for stop in numbered)
    assert STOPS[-1].startswith("In under a minute")


def rows_of_the_table():
    """Return the rows (question, place, word) of the tour's last table."""
    cells = [row.strip("| ").split(" | ") for row in STOPS[-1].splitlines() if row.startswith("| ")]
    return [tuple(row) for row in cells[2:]]


@pytest.mark.parametrize("question, where, word", rows_of_the_table(), ids=lambda cell: cell[:60])
def test_each_answer_of_the_table_is_found_by_its_word(question, where, word):
    for text, target in links(where):
        source = (TOUR.parent / target).read_text()
        if text.startswith("`"):
            source = definition(source, text.strip("`"))
        assert word.lower() in source.lower(), f"{question}: {word!r} is not in {text} of {target}"


def definition(source, name):
    """Return the source of a function, class or method ("Class.method") of a module."""
    body = ast.parse(source).body
    for part in name.split("."):
        (node,) = [node for node in body if getattr(node, "name", None) == part]
        body = node.body
    return ast.get_source_segment(source, node)


def test_figures_of_the_tour_are_small():
    for picture in (ROOT / "docs/figures").glob("*.png"):
        assert picture.stat().st_size < 150_000, f"{picture.name} has {picture.stat().st_size} bytes, too many"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Return the folder into which a test draws its figures."""
    if backend.device != "cpu":
        pytest.skip("figures are drawn on the CPU")
    monkeypatch.setattr(figures, "HERE", tmp_path)
    return tmp_path


def test_the_script_draws_every_figure_of_the_tour(drawn, monkeypatch):
    short = {name: (base, {**changes, "steps": 20}, (10, 20)) for name, (base, changes, _) in figures.RUNS.items()}
    monkeypatch.setattr(figures, "RUNS", short)
    for draw in (figures.tiny_graph, figures.step_graph, figures.transposed, figures.ring):
        draw()
    names = {path.name for path in drawn.iterdir()}
    of_a_run = {"epochs.png", "interpolation.png"}  # the next test draws these
    assert names | of_a_run == {Path(target).name for _, target in links(TOUR.read_text()) if target.endswith(".png")}


def test_a_finished_run_is_drawn_through_its_epochs_and_between_latent_points(drawn):
    run = new_run(drawn / "run", shape=(28, 28, 1), classes=10)
    training = run.settings.training()
    run.save(training=training)
    for epoch in (1, 2):
        pictures.save(run, training, epoch)
    figures.through_epochs(run)
    figures.interpolation(run)
    assert {path.name for path in drawn.glob("*.png")} == {"epochs.png", "interpolation.png"}


READ = [*measure.everything(), *sorted(ROOT.glob("*.py")), *sorted((ROOT / "docs").glob("*.py"))]


@pytest.mark.parametrize("path", READ, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_have_at_most_300_lines_and_functions_at_most_60(path):
    assert measure.lines(path) <= 300, f"{path.name} has {measure.lines(path)} lines, more than 300"
    for length, name in measure.functions(path):
        assert length <= 60, f"{name} has {length} lines, more than 60"


def test_every_file_has_a_docstring():
    for path in READ:
        assert path.read_text().startswith('"""'), f"{path.relative_to(ROOT)} has no docstring"


def test_the_tour_quotes_the_line_counts_of_the_code():
    quoted = dict(re.findall(r"^\| ([^|]+?) \| \d+ \| ([\d,]+) \|$", measure.quoted(), re.MULTILINE))
    measured = {part: count for part, (_, count) in measure.parts().items()}
    assert quoted.keys() == measured.keys()
    for part, count in measured.items():
        in_tour = int(quoted[part].replace(",", ""))
        within = abs(in_tour - count) <= 0.1 * count
        assert within, f"the tour says {in_tour} lines for {part}, the code has {count}: run docs/measure.py --write"
