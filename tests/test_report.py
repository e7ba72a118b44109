"""The page of ``digits report``: what is in it, and what it does in a browser without a network."""

import base64
import csv
import io
import itertools
import json
import re
import shutil
import webbrowser
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from commands.predict import predict
from commands.report import charts
from commands.report import page as report
from commands.report.history import changed_keys, experiments
from commands.report.network import load_network
from commands.report.page import main
from commands.report.pictures import PUOR, Sheet, ink_sheet, weight_sheet
from digits.errors import InputError
from digits.framing import ModelInput
from tests.browser import Opened, needs_browser, opened
from tests.conftest import REPOSITORY
from tests.finished import commit, finished, git

HOSTILE = ("<b>bold</b>", '"></script><script>alert(1)</script>', "{{ 7 * 7 }} & 'c'")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in a git repository with two experiments."""
    folder = finished(tmp_path_factory.mktemp("finished"))
    commit(folder, "experiment: the first\n\nOf two.")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["train"]["dnn"]["learning_rate"] = 0.25
    metrics = folder / "metrics/dnn/test.json"
    good, before = metrics.read_text(), (folder / "params.yaml").read_text()
    metrics.write_text(json.dumps(json.loads(good) | {"accuracy": 0.125}))
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    commit(folder, "experiment: dnn slower")
    metrics.write_text(good)
    (folder / "params.yaml").write_text(before)
    commit(folder, "Not an experiment\n\nexperiment: this line is of the body")
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Path:
    return written(root)


def written(root: Path) -> Path:
    assert main(output=root / "report/index.html", open_page=False, root=root) == 0
    return root / "report/index.html"


class Parsed(HTMLParser):
    """The elements of a page, and its text outside scripts and styles."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


