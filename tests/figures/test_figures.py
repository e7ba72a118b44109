from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from digits.core.examples import Examples
from digits.core.history import History, Period, Score
from digits.evaluate.calibration import bins
from digits.explore.summaries import class_statistics, ink_frequency, sample_per_class
from digits.figures import data, model, style
from digits.figures.model import VERDICTS
from tests.tiles import tiles

DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Sneaker", "Bag", "Ankle boot")
LONG = tuple(f"{kind} of thirty letters, no. {number:02}" for kind in ("Word", "word") for number in range(5))
VERDICTS_OF_UNITS = ["", "dead", "noise", "alike"] * 3


def all_figures(size: int = 8, names: tuple[str, ...] = DIGITS) -> dict[str, Callable[[], Figure]]:
    """Each kind of figure, also with few pictures, on random data of ``size`` × ``size`` pixels."""
    classes, maximum = len(names), 16 if size == 8 else 255
    random = np.random.default_rng(0)
    images = random.integers(0, maximum, (60, size, size), np.uint8, endpoint=True)
    examples = Examples(images, (np.arange(60) % classes).astype(np.uint8), maximum, names)
    weights = random.normal(size=(size, size, 12)).astype(np.float32)
    history = History([Period(n, 100 * n, Score(0.9, 3.0, 0.1 * n), Score(0.8, 2.0, 0.5)) for n in range(10)])
    confusion = random.integers(0, 100, (classes, classes))
    calibration = dict.fromkeys(("validation", "test"), bins(random.random(50), random.random(50) < 0.5))
    longest, next_longest = sorted(names, key=len)[-1:-3:-1]
    counts = {split: dict.fromkeys(names, 60_000) for split in ("train", "validation")}
    frequency, last = ink_frequency(examples), size - 1
    title = f"Values of pixel {size * size} (row {last}, column {last}) in 60000 training images"

    def mistakes(n: int) -> Figure:
        captions = [f"{longest}, taken for {next_longest}\nwith {100 - row}%" for row in range(n)]
        return model.mistakes(images[:n], captions, maximum, title)

    def sheet(n: int) -> Figure:
        return data.contact_sheet(examples, sample_per_class(examples, n, 0), title)

    return {
        "training_curves": lambda: model.training_curves(history, "linear"),
        "confusion": lambda: model.confusion(confusion, names, title),
        "calibration": lambda: model.calibration(calibration, title),
        "weight_pictures": lambda: model.weight_pictures(weights[..., :classes], names, title),
        "one unit": lambda: model.unit_pictures(weights[..., :1], VERDICTS_OF_UNITS[:1], title),
        "units": lambda: model.unit_pictures(weights, VERDICTS_OF_UNITS, title),
        "many units": lambda: model.unit_pictures(np.tile(weights, 22), 22 * VERDICTS_OF_UNITS, title),
        "no mistake": lambda: mistakes(0),
        "one mistake": lambda: mistakes(1),
        "mistakes": lambda: mistakes(10),
        "example": lambda: data.example(images[0], maximum, f"Training example 59999: labelled {longest}"),
        "contact_sheet": lambda: sheet(4),
        "narrow contact_sheet": lambda: sheet(1),
        "class_counts": lambda: data.class_counts(counts, "Examples of each class"),
        "pixel_frequency": lambda: data.pixel_frequency(frequency, (last, last), "How often a pixel has ink"),
        "pixel_values": lambda: data.pixel_values(images[:, -1, -1], maximum, title),
        "class_images": lambda: data.class_images(*class_statistics(examples), names, title),
    }


