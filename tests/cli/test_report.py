"""The page of ``digits report``: its content, and what it does in a browser without a network."""

import base64
import csv
import html
import io
import itertools
import os
import re
import shutil
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.testing import assert_allclose
from PIL import Image

from digits.cli.predict import predict
from digits.cli.report import page as report
from digits.cli.report.network import OPERATIONS, load_network
from digits.cli.report.rendering import digit_url, picture
from digits.cli.report.results import read_results
from digits.core.errors import InputError
from digits.core.model_input import ModelInput
from digits.evaluate.scores import load_scores
from tests.browser import Opened, needs_browser, visit
from tests.conftest import REPOSITORY
from tests.finished import commit, finished, git

MODELS, SPLITS = ("linear", "dnn"), ("validation", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in a git repository with twenty experiments, and one without metrics before them."""
    folder = tmp_path_factory.mktemp("finished")
    commit(folder, "experiment: long ago")
    finished(folder)
    commit(folder, "experiment: the first\n\nOf twenty.")
    params = folder / "params.yaml"
    text = params.read_text()
    for number in range(18):
        params.write_text(text.replace("dropout: 0.2", f"dropout: 0.3{number:02}"))
        commit(folder, f"experiment: dropout at attempt number {number}")
    params.write_text(text.replace("dropout: 0.2", "dropout: 0.5"))
    (folder / "metrics/dnn.json").write_text('{"test": {"accuracy": 0.125}}')
    commit(folder, "experiment: more dropout")
    git(folder, "checkout", "HEAD~19", "--", ".")
    commit(folder, "Not an experiment\n\nexperiment: this line is of the body")
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Path:
    return write_report(root, root / "report")


def write_report(root: Path, folder: Path) -> Path:
    assert report.main(output=folder / "index.html", open_page=False, root=root) == 0
    return folder / "index.html"


def text_of(page: Path) -> str:
    """The text of a page outside scripts and styles."""
    content = page.read_text(encoding="utf-8")
    content = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", content, flags=re.DOTALL)
    return " ".join(html.unescape(content).split())


def values_of(page: Path, *names: str) -> list[str]:
    """The values of all attributes of these names, in order."""
    return re.findall(rf'\s(?:{"|".join(names)})="([^"]*)"', page.read_text(encoding="utf-8"))


class TestContent:
    def test_the_page_holds_all_that_it_needs(self, page: Path) -> None:
        links, places = values_of(page, "href"), set(values_of(page, "id"))
        assert all(address.startswith("data:image/webp;base64,") for address in values_of(page, "src"))
        assert len(links) == 9  # without the pictures of the data, which are not there
        assert {link[1:] for link in links} <= places
        assert set(values_of(page, "aria-labelledby", "for", "aria-describedby")) <= places
        assert len(values_of(page, "alt")) == len(values_of(page, "src"))

    def test_the_same_run_gives_the_same_bytes(self, root: Path, page: Path, tmp_path: Path) -> None:
        assert write_report(root, tmp_path).read_bytes() == page.read_bytes()

    def test_the_metrics_are_those_of_the_files(self, root: Path, page: Path) -> None:
        text = text_of(page)
        for model, split in itertools.product(MODELS, SPLITS):
            scores = load_scores(root / f"predictions/{model}/scores.json")[split]
            low, high = scores.accuracy_interval
            assert f"{scores.metrics['accuracy']:.4f} {low:.4f}–{high:.4f}" in text
            for row in scores.classes:
                assert f"{row.name} {row.precision:.4f} {row.recall:.4f} {row.f1:.4f} {row.examples}" in text

    def test_the_figures_are_the_pipelines(self, root: Path, page: Path) -> None:
        shown = set(values_of(page, "src"))
        for model in MODELS:
            plots = root / "plots" / model
            for name in ("training_curves", "confusion_validation", "confusion_test", "calibration"):
                assert picture(plots / f"{name}.png").url in shown
            assert {picture(plots / f"weights_{step}.png").url for step in (2, 60)} <= shown

    def test_commit_and_uncommitted_changes_are_shown(self, root: Path, page: Path, tmp_path: Path) -> None:
        text = text_of(page)
        assert ": Not an experiment." in text
        assert "Careful:" not in text
        assert "1 more are left out" in text
        assert "The difference may be chance (McNemar's test" in text
        (root / "metrics/linear.json").write_text("{}")
        text = text_of(write_report(root, tmp_path))
        git(root, "checkout", "--", ".")
        assert ": Not an experiment (and changes that are not committed)." in text

    def test_the_page_warns_about_results_of_several_runs(self, root: Path, tmp_path: Path) -> None:
        results = replace(read_results(root), outdated="not all of one run: a < b changed")
        path = tmp_path / "index.html"
        path.write_text(report.page(results, root), encoding="utf-8")
        assert "Careful: not all of one run: a < b changed." in text_of(path)

    def test_a_repository_of_another_user_gives_a_warning(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        assert report.main(output=tmp_path / "page.html", open_page=False, root=root) == 0
        warning = capsys.readouterr().err
        assert warning.startswith("warning: the page has no experiments; ")
        assert "git config --global --add safe.directory " in warning

    def test_without_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        monkeypatch.setattr(webbrowser, "open", asked.append)
        folder = finished(tmp_path, entry={"title": "Mine"}, linear={})
        assert report.main(output=folder / "page.html", open_page=True, root=folder) == 0
        assert asked == [(folder / "page.html").as_uri()]
        text = text_of(folder / "page.html")
        for words in (
            "tiny , Mine, licence not stated.",
            "in no git repository",
            "No experiments in git yet",
        ):
            assert words in text

    def test_too_large_networks(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(report, "MOST_WEIGHTS", 500)  # linear: 195, dnn: 1,203
        page = write_report(root, tmp_path)
        assert '"name": "linear"' in page.read_text(encoding="utf-8")
        assert '"name": "dnn"' not in page.read_text(encoding="utf-8")
        assert "dnn does not answer here: its 1,203 weights" in text_of(page)

    def test_networks_that_the_board_cannot_compute(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(report, "OPERATIONS", OPERATIONS - {"Relu"})
        page = write_report(root, tmp_path)
        assert '"name": "linear"' in page.read_text(encoding="utf-8")
        assert '"name": "dnn"' not in page.read_text(encoding="utf-8")
        assert "dnn does not answer here: the board can't compute Relu." in text_of(page)

    def test_the_script_computes_the_operations_that_the_check_lets_through(self) -> None:
        script = (REPOSITORY / "digits/cli/report/templates/draw.js").read_text(encoding="utf-8")
        (body,) = re.findall(r"const OPERATIONS = \{\n(.*?)\n  \};", script, re.DOTALL)
        assert set(re.findall(r"^    (\w+): ", body, re.MULTILINE)) == OPERATIONS

    def test_only_trained_models_of_dvc_yaml_are_shown(self, root: Path, tmp_path: Path) -> None:
        (root / "dvc.yaml").write_text("vars: [{models: [dnn, untrained]}]")
        content = write_report(root, tmp_path).read_text(encoding="utf-8")
        git(root, "checkout", "--", ".")
        assert "<title>dnn: Tiny</title>" in content

    def test_before_the_pipeline_has_run(self, root: Path, tmp_path: Path) -> None:
        for name in ("dvc.lock", "dvc.yaml"):
            shutil.copy(root / name, tmp_path)
        with pytest.raises(InputError, match=r"validation\.npz: no such file; .* Run `dvc repro split`"):
            write_report(tmp_path, tmp_path)


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def test_ink_is_dark() -> None:
    url = digit_url(np.array([[0, 16], [8, 4]], np.uint8), 16)
    assert pixels(base64.b64decode(url.partition(",")[2]))[..., 0].tolist() == [[255, 0], [128, 191]]


def test_pictures_keep_their_pixels_in_fewer_bytes(root: Path) -> None:
    path = root / "plots/dnn/weights_60.png"
    shown = picture(path)
    smaller = base64.b64decode(shown.url.partition(",")[2])
    assert np.array_equal(pixels(smaller), pixels(path.read_bytes()))
    assert len(smaller) < path.stat().st_size / 2
    assert (2 * shown.height, 2 * shown.width) == pytest.approx(pixels(smaller).shape[:2], abs=1)


#: Points on the board that a pointer is drawn through.
Strokes = list[list[tuple[int, int]]]
CROSS: Strokes = [[(56, 84), (224, 252)], [(210, 70), (84, 224)]]
SEVEN: Strokes = [[(84, 56), (196, 56), (126, 224)]]
LINE: Strokes = [[(6, 140), (274, 154)]]

#: Words of headings and tables that are broken over two lines.
BROKEN_WORDS = """() => [...document.querySelectorAll("h1, h2, h3, th, td")].flatMap(cell => {
    cell.innerHTML = cell.textContent.replace(/[^\\s–-]+/g, "<span>$&</span>");
    return [...cell.querySelectorAll("span")].filter(word => word.getClientRects().length > 1);
}).map(word => word.textContent)"""

#: Pairs of texts, pictures and controls of which one lies over the other.
OVERLAPS = """() => {
    const inside = (box, outer) => outer ? {
        left: Math.max(box.left, outer.left), right: Math.min(box.right, outer.right),
        top: Math.max(box.top, outer.top), bottom: Math.min(box.bottom, outer.bottom)} : box;
    const boxOf = element => element?.getBoundingClientRect();
    const kinds = "h1, h2, h3, p, li, dt, dd, td, th, img, canvas, button, select, input, summary";
    const shown = [...document.querySelectorAll(kinds)].filter(element => element.checkVisibility())
        .map(element => ({element, box: inside(boxOf(element), boxOf(element.closest(".scroll, .wide")))}));
    const share = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
    return shown.flatMap((a, i) => shown.slice(i + 1)
        .filter(b => share(a.box, b.box) && !a.element.contains(b.element) && !b.element.contains(a.element))
        .map(b => `${a.element.outerHTML.slice(0, 60)} and ${b.element.outerHTML.slice(0, 60)}`));
}"""

#: The controls of the page; then the element that has the focus, with the width of its outline.
CONTROLS = """() => [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex]")]
    .filter(control => control.checkVisibility()).length"""
FOCUSED = """() => {
    const focused = document.activeElement;
    focused.dataset.reached ??= document.querySelectorAll("[data-reached]").length;
    return [focused.tagName, focused.dataset.reached, parseFloat(getComputedStyle(focused).outlineWidth)];
}"""


def draw(seen: Opened, strokes: Strokes) -> None:
    for first, *others in strokes:
        seen.page.hover("#canvas", position={"x": first[0], "y": first[1]})
        seen.page.mouse.down()
        for x, y in others:
            seen.page.hover("#canvas", position={"x": x, "y": y})
        seen.page.mouse.up()


def answer(seen: Opened, model: str) -> tuple[str | None, list[float]]:
    """Label and probabilities of a model, as the page shows them."""
    label = seen.page.locator(f"[data-answer-of={model}]").text_content()
    cells = seen.page.locator(f"[data-probability-of={model}]").all_text_contents()
    return label, [float(cell.replace("–", "nan")) for cell in cells]


def save_board(seen: Opened, path: Path) -> np.ndarray[Any, Any]:
    """Save the board as a PNG file, and return its grey values."""
    url = seen.page.evaluate("document.getElementById('canvas').toDataURL('image/png')")
    path.write_bytes(base64.b64decode(url.partition(",")[2]))
    return pixels(path.read_bytes())[..., 0]


class TestInABrowser:
    pytestmark = needs_browser

    @pytest.fixture
    def seen(self, page: Path) -> Iterator[Opened]:
        """The page; nothing that a test does to it may ask for anything outside, or fail."""
        with visit(page) as seen:
            yield seen
        assert seen.requests == []
        assert seen.complaints == []

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 400, 768, 1300, 1920])
    def test_the_page_breaks_no_rule_of_axe(
        self, width: int, theme: Literal["light", "dark"], seen: Opened
    ) -> None:
        seen.page.set_viewport_size({"width": width, "height": 700})
        seen.page.emulate_media(color_scheme=theme)
        draw(seen, SEVEN)
        found = Axe().run(seen.page)
        assert found.violations_count == 0, found.generate_report()

    @pytest.mark.parametrize("width", [360, 400, 768, 1300, 1920])
    def test_the_page_fits_and_breaks_no_word(self, width: int, seen: Opened) -> None:
        seen.page.set_viewport_size({"width": width, "height": 700})
        draw(seen, SEVEN)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.page.evaluate(OVERLAPS) == []
        assert seen.page.evaluate(BROKEN_WORDS) == []

    def test_the_tab_key_reaches_every_control(self, seen: Opened) -> None:
        controls, reached = seen.page.evaluate(CONTROLS), set()
        for _ in range(controls):
            seen.page.keyboard.press("Tab")
            tag, number, outline = seen.page.evaluate(FOCUSED)
            assert outline >= 1, tag
            reached.add(number)
        assert len(reached) == controls > 60

    def test_the_slider_goes_through_the_steps(self, seen: Opened) -> None:
        slider = seen.page.locator("input[type=range]").last
        shots = seen.page.locator("[data-step]").all()[-2:]
        assert [shot.is_visible() for shot in shots] == [False, True]
        slider.press("ArrowLeft")
        assert [shot.is_visible() for shot in shots] == [True, False]
        assert slider.get_attribute("aria-valuetext") == "after 2 steps"

    def test_mistakes_are_filtered(self, seen: Opened, root: Path) -> None:
        with (root / "predictions/linear/validation.csv").open(newline="") as file:
            wrong = [row for row in csv.DictReader(file) if row["actual"] != row["predicted"]]
        tiles = seen.page.locator(".tile:visible")
        seen.page.locator("#filter select[name=model]").select_option("linear")
        assert tiles.count() == len(wrong) > 1
        for key in ("actual", "predicted"):
            seen.page.locator(f"#filter select[name={key}]").select_option(wrong[0][key])
            wrong = [row for row in wrong if row[key] == wrong[0][key]]
            assert tiles.count() == len(wrong)
        assert f"{len(wrong)} of " in (seen.page.locator("#filtered").text_content() or "")

    def test_experiments_are_sorted(self, seen: Opened) -> None:
        head = seen.page.locator(".sortable thead th", has_text="dnn test accuracy")
        titles = seen.page.locator(".sortable tbody th")
        orders = {"ascending": "more dropout", "descending": "the first", "none": "the first"}
        for order, first in orders.items():
            head.locator("button").click()
            assert (head.get_attribute("aria-sort"), titles.first.inner_text().splitlines()[0]) == (
                order,
                first,
            )

    def test_the_page_can_be_read_without_javascript(self, page: Path) -> None:
        with visit(page, java_script_enabled=False) as seen:
            assert seen.page.locator("[data-step]:visible").count() == 4
            assert seen.page.get_by_text("Drawing needs JavaScript").is_visible()

    def test_on_paper_everything_is_there(self, seen: Opened) -> None:
        seen.page.emulate_media(media="print")
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("details:not([open])").count() == 0
        assert seen.page.locator("[data-step]:visible").count() == 4
        assert seen.page.locator(".tile:visible").count() == seen.page.locator(".tile").count()

    @pytest.mark.parametrize(
        ("size", "maximum"),
        [
            ((28, 28), 255),
            pytest.param((8, 8), 16, marks=pytest.mark.slow),
            pytest.param((5, 9), 16, marks=pytest.mark.slow),
        ],
    )
    def test_the_board_answers_as_predict(self, size: tuple[int, int], maximum: int, tmp_path: Path) -> None:
        folder = finished(tmp_path, size=size, pixel_maximum=maximum)
        model_input, different = ModelInput.load(folder / "models/dnn/input.json"), set()
        with visit(write_report(folder, tmp_path)) as seen:
            for number, strokes in enumerate((CROSS, SEVEN, LINE)):
                draw(seen, strokes)
                save_board(seen, path := tmp_path / f"{number}.png")
                for model in MODELS:
                    network, (label, shown) = folder / f"models/{model}/model.tflite", answer(seen, model)
                    expected = predict(str(path), model_input, network)
                    assert label == expected.label
                    probabilities = list(expected.probabilities.values())
                    assert_allclose(shown, probabilities, rtol=0, atol=6e-4)
                framing = expected.framing.removeprefix("dark on light; ")
                assert framing in seen.page.locator("#seen-text").inner_text()
                different.add(tuple(shown))
                seen.page.locator("#clear").click()
                assert answer(seen, "linear")[0] == answer(seen, "dnn")[0] == "–"
                assert seen.page.locator("figure:visible canvas").count() == 0
        assert len(different) == 3

    def test_drawing_with_the_keyboard(self, seen: Opened, tmp_path: Path) -> None:
        press = seen.page.locator("#canvas").press
        for key in (" ", *["ArrowRight"] * 7, *["Shift+ArrowRight"] * 3, " ", "ArrowDown"):
            press(key)
        assert seen.page.locator("#pen").is_visible()
        assert answer(seen, "dnn")[0] != "–"
        board = save_board(seen, tmp_path / "keys.png")
        assert board[140, 140] == board[140, 216] == 0  # 7 steps of 10 pixels and 3 of 2
        assert board[140, 250] == board[180, 216] == 255  # not further, nor down: the pen was lifted
        press("Delete")
        assert answer(seen, "dnn")[0] == "–"

    def test_of_two_fingers_the_first_draws(self, page: Path, tmp_path: Path) -> None:
        with visit(page, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as seen:
            seen.page.locator("#canvas").scroll_into_view_if_needed()
            box = seen.page.locator("#canvas").bounding_box()
            assert box
            left, top = box["x"], box["y"]
            device = seen.page.context.new_cdp_session(seen.page)

            def touch(kind: str, *places: tuple[float, float]) -> None:
                points = [{"id": finger, "x": x, "y": y} for finger, (x, y) in enumerate(places)]
                device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

            touch("touchStart", (left + 40, top + 60), (left + 200, top + 200))
            touch("touchMove", (left + 120, top + 60), (left + 210, top + 240))
            touch("touchEnd")
            picture = save_board(seen, tmp_path / "phone.png")
            assert answer(seen, "dnn")[0] != "–"
        assert picture[60, 40] == picture[60, 80] == picture[60, 120] == 0
        assert picture[100:].min() == 255

    def test_the_linear_model_explains_its_answer(self, seen: Opened, root: Path) -> None:
        """Summed over pixels, a class's evidence is its logit minus the mean logit, both without biases."""
        draw(seen, CROSS)
        folder, path = root / "models/linear", root / "report/board.png"
        save_board(seen, path)
        model_input = ModelInput.load(folder / "input.json")
        numbers = load_network(folder / "model.onnx")["tensors"]["logits/bias"]
        bias = np.frombuffer(base64.b64decode(numbers), "<f4").astype(np.float64)
        logs = np.log([*predict(str(path), model_input, folder / "model.tflite").probabilities.values()])
        expected = (logs - logs.mean()) - (bias - bias.mean())
        for number, name in enumerate(model_input.class_names):
            seen.page.locator("#evidence-class").select_option(name)
            text = seen.page.locator("#evidence-text").text_content() or ""
            (way, amount) = re.findall(rf"(raise|lower) the logit of “{name}” by ([\d.]+),", text)[0]
            assert (1 if way == "raise" else -1) * float(amount) == pytest.approx(expected[number], abs=0.006)