class TestThePage:
    def test_it_holds_all_that_it_needs(self, page: Path) -> None:
        parsed = Parsed(page)
        addresses = [
            value or ""
            for _, attributes in parsed.elements
            for key, value in attributes.items()
            if key in ("src", "href")
        ]
        assert addresses
        assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
        assert not {"link", "iframe", "object"} & {tag for tag, _ in parsed.elements}
        assert page.stat().st_size < report.MOST

    def test_every_link_has_a_place_and_every_picture_words(self, page: Path) -> None:
        elements = Parsed(page).elements
        places = {attributes["id"] for _, attributes in elements if "id" in attributes}
        links = {str(attributes["href"])[1:] for tag, attributes in elements if tag == "a"}
        assert links == set(report.SECTIONS)
        assert links <= places
        labels = {
            attributes[key]
            for _, attributes in elements
            for key in ("aria-labelledby", "for", "aria-describedby")
            if key in attributes
        }
        assert labels <= places
        assert all(attributes.get("alt") for tag, attributes in elements if tag == "img")
        assert all(
            attributes.get("aria-label")
            for _, attributes in elements
            if attributes.get("role") in ("img", "region", "application")
        )

    def test_the_same_commit_and_workspace_give_the_same_bytes(self, root: Path, page: Path) -> None:
        first = page.read_bytes()
        assert written(root).read_bytes() == first

    def test_the_figures_are_the_metrics(self, root: Path, page: Path) -> None:
        text = Parsed(page).text
        for model, split in itertools.product(("linear", "dnn"), ("validation", "test")):
            figures = json.loads((root / f"metrics/{model}/{split}.json").read_text())
            assert (
                f"{figures['accuracy']:.4f} {figures['accuracy_low']:.4f}–{figures['accuracy_high']:.4f}"
                in text
            )
            assert f"{figures['log_loss']:.4f}" in text
        assert "“Not an experiment”." in text

    def test_uncommitted_changes_are_said(self, root: Path) -> None:
        path = root / "params.yaml"
        before = path.read_text()
        try:
            path.write_text(before + "# changed\n")
            assert "“Not an experiment”, with changes that are not committed." in Parsed(written(root)).text
        finally:
            path.write_text(before)
            written(root)

    def test_names_are_escaped_everywhere(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, class_names=HOSTILE, entry={"title": "<i>Title</i>"})
        commit(folder, "experiment: <u>under</u>")
        parsed = Parsed(written(folder))
        tags = [tag for tag, _ in parsed.elements]
        assert tags.count("script") == 3
        assert not {"i", "u"} & set(tags)
        assert {attributes.get("class") for tag, attributes in parsed.elements if tag == "b"} == {None}
        for words in (*HOSTILE, "<i>Title</i>", "<u>under</u>"):
            assert words in parsed.text

    def test_a_source_that_says_little_of_itself(self, tmp_path: Path) -> None:
        text = Parsed(written(finished(tmp_path, entry={"title": "Mine"}, linear={}))).text
        assert "tiny , Mine, licence not stated." in text

    def test_files_of_another_run_are_named(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, linear={})
        assert "dvc.lock records:" not in Parsed(written(folder)).text
        path = folder / "metrics/linear/test.json"
        path.write_text(path.read_text() + "\n")
        assert (
            "Not all of this is what dvc.lock records: metrics/linear/test.json."
            in Parsed(written(folder)).text
        )

    def test_a_network_too_large_to_send_is_left_out_and_named(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answering() -> dict[str, bool]:
            document = written(root).read_text(encoding="utf-8")
            found = json.loads(re.findall(r'id="networks">(.*?)</script>', document)[0])
            return {model["name"]: model["network"] is not None for model in found["models"]}

        whole = written(root).stat().st_size
        assert answering() == {"linear": True, "dnn": True}
        monkeypatch.setattr(report, "MOST", whole - 1)
        assert answering() == {"linear": True, "dnn": False}
        assert "dnn does not answer here: its" in Parsed(written(root)).text
        monkeypatch.setattr(report, "MOST", 1)
        assert answering() == {"linear": False, "dnn": False}
        monkeypatch.undo()
        written(root)

    def test_many_classes_have_no_table_against_each_other(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, class_names=tuple(f"class {at}" for at in range(45)), linear={})
        parsed = Parsed(written(folder))
        assert "With 45 classes a table would be too large" in parsed.text
        assert not [1 for _, attributes in parsed.elements if attributes.get("class") == "confusion"]

    def test_a_model_that_is_no_longer_wired_or_of_other_data_is_left_out(self, tmp_path: Path) -> None:
        folder = finished(tmp_path)
        (folder / "dvc.yaml").write_text("vars: [{models: [dnn]}]")
        assert "linear: " not in Parsed(written(folder)).text
        (folder / "dvc.yaml").unlink()
        assert "linear" in Parsed(written(folder)).text
        lock = yaml.safe_load((folder / "dvc.lock").read_text())
        split = "data/splits/validation.npz"
        lock["stages"]["evaluate@linear"]["deps"] = [{"path": split, "md5": "of other data"}]
        (folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
        shutil.rmtree(folder / "models/linear")
        assert "dnn: Tiny" in Parsed(written(folder)).text

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, linear={})
        (folder / "there").mkdir()
        (folder / "page.html").symlink_to("there/index.html")
        assert main(output=folder / "page.html", open_page=False, root=folder) == 0
        assert (folder / "page.html").is_symlink()
        assert (folder / "there/index.html").is_file()

    def test_many_periods_and_snapshots_are_thinned_out(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(report, "MARKS", 1)
        monkeypatch.setattr(report, "MOST_WEIGHTS", 1)
        parsed = Parsed(written(root))
        steps = [attributes["data-step"] for _, attributes in parsed.elements if "data-step" in attributes]
        assert steps == ["60", "60"]  # the last of each model
        assert "train, step 60" in parsed.text
        assert "train, step 30" not in parsed.text
        monkeypatch.undo()
        written(root)

    def test_without_git_or_experiments(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, linear={})
        text = Parsed(written(folder)).text
        assert "in no git repository" in text
        assert "git holds none yet" in text

    @pytest.mark.parametrize(
        "gone",
        ["dvc.lock", "models/linear/model.onnx", "metrics/linear/test.json", "data/splits/validation.npz"],
    )
    def test_without_a_run_it_is_said_what_makes_one(self, gone: str, root: Path) -> None:
        content = (root / gone).read_bytes()
        before = (root / "report/index.html").read_bytes() if (root / "report/index.html").exists() else None
        try:
            (root / gone).unlink()
            with pytest.raises(
                InputError, match=f"{gone}: found no such file, expected .*; (make run|restore it)"
            ):
                main(output=root / "report/index.html", open_page=False, root=root)
        finally:
            (root / gone).write_bytes(content)
        if before is not None:
            assert (root / "report/index.html").read_bytes() == before

    @pytest.mark.parametrize(
        ("file", "content", "message"),
        [
            ("dvc.lock", b"stages: {}", "dvc.lock: found no trained model, expected some; make run"),
            ("dvc.lock", b"stages: [1]", "dvc.lock: found something else than stages"),
            ("dvc.lock", b"stages: {train@a: {}}", "dvc.lock: found a run that can't be read"),
            ("models/dnn/model.onnx", b"\xff\xff", "model.onnx: found a damaged file"),
            ("models/dnn/input.json", b"{}", "input.json: found a damaged file"),
            ("models/dnn/model.onnx", b"", "model.onnx: found an empty file"),
            ("models/dnn/snapshots.npz", b"PK", "snapshots.npz: found a damaged file"),
            ("models/dnn/snapshots.npz", b"", "snapshots.npz: found a damaged file"),
            ("models/dnn/history.csv", b"step,train_log_loss\n1\n", "history.csv: found a damaged file"),
            ("models/dnn/history.csv", b"step\nnan\n", "history.csv: found a damaged file"),
            (
                "models/dnn/variables.csv",
                b"name,shape,numbers\na,1,x\n",
                "variables.csv: found a damaged file",
            ),
            ("plots/dnn/units.csv", b"step\n", "units.csv: found a damaged file"),
            ("metrics/data.json", b"{}", "data.json: found a damaged file"),
            ("metrics/dnn/test.json", b"[]", "test.json: found a damaged file"),
            ("metrics/dnn/test.json", b'{"accuracy": null}', "test.json: found a damaged file"),
            ("metrics/dnn/test_classes.csv", b"class\na\n", "test_classes.csv: found a damaged file"),
            (
                "predictions/dnn/validation.csv",
                b"actual,predicted,probability_of_actual,probability_of_predicted\n0,1,0.1,0.5\n",
                "validation.csv: found 1 answers, expected one to each of 40 images",
            ),
            ("predictions/dnn/test.csv", b"a,b\n", "test.csv: found a damaged table"),
        ],
    )
    def test_damaged_files_are_one_line(self, file: str, content: bytes, message: str, root: Path) -> None:
        good = (root / file).read_bytes()
        try:
            (root / file).write_bytes(content)
            with pytest.raises(InputError, match=message) as raised:
                main(output=root / "report/index.html", open_page=False, root=root)
            assert "\n" not in str(raised.value)
        finally:
            (root / file).write_bytes(good)

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            ("plots/dnn/page.html", "found a place in plots/dnn, expected one that no stage writes"),
            ("metrics", "found a folder"),
            ("params.yaml", "found a name of another kind, expected one that ends in .html"),
        ],
    )
    def test_bad_places_are_refused(self, output: str, message: str, root: Path) -> None:
        with pytest.raises(InputError, match=message):
            main(output=root / output, open_page=False, root=root)