KINDS = list(all_figures())
WITH_PICTURES = ["weight_pictures", "units", "mistakes", "contact_sheet", "class_images"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[Text, Bbox]:
    """Every text that is drawn, with the pixels that it takes."""
    extents: dict[Text, Bbox] = {}
    draw = Text.draw

    def record(self: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            extents[self] = self.get_window_extent(renderer)
        draw(self, renderer, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", record)
    return extents


def png(figure: Figure, folder: Path) -> bytes:
    style.save(figure, folder / "figure.png")
    return (folder / "figure.png").read_bytes()


def captions(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def bar_heights(figure: Figure) -> list[float]:
    return [bar.get_height() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]


def overlap(box: Bbox, other: Bbox) -> bool:
    shared = Bbox.intersection(box, other)
    return shared is not None and min(shared.width, shared.height) > 1


@pytest.mark.parametrize(
    ("kind", "size", "names"),
    [
        *((kind, 8, DIGITS) for kind in KINDS),
        *((kind, 28, FASHION) for kind in KINDS),
        *((kind, 28, LONG) for kind in WITH_PICTURES),
    ],
)
def test_no_text_is_cut_off_or_lies_on_another_or_on_a_picture(
    kind: str, size: int, names: tuple[str, ...], drawn: dict[Text, Bbox], tmp_path: Path
) -> None:
    figure = all_figures(size, names)[kind]()
    png(figure, tmp_path)
    assert drawn
    for text, box in drawn.items():
        assert min(box.x0, box.y0) >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    straight = [(text, box) for text, box in drawn.items() if text.get_rotation() % 90 == 0]
    for (text, box), (other, other_box) in combinations(straight, 2):
        assert not overlap(box, other_box), (text, other)
    if kind in WITH_PICTURES:
        for ax in figure.axes[: 2 if kind == "class_images" else 1]:
            for (left, top), picture in tiles(ax).items():
                corners = [(left, top + picture.shape[0]), (left + picture.shape[1], top)]
                window = Bbox(ax.transData.transform(corners))
                assert not [text for text, box in drawn.items() if overlap(box, window)]


@pytest.mark.parametrize("kind", ["training_curves", "calibration", "units", "contact_sheet", "pixel_values"])
def test_the_bytes_depend_on_the_picture_alone(kind: str, tmp_path: Path) -> None:
    """The user's Matplotlib settings change nothing in the file, and stay as they are."""
    first = png(all_figures()[kind](), tmp_path)
    with mpl.rc_context({"font.size": 30, "font.family": "monospace", "axes.grid": True, "savefig.dpi": 55}):
        assert png(all_figures()[kind](), tmp_path) == first
        assert mpl.rcParams["font.size"] == 30
    with Image.open(tmp_path / "figure.png") as image:
        assert "Software" not in image.info


def test_the_curves_are_those_of_the_history() -> None:
    scores = [Score(*(start + 0.1 * k for k in range(3))) for start in (0.25, 0.5, 0.125, 0.75)]
    history = History([Period(1, 5, *scores[:2]), Period(2, 10, *scores[2:])])
    figure = model.training_curves(history, "title")
    names = ("log_loss", "log_loss_of_predicted_classes", "accuracy")
    for name, ax in zip(names, figure.axes, strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        assert list(lines) == ["train", "validation"]
        for split in ("train", "validation"):
            assert_array_equal(lines[split].get_xdata(), [5, 10])
            assert_allclose(np.asarray(lines[split].get_ydata()), history.scores(split, name))


def test_confusion_shows_shares_of_the_true_class() -> None:
    matrix = np.array([[3, 1, 0], [0, 0, 0], [1, 299, 0]])  # nothing of the second class
    (ax, *_) = model.confusion(matrix, ("a", "b", "c"), "title").axes
    (image,) = ax.get_images()
    assert_allclose(
        np.asarray(image.get_array()), np.array([[0.75, 0.25, 0], [0, 0, 0], [1 / 300, 299 / 300, 0]])
    )
    assert image.get_clim() == (0, 1)
    words = {text.get_position(): text.get_text() for text in ax.texts}
    assert words == {(0, 0): ".75", (1, 0): ".25", (0, 2): "<.01", (1, 2): "1.00"}
    assert ax.get_ylabel() == "true class"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]


def test_calibration_shows_the_bins() -> None:
    confidence = np.array([0.55, 0.95, 0.97])
    figure = model.calibration({"test": bins(confidence, np.array([False, True, True]))}, "title")
    assert_allclose(np.asarray(figure.axes[0].lines[1].get_xydata()), [[0.55, 0], [0.96, 1]])
    assert bar_heights(figure) == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


def clim(figure: Figure) -> tuple[float, float]:
    return figure.axes[0].get_images()[0].get_clim()


def test_weight_pictures_share_one_scale_with_zero_in_the_middle() -> None:
    weights = np.zeros((8, 9, 13), np.float32)
    assert clim(model.weight_pictures(weights, (*DIGITS, "a", "b", "c"), "title")) == (-1, 1)
    weights[0, 0, 3], weights[1, 1, 12] = 0.5, -2
    figure = model.weight_pictures(weights, [f"unit {unit}" for unit in range(13)], "title")
    assert clim(figure) == (-2, 2)
    drawn = tiles(figure.axes[0])
    assert_array_equal(list(drawn.values()), np.moveaxis(weights, -1, 0))
    assert [left for left, _ in drawn] == [*range(0, 100, 10), 0, 10, 20]  # ten in a row
    assert captions(figure) == [f"unit {unit}" for unit in range(13)]
    for text, (left, top) in zip(figure.axes[0].texts, drawn, strict=True):
        middle, bottom = text.get_position()
        assert middle == left + 4.5
        assert top - 1 < bottom < top


def test_units_with_a_verdict_have_a_frame_in_its_colour() -> None:
    figure = all_figures()["units"]()
    verdicts = VERDICTS_OF_UNITS
    assert captions(figure) == [f"{unit} {verdict}".strip() for unit, verdict in enumerate(verdicts)]
    places = list(tiles(figure.axes[0]))
    with_verdict = [unit for unit, verdict in enumerate(verdicts) if verdict]
    frames = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    for unit, frame in zip(with_verdict, frames, strict=True):
        assert frame.get_xy() == places[unit]
        assert to_hex(frame.get_edgecolor()) == VERDICTS[verdicts[unit]].lower()
    assert figure.get_suptitle().endswith("12 units: 3 dead, 3 noise, 3 alike")


def test_the_contact_sheet_has_a_line_for_each_class() -> None:
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    examples = Examples(images, np.array([1, 0, 1], np.uint8), 16, ("a", "b"))
    figure = data.contact_sheet(examples, np.array([[1, -1], [2, 0]]), "title")
    drawn = tiles(figure.axes[0])
    assert_array_equal(list(drawn.values()), images[[1, 2, 0]])
    first, below, beside = drawn
    assert first[0] == below[0]  # one under the other
    assert below[1] == beside[1]  # side by side
    assert captions(figure) == ["a", "b"]


def test_the_marked_pixel_is_the_chosen_one() -> None:
    (mark,) = data.pixel_frequency(np.zeros((8, 9)), (2, 5), "title").axes[0].lines
    assert_array_equal(mark.get_xydata(), [[5, 2]])
