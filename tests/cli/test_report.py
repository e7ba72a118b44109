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
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from digits.cli.predict import predict
from digits.cli.report import page as report
from digits.cli.report.history import changed_keys, experiments
from digits.cli.report.network import load_network
from digits.cli.report.page import main
from digits.cli.report.pictures import PUOR, Sheet, ink_sheet, weight_sheet
from digits.core.errors import InputError
from digits.core.model_input import ModelInput
from digits.evaluate.scores import load_scores
from tests.browser import Opened, needs_browser, opened
from tests.finished import commit, finished, git

MODELS, SPLITS = ("linear", "dnn"), ("validation", "test")
HOSTILE = ("<b>bold</b>", '"></script><script>alert(1)</script>', "{{ 7 * 7 }} & 'c'")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in a git repository with two experiments, and one in another layout before them."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "metrics/dnn").mkdir(parents=True)
    (folder / "metrics/dnn/test.json").write_text('{"accuracy": 0.5}')
    commit(folder, "experiment: long ago")
    shutil.rmtree(folder / "metrics")
    finished(folder)
    commit(folder, "experiment: the first\n\nOf two.")
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["train"]["dnn"]["learning_rate"] = 0.25
    metrics = json.loads((folder / "metrics/dnn.json").read_text())
    metrics["test"]["accuracy"] = 0.125
    with (
        changed(folder / "metrics/dnn.json", json.dumps(metrics).encode()),
        changed(folder / "params.yaml", yaml.safe_dump(settings, sort_keys=False).encode()),
    ):
        commit(folder, "experiment: dnn slower")
    commit(folder, "Not an experiment\n\nexperiment: this line is of the body")
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Path:
    return written(root, root / "report")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data and commit have names that would do something in HTML."""
    folder = tmp_path_factory.mktemp("hostile")
    finished(folder, class_names=HOSTILE, entry={"title": "<i>Title</i>"})
    commit(folder, "experiment: <u>under</u>")
    return folder


@contextmanager
def changed(path: Path, content: bytes | None) -> Iterator[None]:
    """Another content of a file, or none, while the block runs."""
    before = path.read_bytes()
    try:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        yield
    finally:
        path.write_bytes(before)


def written(root: Path, folder: Path) -> Path:
    assert main(output=folder / "index.html", open_page=False, root=root) == 0
    return folder / "index.html"


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

    def values(self, *names: str) -> list[str]:
        """What attributes of these names say, in order."""
        return [
            str(attributes[name]) for _, attributes in self.elements for name in names if name in attributes
        ]


class TestThePage:
    def test_it_holds_all_that_it_needs(self, page: Path) -> None:
        parsed = Parsed(page)
        addresses = parsed.values("src", "href")
        assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
        assert not {"link", "iframe", "object"} & {tag for tag, _ in parsed.elements}
        assert page.stat().st_size < report.MOST

    def test_every_link_has_a_place_and_every_picture_words(self, page: Path) -> None:
        parsed = Parsed(page)
        places = set(parsed.values("id"))
        assert {link[1:] for link in parsed.values("href")} == set(report.SECTIONS)
        assert {*report.SECTIONS, *parsed.values("aria-labelledby", "for", "aria-describedby")} <= places
        assert all(attributes.get("alt") for tag, attributes in parsed.elements if tag == "img")
        assert all(
            attributes.get("aria-label")
            for _, attributes in parsed.elements
            if attributes.get("role") in ("img", "region", "application")
        )

    def test_the_same_commit_and_workspace_give_the_same_bytes(
        self, root: Path, page: Path, tmp_path: Path
    ) -> None:
        assert written(root, tmp_path).read_bytes() == page.read_bytes()

    def test_the_metrics_are_those_of_the_files(self, root: Path, page: Path) -> None:
        text = Parsed(page).text
        for model, split in itertools.product(MODELS, SPLITS):
            scores = load_scores(root / f"predictions/{model}/scores.json")[split]
            low, high = scores.accuracy_interval
            assert f"{scores.metrics['accuracy']:.4f} {low:.4f}–{high:.4f}" in text
            assert f"{scores.metrics['brier_score']:.4f}" in text
            for row in scores.classes:
                assert f"{row.name} {row.precision:.4f} {row.recall:.4f} {row.f1:.4f} {row.examples}" in text

    def test_the_figures_are_the_pipelines(self, root: Path, page: Path) -> None:
        shown = {
            base64.b64decode(str(attributes["src"]).partition(",")[2]): str(attributes["alt"])
            for tag, attributes in Parsed(page).elements
            if tag == "img" and "data-units" not in attributes  # those are the page's own
        }
        names = ("training_curves", "confusion_validation", "confusion_test", "calibration")
        for model, name in itertools.product(MODELS, names):
            assert shown.pop((root / f"plots/{model}/{name}.png").read_bytes()).startswith(f"{model}: ")
        assert not shown

    def test_what_was_run_is_named(self, root: Path, page: Path, tmp_path: Path) -> None:
        parsed = Parsed(page)
        assert "“Not an experiment”." in parsed.text
        assert "dvc.lock records:" not in parsed.text
        assert "1 older ones have their metrics in another layout" in parsed.text
        with changed(root / "metrics/linear.json", b"{}"):
            text = Parsed(written(root, tmp_path)).text
        assert "“Not an experiment”, with changes that are not committed." in text
        assert "Not all of this is what dvc.lock records: metrics/linear.json." in text

    def test_names_are_escaped_everywhere(self, hostile: Path, tmp_path: Path) -> None:
        parsed = Parsed(written(hostile, tmp_path))
        tags = [tag for tag, _ in parsed.elements]
        assert tags.count("script") == 3
        assert not {"i", "u"} & set(tags)
        assert {attributes.get("class") for tag, attributes in parsed.elements if tag == "b"} == {None}
        for words in (*HOSTILE, "<i>Title</i>", "<u>under</u>"):
            assert words in parsed.text

    def test_without_git_or_much_to_say(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And through a link, which stays one; the page is opened if asked for."""
        asked: list[str] = []
        monkeypatch.setattr(webbrowser, "open", asked.append)
        folder = finished(tmp_path, entry={"title": "Mine"}, linear={})
        (folder / "there").mkdir()
        (folder / "page.html").symlink_to("there/index.html")
        assert main(output=folder / "page.html", open_page=True, root=folder) == 0
        assert asked == [(folder / "there/index.html").as_uri()]
        assert (folder / "page.html").is_symlink()
        text = Parsed(folder / "there/index.html").text
        for words in ("tiny , Mine, licence not stated.", "in no git repository", "git holds none yet"):
            assert words in text

    def test_a_network_too_large_to_send_is_left_out_and_named(
        self, root: Path, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answering() -> dict[str, bool]:
            document = written(root, tmp_path).read_text(encoding="utf-8")
            found = json.loads(re.findall(r'id="networks">(.*?)</script>', document)[0])
            return {model["name"]: model["network"] is not None for model in found["models"]}

        assert answering() == {"linear": True, "dnn": True}
        monkeypatch.setattr(report, "MOST", page.stat().st_size - 1)
        assert answering() == {"linear": True, "dnn": False}
        assert "dnn does not answer here: its" in Parsed(tmp_path / "index.html").text
        monkeypatch.setattr(report, "MOST", 1)
        assert answering() == {"linear": False, "dnn": False}

    def test_a_model_that_is_no_longer_wired_is_left_out(self, root: Path, tmp_path: Path) -> None:
        with changed(root / "dvc.yaml", b"vars: [{models: [dnn]}]"):
            assert "<title>dnn: Tiny</title>" in written(root, tmp_path).read_text(encoding="utf-8")

    def test_many_snapshots_are_thinned_out(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(report, "MOST_WEIGHTS", 1)
        assert Parsed(written(root, tmp_path)).values("data-step") == ["60", "60"]  # the last of each model

    @pytest.mark.parametrize(
        ("file", "content", "message"),
        [
            ("dvc.lock", None, "dvc.lock: found no such file, expected .*; make run"),
            ("dvc.yaml", None, "dvc.yaml: found no such file"),
            ("data/splits/validation.npz", None, "validation.npz: found no such file, expected .*; make run"),
            ("models/dnn/model.onnx", None, "model.onnx: found no such file, expected .*; make run"),
            ("predictions/dnn/scores.json", None, "scores.json: found no such file, expected .*; make run"),
            ("tables/dnn/units.csv", None, "units.csv: found no such file, expected .*; make run"),
            ("dvc.lock", b"stages: {}", "dvc.lock: found no trained model, expected some; make run"),
            ("dvc.lock", b"stages: [1]", "dvc.lock: found .*, expected stages"),
            ("models/dnn/model.onnx", b"\xff\xff", "model.onnx: found a damaged file"),
            ("models/dnn/model.onnx", b"", "model.onnx: found an empty file"),
            ("models/dnn/input.json", b"{}", "input.json: found a damaged file"),
            ("models/dnn/snapshots.npz", b"PK", "snapshots.npz: found a damaged file"),
            ("models/dnn/snapshots.npz", b"", "snapshots.npz: found a damaged file"),
            ("models/dnn/variables.csv", b"name,shape,numbers\na,1,x\n", "variables.csv: found a damaged"),
            ("tables/dnn/units.csv", b"step\n", "units.csv: found a damaged table"),
            ("metrics/data.json", b"[]", "data.json: found no mapping"),
            ("metrics/data.json", b'{"train": {"rows": 60}}', "data.json: found .*; dvc repro split"),
            ("predictions/dnn/scores.json", b"[]", "scores.json: found a damaged file"),
            (
                "predictions/dnn/validation.csv",
                b"actual,predicted,probability_of_actual,probability_of_predicted\n0,1,0.1,0.5\n",
                "validation.csv: found 1 answers, expected one to each of 40 images",
            ),
            ("predictions/dnn/test.csv", b"a,b\n", "test.csv: found a damaged table"),
        ],
    )
    def test_files_that_lack_or_are_damaged_are_named_in_one_line(
        self, file: str, content: bytes | None, message: str, root: Path, page: Path
    ) -> None:
        before = page.read_bytes()
        with changed(root / file, content), pytest.raises(InputError, match=message) as raised:
            written(root, page.parent)
        assert "\n" not in str(raised.value)
        assert page.read_bytes() == before

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
        second, first, old = experiments(root)
        assert [found.title for found in (old, first, second)] == ["long ago", "the first", "dnn slower"]
        assert old.metrics == {}
        assert first.metrics.keys() == {
            (model, split, name)
            for model in MODELS
            for split in SPLITS
            for name in ("accuracy", "log_loss", "macro_f1")
        }
        assert second.metrics["dnn", "test", "accuracy"] == 0.125
        assert changed_keys([second, first]) == ["train.dnn.learning_rate"]

    def test_what_cannot_be_read_is_left_out(self, tmp_path: Path) -> None:
        contents = {"a": "{", "b": "[1]", "c": '{"test": [1], "validation": {"accuracy": "high"}}'}
        (tmp_path / "metrics").mkdir()
        (tmp_path / "params.yaml").write_text("train: {a: {x: 1}, b: {x: 1}, c: {x: 1}, gone: {x: 1}}")
        for model, content in contents.items():
            (tmp_path / f"metrics/{model}.json").write_text(content)
        commit(tmp_path, "experiment: damaged metrics")
        (tmp_path / "params.yaml").write_text("train: [")
        commit(tmp_path, "experiment: damaged params")
        (tmp_path / "params.yaml").write_text("train: 2020-13-45")
        commit(tmp_path, "experiment: a\u2028date")
        (tmp_path / "params.yaml").unlink()
        commit(tmp_path, "experiment: none at all")
        found = experiments(tmp_path)
        assert [each.metrics for each in found] == [{}, {}, {}, {}]
        assert [len(each.params) for each in found] == [0, 0, 0, 4]
        assert found[1].title == "a\u2028date"

    def test_a_project_in_a_folder_of_its_repository(self, tmp_path: Path) -> None:
        folder = tmp_path / "inside"
        (folder / "metrics").mkdir(parents=True)
        (folder / "params.yaml").write_text("train: {m: {steps: 1}}")
        figures = '{"test": {"accuracy": 0.5, "large": 1' + "0" * 400 + "}}"
        (folder / "metrics/m.json").write_text(figures)
        commit(tmp_path, "experiment: nested")
        git(tmp_path, "config", "grep.patternType", "fixed")
        (found,) = experiments(folder)
        assert found.metrics == {("m", "test", "accuracy"): 0.5}

    def test_without_git_there_are_none(self, tmp_path: Path) -> None:
        assert experiments(tmp_path) == []


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
    model = onnx.load(root / "models/linear/model.onnx")
    model.graph.node[-1].op_type = "Conv"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(
        InputError, match=r"model\.onnx: found the operation Conv, expected one of Add, Flatten"
    ):
        load_network(tmp_path / "model.onnx")


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

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
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

    def test_everything_is_there_without_javascript(self, page: Path) -> None:
        with opened(page, java_script_enabled=False) as seen:
            shots = seen.page.locator("[data-step]:visible").count()
            tiles = seen.page.locator(".tile:visible").count()
            text = seen.page.locator("main").inner_text()
        assert shots == 4
        assert tiles == Parsed(page).values("class").count("tile")
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
            *map(random_strokes, range(6)),
        ]
        different = set()
        with opened(written(folder, tmp_path)) as seen:
            for number, strokes in enumerate(drawings):
                self.draw(seen, strokes)
                self.assert_as_predicted(seen, folder, tmp_path / f"{number}.png")
                different.add(tuple(self.answers(seen)["dnn"][1]))
                seen.page.locator("#clear").click()
                assert self.answers(seen)["dnn"][0] == "–"
        assert len(different) > 7
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

    def test_hostile_names_stay_text(self, hostile: Path, tmp_path: Path) -> None:
        with opened(written(hostile, tmp_path)) as seen:
            self.draw(seen, SEVEN)
            label = seen.page.locator("[data-answer-of=dnn]").text_content()
            seen.page.locator("#filter select[name=actual]").select_option(HOSTILE[1])
        assert label in HOSTILE
        assert seen.complaints == []