class TestHistory:
    def test_experiments_are_commits_whose_message_begins_so(self, root: Path) -> None:
        second, first = experiments(root)
        assert (first.title, second.title) == ("the first", "dnn slower")
        assert second.metrics["dnn", "test", "accuracy"] == 0.125
        assert first.metrics["linear", "test", "examples"] == 30
        assert changed_keys([second, first]) == ["train.dnn.learning_rate"]
        assert list(dict.fromkeys(model for model, _, _ in first.metrics)) == ["linear", "dnn"]

    def test_what_cannot_be_read_is_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "metrics/m").mkdir(parents=True)
        (tmp_path / "params.yaml").write_text("train: {m: {steps: 1}, gone: {steps: 1}}")
        (tmp_path / "metrics/m/test.json").write_text("[1]")
        (tmp_path / "metrics/m/validation.json").write_text("{")
        commit(tmp_path, "experiment: damaged metrics")
        (tmp_path / "params.yaml").write_text("train: [")
        commit(tmp_path, "experiment: damaged params")
        (tmp_path / "params.yaml").write_text("train: 2020-13-45")
        commit(tmp_path, "experiment: a\u2028date")
        (tmp_path / "params.yaml").unlink()
        commit(tmp_path, "experiment: none at all")
        found = experiments(tmp_path)
        assert [at.metrics for at in found] == [{}, {}, {}, {}]
        assert [at.params for at in found] == [{}, {}, {}, {"train.m.steps": 1, "train.gone.steps": 1}]
        assert [at.title for at in found][1] == "a\u2028date"

    def test_a_project_in_a_folder_of_its_repository(self, tmp_path: Path) -> None:
        folder = tmp_path / "inside"
        (folder / "metrics/m").mkdir(parents=True)
        (folder / "params.yaml").write_text("train: {m: {steps: 1}}")
        (folder / "metrics/m/test.json").write_text('{"accuracy": 0.5, "large": 1' + "0" * 400 + "}")
        commit(tmp_path, "experiment: nested")
        git(tmp_path, "config", "grep.patternType", "fixed")
        (found,) = experiments(folder)
        assert found.metrics == {("m", "test", "accuracy"): 0.5}

    def test_this_project_has_its_story(self) -> None:
        titles = [at.title for at in experiments(REPOSITORY)]
        if not titles:
            pytest.skip("a checkout without history")
        assert "linear baseline" in titles
        tuned = next(at for at in experiments(REPOSITORY) if at.title == "linear tuned")
        assert tuned.metrics["linear", "test", "accuracy"] == pytest.approx(0.9117, abs=1e-4)

    def test_without_git_there_are_none(self, tmp_path: Path) -> None:
        assert experiments(tmp_path) == []


class TestCharts:
    def test_marks_lie_where_their_values_are(self) -> None:
        chart = charts.curves(
            "t", {"train": ([0, 50, 100], [0.0, 1.0, 2.0])}, x_label="step", y_label="y", from_zero=True
        )
        (line,) = chart.lines
        left, middle, right = line.points
        assert (left.x, right.x) == (charts.LEFT, charts.WIDTH - charts.RIGHT)
        assert left.y == charts.HEIGHT - charts.BOTTOM
        assert middle.x - left.x == pytest.approx(right.x - middle.x, abs=0.2)
        assert middle.y - left.y == pytest.approx(right.y - middle.y, abs=0.2)
        assert [tick.label for tick in chart.x_ticks] == ["0", "20", "40", "60", "80", "100"]
        assert next(tick.at for tick in chart.y_ticks if tick.label == "1") == middle.y
        assert right.says == "train, step 100: 2.0000"

    @pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 0.0], [1e-9, 2e-9], [1e6, 3e6]])
    def test_ticks_are_few_and_within(self, values: list[float]) -> None:
        steps = list(range(1, len(values) + 1))
        for from_zero in (True, False):
            chart = charts.curves("t", {"a": (steps, values)}, x_label="x", y_label="y", from_zero=from_zero)
            assert 1 <= len(chart.y_ticks) <= 6
            places = [*(tick.at for tick in chart.y_ticks), *(point.y for point in chart.lines[0].points)]
            assert min(places) >= charts.TOP
            assert max(places) <= charts.HEIGHT - charts.BOTTOM
            assert len({tick.label for tick in chart.y_ticks}) == len(chart.y_ticks)


def pixels(sheet: Sheet) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(base64.b64decode(sheet.url.partition(",")[2]))) as image:
        assert image.size == (sheet.pixel_width, sheet.pixel_height)
        return np.asarray(image.convert("RGB"))


class TestPictures:
    def test_ink_is_dark(self) -> None:
        images = np.array([[[0, 16]], [[8, 4]], [[16, 0]]], np.uint8)
        sheet = ink_sheet(images, 16, columns=2)
        assert (sheet.rows, sheet.columns) == (2, 2)
        assert_array_equal(pixels(sheet)[..., 0], [[255, 0, 127, 191], [0, 255, 255, 255]])

    def test_weights_are_white_at_zero_and_of_full_colour_at_the_limit(self) -> None:
        weights = np.array([[[-2.0, 0.0, 2.0, 9.0]]], np.float32)
        (row,) = pixels(weight_sheet(weights, 2.0, columns=4))
        assert_array_equal(row[[0, 2, 4, 6]], [PUOR[0], PUOR[5], PUOR[-1], PUOR[-1]])
        assert_array_equal(row[1], [255, 255, 255])  # between two pictures

    def test_no_picture_at_all(self) -> None:
        sheet = ink_sheet(np.zeros((0, 3, 4), np.uint8), 16, columns=5)
        assert (sheet.rows, sheet.columns) == (1, 1)
        assert_array_equal(pixels(sheet), np.full((3, 4, 3), 255))


def test_an_operation_that_the_page_cannot_compute_is_named(root: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(root / "models/linear/model.onnx")
    model.graph.node[-1].op_type = "Conv"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(
        InputError, match=r"model\.onnx: found the operation Conv, expected one of Add, Flatten"
    ):
        load_network(tmp_path / "model.onnx")


def test_the_page_is_opened_if_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", asked.append)
    assert main(output=root / "report/index.html", open_page=True, root=root) == 0
    assert asked == [(root / "report/index.html").as_uri()]


#: Strokes in shares of the board: points that a pointer is drawn through.
Strokes = list[list[tuple[float, float]]]
SEVEN: Strokes = [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)]]
CROSS: Strokes = [[(0.2, 0.3), (0.8, 0.9)], [(0.75, 0.25), (0.3, 0.8)]]


TWO_FINGERS = """() => {
    const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    const send = (kind, pointerId, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId,
        bubbles: true,
        clientX: box.left + x * box.width / 280,
        clientY: box.top + y * box.height / 280,
    }));
    send("pointerdown", 1, 40, 60);
    send("pointerdown", 2, 200, 200);
    send("pointermove", 2, 210, 210);
    send("pointermove", 1, 80, 60);
    send("pointerup", 2, 210, 210);
    send("pointerup", 1, 80, 60);
}"""
ANSWERS = """() => Object.fromEntries([...document.querySelectorAll("[data-answer-of]")].map(label => {
    const model = label.dataset.answerOf;
    const cells = document.querySelectorAll(`[data-probability-of=${model}]`);
    return [model, [label.textContent, [...cells].map(cell => cell.dataset.value || "nan")]];
}))"""


def random_strokes(seed: int) -> Strokes:
    random = np.random.default_rng(seed)
    return [
        [(float(x), float(y)) for x, y in random.uniform(0.05, 0.95, (random.integers(1, 6), 2))]
        for _ in range(random.integers(1, 4))
    ]


class TestInABrowser:
    pytestmark = needs_browser

    @pytest.fixture
    def seen(self, page: Path) -> Iterator[Opened]:
        """The page; nothing that a test does to it may ask for anything outside, or fail."""
        with opened(page) as seen:
            yield seen
        assert seen.requests == []
        assert seen.complaints == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1280])
    def test_it_loads_and_fits(self, scheme: str, width: int, page: Path) -> None:
        with opened(page, color_scheme=scheme, viewport={"width": width, "height": 700}) as seen:
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert wide <= width
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
        assert seen.requests == []
        assert seen.complaints == []

    def test_the_slider_goes_through_the_steps(self, seen: Opened) -> None:
        slider = seen.page.locator("input[data-snapshots]").last
        shots = seen.page.locator(".weights").last.locator("[data-step]")
        assert [shot.is_visible() for shot in shots.all()] == [False, True]
        slider.focus()
        slider.press("ArrowLeft")
        assert [shot.is_visible() for shot in shots.all()] == [True, False]
        assert slider.get_attribute("aria-valuetext") == "after 2 steps"

    def test_a_unit_under_the_pointer_is_named(self, seen: Opened) -> None:
        picture = seen.page.locator("img[data-units]:visible").last
        box = picture.bounding_box()
        assert box
        picture.hover(position={"x": box["width"] * 0.25, "y": box["height"] * 0.25})
        assert seen.page.locator("[data-unit]:visible").last.text_content() in (
            "unit 2",
            *(f"unit 2: {word}" for word in ("noise", "dead", "alike")),
        )

    def test_mistakes_are_filtered(self, seen: Opened, root: Path) -> None:
        with (root / "predictions/linear/validation.csv").open(newline="") as file:
            wrong = [row for row in csv.DictReader(file) if row["actual"] != row["predicted"]]
        actual = wrong[0]["actual"]
        seen.page.locator("#filter select[name=model]").select_option("linear")
        tiles = seen.page.locator(".tile:visible")
        assert tiles.count() == len(wrong)
        seen.page.locator("#filter select[name=actual]").select_option(actual)
        chosen = [row for row in wrong if row["actual"] == actual]
        assert tiles.count() == len(chosen)
        seen.page.locator("#filter select[name=predicted]").select_option(chosen[0]["predicted"])
        both = [row for row in chosen if row["predicted"] == chosen[0]["predicted"]]
        assert tiles.count() == len(both)
        assert (
            seen.page.locator("#filtered").text_content() == f"{len(both)} of the {len(wrong)} pictures here."
        )
        seen.page.locator("#filter button").click()
        expected = f"{self.mistakes(root, 'dnn')} of "
        seen.page.wait_for_function(
            "expected => document.getElementById('filtered').textContent.startsWith(expected)", arg=expected
        )

    def mistakes(self, root: Path, model: str) -> int:
        with (root / f"predictions/{model}/validation.csv").open(newline="") as file:
            return sum(row["actual"] != row["predicted"] for row in csv.DictReader(file))

    def test_experiments_are_sorted(self, seen: Opened) -> None:
        def titles() -> list[str]:
            return seen.page.locator("table[data-sortable] tbody tr td:nth-child(2)").all_text_contents()

        assert titles() == ["dnn slower", "the first"]
        head = seen.page.locator("table[data-sortable] th", has_text="dnn test accuracy")
        head.locator("button").click()
        assert (titles(), head.get_attribute("aria-sort")) == (["dnn slower", "the first"], "ascending")
        head.locator("button").click()
        assert (titles(), head.get_attribute("aria-sort")) == (["the first", "dnn slower"], "descending")
        head.locator("button").click()
        assert (titles(), head.get_attribute("aria-sort")) == (["dnn slower", "the first"], "none")

    def test_charts_say_their_values(self, seen: Opened) -> None:
        drawing = seen.page.locator("figure.chart svg[tabindex]").first
        said = seen.page.locator("figure.chart [data-says]").first
        drawing.scroll_into_view_if_needed()
        mark = drawing.locator("circle").nth(1).bounding_box()
        assert mark
        seen.page.mouse.move(mark["x"] + 4, mark["y"] + 4)
        assert re.fullmatch(r"train, step 60: \d\.\d{4}", said.text_content() or "")
        drawing.focus()
        seen.page.keyboard.press("ArrowRight")
        assert re.fullmatch(r"validation, step 30: \d\.\d{4}", said.text_content() or "")

    def test_everything_is_there_without_javascript(self, page: Path) -> None:
        with opened(page, java_script_enabled=False) as seen:
            shots = seen.page.locator("[data-step]:visible").count()
            tiles = seen.page.locator(".tile:visible").count()
            text = seen.page.locator("main").inner_text()
        assert shots == 4
        assert tiles == seen_tiles(page)
        assert "Drawing needs JavaScript" in text
        assert "Draw with the mouse" not in text

    def draw(self, seen: Opened, strokes: Strokes) -> None:
        board = seen.page.locator("#canvas")
        board.scroll_into_view_if_needed()
        box = board.bounding_box()
        assert box
        for stroke in strokes:
            for number, (x, y) in enumerate(stroke):
                seen.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if not number:
                    seen.page.mouse.down()
            seen.page.mouse.up()

    def answers(self, seen: Opened) -> dict[str, tuple[str, list[float]]]:
        """Label and probabilities of each model, as the page shows them."""
        found = seen.page.evaluate(ANSWERS)
        return {
            model: (label, [float(value) for value in values]) for model, (label, values) in found.items()
        }

    def picture(self, seen: Opened, path: Path) -> Path:
        """What is on the board, as a PNG file."""
        url = seen.page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
        path.write_bytes(base64.b64decode(url.partition(",")[2]))
        return path

    def assert_as_predicted(self, seen: Opened, root: Path, path: Path) -> None:
        """The page's answers are those of LiteRT to the board's picture."""
        self.picture(seen, path)
        for model, (label, probabilities) in self.answers(seen).items():
            folder = root / "models" / model
            expected = predict(str(path), ModelInput.load(folder / "input.json"), folder / "model.tflite")
            assert label == expected.label
            assert_allclose(probabilities, list(expected.probabilities.values()), rtol=0, atol=1e-4)
            assert expected.framing in (seen.page.locator("#seen-text").text_content() or "")

    @pytest.mark.parametrize("size", [(8, 8), (28, 28), (5, 9)])
    def test_drawings_get_the_answers_of_predict(self, size: tuple[int, int], tmp_path: Path) -> None:
        folder = finished(tmp_path, size=size, pixel_maximum=255 if size == (28, 28) else 16)
        drawings = [
            SEVEN,
            CROSS,
            [[(0.5, 0.5)]],
            [[(0.02, 0.5), (0.98, 0.5)]],
            *map(random_strokes, range(12)),
        ]
        different = set()
        with opened(written(folder)) as seen:
            for number, strokes in enumerate(drawings):
                self.draw(seen, strokes)
                self.assert_as_predicted(seen, folder, tmp_path / f"{number}.png")
                different.add(tuple(self.answers(seen)["dnn"][1]))
                seen.page.locator("#clear").click()
                assert self.answers(seen)["dnn"][0] == "–"
        assert len(different) > 10
        assert seen.requests == []
        assert seen.complaints == []

    def test_a_blank_board_gets_no_answer(self, seen: Opened) -> None:
        assert seen.page.locator("#said").text_content() == "Nothing is drawn yet: no ink, no answer."
        assert [label for label, _ in self.answers(seen).values()] == ["–", "–"]
        assert not seen.page.locator("#seen").is_visible()
        assert not seen.page.locator("#evidence").is_visible()

    def test_drawing_with_the_keyboard_alone(self, seen: Opened, root: Path, tmp_path: Path) -> None:
        for _ in range(40):
            seen.page.keyboard.press("Tab")
            if seen.page.evaluate("document.activeElement.id") == "canvas":
                break
        press = seen.page.keyboard.press
        assert seen.page.locator("#pen").is_visible()
        for key in (
            *["ArrowUp"] * 6,
            " ",
            *["ArrowRight"] * 7,
            *["Shift+ArrowRight"] * 3,
            *["ArrowDown"] * 9,
            " ",
            "ArrowLeft",
        ):
            press(key)
        self.assert_as_predicted(seen, root, tmp_path / "keys.png")
        drawn = np.asarray(Image.open(tmp_path / "keys.png").convert("L"))
        assert (
            drawn[80, 140] == drawn[80, 215] == drawn[160, 216] == 0
        )  # 6 steps up, 76 pixels right, 90 down
        assert drawn[170, 180] == 255  # the pen was lifted
        press("Delete")
        assert self.answers(seen)["dnn"][0] == "–"

    def test_a_finger_on_a_phone(self, page: Path, root: Path, tmp_path: Path) -> None:
        with opened(
            page,
            viewport={"width": 360, "height": 740},
            has_touch=True,
            is_mobile=True,
            device_scale_factor=3,
        ) as seen:
            self.draw(seen, CROSS)
            self.assert_as_predicted(seen, root, tmp_path / "phone.png")
            seen.page.locator("#clear").tap()
            seen.page.locator("#canvas").tap()
            assert self.answers(seen)["linear"][0] != "–"
            dot = self.picture(seen, tmp_path / "dot.png").read_bytes()
            seen.page.evaluate(TWO_FINGERS)
            self.picture(seen, tmp_path / "one.png")
        assert dot != (tmp_path / "one.png").read_bytes()
        drawn = np.asarray(Image.open(tmp_path / "one.png").convert("L"))
        assert drawn[60, 40] == drawn[60, 80] == 0  # the first finger's stroke
        assert drawn[200, 200] == drawn[130, 120] == 255  # not the second's, nor a line between them

    def test_the_linear_model_says_why(self, seen: Opened, root: Path) -> None:
        """Over the pixels, the evidence adds up to the logit less the mean of all, but for the biases."""
        self.draw(seen, SEVEN)
        network = load_network(root / "models/linear/model.onnx")
        _, probabilities = self.answers(seen)["linear"]
        bias = np.frombuffer(base64.b64decode(network["tensors"]["logits/bias"]["numbers"]), "<f4").astype(
            np.float64
        )
        logs = np.log(probabilities)
        expected = (logs - logs.mean()) - (bias - bias.mean())
        for number in range(3):
            seen.page.locator("#evidence-class").select_option(str(number))
            text = seen.page.locator("#evidence-text").text_content() or ""
            way, amount = re.findall(r"speak (for|against) “\d” with ([\d.]+) nats", text)[0]
            assert (1 if way == "for" else -1) * float(amount) == pytest.approx(expected[number], abs=0.006)
        seen.page.locator("#clear").click()
        self.draw(seen, CROSS)  # after which the answer is explained again, not the class that was chosen
        assert seen.page.locator("#evidence-class").input_value() == str(
            np.argmax(self.answers(seen)["linear"][1])
        )

    def test_on_paper_everything_is_there(self, seen: Opened) -> None:
        seen.page.emulate_media(media="print")
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("details:not([open])").count() == 0
        shots = seen.page.locator("[data-step]").all()
        assert [shot.is_visible() for shot in shots] == [True] * 4
        tiles = seen.page.locator(".tile").all()
        assert all("(" in tile.inner_text() for tile in tiles)  # whose mistake it is
        assert not seen.page.locator(".draw").is_visible()
        wide = "() => [...document.querySelectorAll('.scroll')].map(box => box.scrollWidth - box.clientWidth)"
        assert max(seen.page.evaluate(wide)) <= 1

    def test_hostile_names_stay_text(self, tmp_path: Path) -> None:
        folder = finished(tmp_path, class_names=HOSTILE)
        with opened(written(folder)) as seen:
            self.draw(seen, SEVEN)
            label = seen.page.locator("[data-answer-of=dnn]").text_content()
            seen.page.locator("#filter select[name=actual]").select_option(HOSTILE[1])
        assert label in HOSTILE
        assert seen.complaints == []


def seen_tiles(page: Path) -> int:
    return sum(attributes.get("class") == "tile" for _, attributes in Parsed(page).elements)
