from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from digits.core.examples import Examples
from digits.core.history import History, Period, Score
from digits.evaluate.calibration import bins
from digits.explore.summaries import class_statistics, ink_frequency, sample_per_class
from digits.figures import data, model, style
from digits.figures.model import VERDICTS
from tests.tiles import tiles

DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
LONG = tuple(f"{kind} of thirty letters, no. {number:02}" for kind in ("Word", "word") for number in range(5))
LONG_WORDS = tuple(f"a_class_named_by_a_programmer_{number}" for number in range(10))
Drawn = dict[Text, Bbox]


def all_figures(size: int = 8, names: tuple[str, ...] = DIGITS) -> dict[str, Callable[[], Figure]]:
    """Each kind of figure, also with few pictures, on random data of ``size`` × ``size`` pixels."""
    classes, maximum = len(names), 16 if size == 8 else 255
    random = np.random.default_rng(0)
    images = random.integers(0, maximum, (60, size, size), np.uint8, endpoint=True)
    examples = Examples(images, (np.arange(60) % classes).astype(np.uint8), maximum, names)
    weights = random.normal(size=(size, size, 12)).astype(np.float32)
    verdicts = ["", "dead", "noise", "alike"] * 3
    history = History(
        [
            Period(period, 100 * period, Score(*random.random(3).tolist()), Score(*random.random(3).tolist()))
            for period in range(1, 11)
        ]
    )
    counts = random.integers(0, 100, (classes, classes))
    means, deviations = class_statistics(examples)
    longest, next_longest = sorted(names, key=len)[-1:-3:-1]

    def mistakes(n: int) -> Figure:
        captions = [f"{longest}, taken for {next_longest}\nwith {100 - row}%" for row in range(n)]
        title = f"linear: {n} of 2500 validation examples wrong, the surest first"
        return model.mistakes(images[:n], captions, maximum, title)

    def units(n: int) -> Figure:
        title = "dnn: weights of the first layer after 1000 steps"
        return model.unit_pictures(weights[..., :n], verdicts[:n], title)

    def sheet(n: int) -> Figure:
        rows = sample_per_class(examples, n, 0)
        return data.contact_sheet(examples, rows, "Training examples of each class")

    def class_counts() -> Figure:
        counts = {split: dict.fromkeys(names, 60_000) for split in ("train", "validation")}
        return data.class_counts(counts, "Examples of each class")

    title = "linear: weights of the first layer after 1000 steps"
    last = size * size
    values = f"Values of pixel {last} (row {size - 1}, column {size - 1}) in 60000 training images"
    frequency = f"How often a pixel has ink (pixel {last}: 100.0%)"
    return {
        "training_curves": lambda: model.training_curves(history, "linear"),
        "confusion": lambda: model.confusion(counts, names, "linear: confusion on validation"),
        "calibration": lambda: model.calibration(
            {split: bins(random.random(50), random.random(50) < 0.5) for split in ("validation", "test")},
            "linear: calibration",
        ),
        "weight_pictures": lambda: model.weight_pictures(weights[..., :classes], names, title),
        "one unit": lambda: units(1),
        "units": lambda: units(12),
        "no mistake": lambda: mistakes(0),
        "one mistake": lambda: mistakes(1),
        "mistakes": lambda: mistakes(10),
        "example": lambda: data.example(images[0], maximum, f"Training example 59999: labelled {longest}"),
        "contact_sheet": lambda: sheet(4),
        "narrow contact_sheet": lambda: sheet(1),
        "class_counts": class_counts,
        "pixel_frequency": lambda: data.pixel_frequency(
            ink_frequency(examples), (size - 1, size - 1), frequency
        ),
        "pixel_values": lambda: data.pixel_values(images[:, -1, -1], maximum, values),
        "class_images": lambda: data.class_images(means, deviations, names, "Training images by class"),
    }


KINDS = list(all_figures())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Every text that is drawn, with the pixels that it takes."""
    extents: Drawn = {}
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


def pictures(figure: Figure) -> list[Any]:
    return [image for ax in figure.axes for image in ax.get_images()]


def window(ax: Axes, place: tuple[int, int], picture: NDArray[np.float32]) -> Bbox:
    """The pixels of the drawn figure that a picture takes."""
    (left, top), (height, width) = place, picture.shape
    return Bbox(ax.transData.transform([(left, top + height), (left + width, top)]))


def captions(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def assert_legible(figure: Figure, drawn: Drawn) -> None:
    """No text is cut off, and none that is straight lies on another."""
    assert drawn
    for text, box in drawn.items():
        assert min(box.x0, box.y0) >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    straight = {text: box for text, box in drawn.items() if text.get_rotation() % 90 == 0}
    for (text, box), (other, other_box) in combinations(straight.items(), 2):
        shared = Bbox.intersection(box, other_box)
        assert shared is None or min(shared.width, shared.height) <= 1, (text, other)


def words(ax: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in ax.texts}


@pytest.mark.parametrize("names", [DIGITS, FASHION], ids=["digits", "fashion"])
@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_cut_off_or_lies_on_another(
    kind: str, size: int, names: tuple[str, ...], drawn: Drawn, tmp_path: Path
) -> None:
    figure = all_figures(size, names)[kind]()
    png(figure, tmp_path)
    assert_legible(figure, drawn)


@pytest.mark.parametrize("names", [LONG, LONG_WORDS], ids=["words", "one word"])
@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize(
    "kind", ["class_images", "contact_sheet", "narrow contact_sheet", "weight_pictures", "mistakes"]
)
def test_long_class_names_are_wrapped(
    kind: str, size: int, names: tuple[str, ...], drawn: Drawn, tmp_path: Path
) -> None:
    figure = all_figures(size, names)[kind]()
    png(figure, tmp_path)
    assert_legible(figure, drawn)
    texts = ["".join(text.get_text().split()) for text in drawn]
    assert any("".join(name.split()) in text for name in names for text in texts)


@pytest.mark.parametrize("names", [DIGITS, FASHION, LONG], ids=["digits", "fashion", "long"])
@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("kind", ["weight_pictures", "units", "mistakes", "contact_sheet", "class_images"])
def test_no_caption_lies_on_a_picture(
    kind: str, size: int, names: tuple[str, ...], drawn: Drawn, tmp_path: Path
) -> None:
    figure = all_figures(size, names)[kind]()
    png(figure, tmp_path)
    shown = [ax for ax in figure.axes if ax.get_images() and not ax.axison]
    assert len(shown) == (2 if kind == "class_images" else 1)
    boxes = [window(ax, *tile) for ax in shown for tile in tiles(ax).items()]
    for text, box in drawn.items():
        for picture in boxes:
            shared = Bbox.intersection(box, picture)
            assert shared is None or min(shared.width, shared.height) <= 1, text


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_depend_on_the_picture_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = png(all_figures()[kind](), tmp_path)
    with mpl.rc_context(
        {
            "font.size": 30,
            "font.family": "monospace",
            "axes.facecolor": "black",
            "axes.grid": True,
            "axes.titlecolor": "red",
            "image.interpolation": "bilinear",
            "lines.linewidth": 9,
            "figure.dpi": 55,
            "savefig.dpi": 55,
            "savefig.bbox": "tight",
        }
    ):
        assert png(all_figures()[kind](), tmp_path) == first
    with Image.open(tmp_path / "figure.png") as image:
        assert "Software" not in image.info
        assert image.size[0] >= 450


def test_a_different_picture_gives_different_bytes(tmp_path: Path) -> None:
    image = np.zeros((8, 8), np.uint8)
    blank = png(data.example(image, 16, "title"), tmp_path)
    image[4, 4] = 1
    assert png(data.example(image, 16, "title"), tmp_path) != blank


def test_the_users_settings_are_left_as_they_were(tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 30}):
        png(all_figures()["confusion"](), tmp_path)
        assert mpl.rcParams["font.size"] == 30


def test_names_with_dollars_are_no_formulas(drawn: Drawn, tmp_path: Path) -> None:
    names = ("$\\nonsense$", "US$ or A$")
    png(model.confusion(np.eye(2, dtype=np.int64), names, "title"), tmp_path)
    labels = [text for text in drawn if text.get_text() in names]
    assert len(labels) == 4
    assert not any(text.get_parse_math() for text in labels)


def test_the_curves_are_those_of_the_history() -> None:
    history = History(
        [
            Period(
                period,
                5 * period,
                Score(*(start + 0.1 * k for k in range(3))),
                Score(*(start + 0.5 + 0.1 * k for k in range(3))),
            )
            for period, start in ((1, 0.25), (2, 0.125))
        ]
    )
    figure = model.training_curves(history, "title")
    assert len(figure.axes) == 3
    names = ("log_loss", "log_loss_of_predicted_classes", "accuracy")
    for name, ax in zip(names, figure.axes, strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        assert list(lines) == ["train", "validation"]
        for split in ("train", "validation"):
            assert_array_equal(lines[split].get_xdata(), [5, 10])
            assert_allclose(np.asarray(lines[split].get_ydata()), history.figures(split, name))
        assert lines["train"].get_linestyle() != lines["validation"].get_linestyle()


def test_confusion_shows_shares_of_the_true_class() -> None:
    matrix = np.array([[3, 1, 0], [0, 7, 0], [1, 299, 0]])
    figure = model.confusion(matrix, ("a", "b", "c"), "title")
    image = pictures(figure)[0]
    expected = np.array([[0.75, 0.25, 0], [0, 1, 0], [1 / 300, 299 / 300, 0]])
    assert_allclose(image.get_array(), expected)
    assert image.get_clim() == (0, 1)
    assert words(figure.axes[0]) == {
        (0, 0): ".75",
        (1, 0): ".25",
        (1, 1): "1.00",
        (0, 2): "<.01",
        (1, 2): "1.00",
    }
    assert figure.axes[0].get_ylabel() == "true class"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_the_numbers_drawn_are_the_shares() -> None:
    matrix = np.random.default_rng(0).integers(0, 50, (10, 10))
    figure = model.confusion(matrix, DIGITS, "title")
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    assert_allclose(pictures(figure)[0].get_array(), shares)
    for (column, row), word in words(figure.axes[0]).items():
        if word != "<.01":
            assert float(word) == pytest.approx(shares[int(row), int(column)], abs=0.005 + 1e-9)
    assert len(words(figure.axes[0])) == np.count_nonzero(matrix)


def test_a_class_without_examples_has_an_empty_row() -> None:
    figure = model.confusion(np.array([[2, 2], [0, 0]]), ("a", "b"), "title")
    (image,) = figure.axes[0].get_images()
    assert_array_equal(image.get_array(), [[0.5, 0.5], [0, 0]])
    assert words(figure.axes[0]) == {(0, 0): ".50", (1, 0): ".50"}


def test_calibration_shows_the_bins() -> None:
    confidence = np.array([0.55, 0.95, 0.97])
    figure = model.calibration({"test": bins(confidence, np.array([False, True, True]))}, "title")
    (ax,) = figure.axes
    assert_allclose(np.asarray(ax.lines[1].get_xydata()), [[0.55, 0], [0.96, 1]])
    heights: list[float] = [bar.get_height() for bar in ax.patches]  # type: ignore[attr-defined]
    assert heights == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


def test_many_classes_have_no_numbers() -> None:
    figure = model.confusion(np.eye(31, dtype=np.int64), [str(name) for name in range(31)], "title")
    assert not figure.axes[0].texts


def test_weight_pictures_share_one_scale_with_zero_in_the_middle() -> None:
    weights = np.zeros((8, 9, 13), np.float32)
    weights[0, 0, 3], weights[1, 1, 12] = 0.5, -2
    figure = model.weight_pictures(weights, [f"unit {unit}" for unit in range(13)], "title")
    (image,) = figure.axes[0].get_images()
    assert image.get_clim() == (-2, 2)
    assert_allclose(image.get_cmap()(0.5)[:3], 1, atol=0.05)  # zero is white
    drawn = tiles(figure.axes[0])
    assert_array_equal(list(drawn.values()), np.moveaxis(weights, -1, 0))
    lefts, tops = np.transpose(list(drawn))
    assert len(set(tops[:10])) == 1  # ten in a row, one pixel apart
    assert_array_equal(lefts, [*range(0, 100, 10), 0, 10, 20])
    assert len(set(tops[10:])) == 1
    assert tops[10] > tops[0] + 8
    assert captions(figure) == [f"unit {unit}" for unit in range(13)]


def test_captions_are_over_their_pictures(drawn: Drawn, tmp_path: Path) -> None:
    figure = all_figures()["units"]()
    png(figure, tmp_path)
    (ax, *_) = figure.axes
    for text, tile in zip(ax.texts, tiles(ax).items(), strict=True):
        picture = window(ax, *tile)
        assert (drawn[text].x0 + drawn[text].x1) / 2 == pytest.approx((picture.x0 + picture.x1) / 2, abs=1)
        assert picture.y1 - 1 <= drawn[text].y0 <= picture.y1 + 10


def test_weights_of_zero_are_drawn_white() -> None:
    figure = model.weight_pictures(np.zeros((8, 8, 2), np.float32), ["a", "b"], "title")
    assert pictures(figure)[0].get_clim() == (-1, 1)


def test_frames_are_around_the_units_spoken_of() -> None:
    verdicts = ["", "noise", "", "dead", "alike", "", "", "", "", "", "", "noise"]
    weights = np.random.default_rng(0).normal(size=(8, 8, 12)).astype(np.float32)
    figure = model.unit_pictures(weights, verdicts, "title")
    assert captions(figure) == [f"{unit} {verdict}".strip() for unit, verdict in enumerate(verdicts)]
    places = list(tiles(figure.axes[0]))
    spoken_of = [unit for unit, verdict in enumerate(verdicts) if verdict]
    frames = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    for unit, frame in zip(spoken_of, frames, strict=True):
        assert frame.get_xy() == places[unit]
        assert (frame.get_width(), frame.get_height()) == (8, 8)
        assert to_hex(frame.get_edgecolor()) == VERDICTS[verdicts[unit]].lower()
    assert figure.get_suptitle() == "title\n12 units: 1 dead, 2 noise, 1 alike"


def test_mistakes_keep_their_captions() -> None:
    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    figure = model.mistakes(images, ["1, taken for 7", "b", "c"], 255, "title")
    assert captions(figure) == ["1, taken for 7", "b", "c"]
    assert_array_equal(list(tiles(figure.axes[0]).values()), images)
    assert pictures(figure)[0].get_clim() == (0, 255)


def test_no_mistake_is_said() -> None:
    figure = model.mistakes(np.zeros((0, 8, 8), np.uint8), [], 16, "title")
    assert figure.get_suptitle() == "title\nnone: every answer was right"
    assert not figure.axes


def test_the_contact_sheet_has_a_line_for_each_class() -> None:
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    examples = Examples(images, np.array([1, 0, 1], np.uint8), 16, ("a", "b"))
    figure = data.contact_sheet(examples, np.array([[1, -1], [2, 0]]), "title")
    (place, below, beside), shown = zip(*tiles(figure.axes[0]).items(), strict=True)
    assert_array_equal(shown, images[[1, 2, 0]])
    assert place[0] == below[0]  # one under the other
    assert below[1] == beside[1]  # side by side
    assert captions(figure) == ["a", "b"]
    for name, (_, top) in zip(figure.axes[0].texts, (place, below), strict=True):
        assert name.get_position()[1] == top + 1  # in the middle of its line's height


@pytest.mark.parametrize("size", [8, 28, 64])  # 64: Matplotlib's default would smooth it
def test_gaps_and_missing_pictures_stay_white(size: int, tmp_path: Path) -> None:
    images = np.full((3, size, size), 16, np.uint8)
    examples = Examples(images, np.array([1, 0, 1], np.uint8), 16, ("a", "b"))
    figure = data.contact_sheet(examples, np.array([[1, -1], [2, 0]]), "title")
    png(figure, tmp_path)
    with Image.open(tmp_path / "figure.png") as image:
        pixels = np.asarray(image.convert("L"))[::-1]  # from below, as the axes are
    (ax,) = figure.axes
    expected = np.full(pixels.shape, 255)
    inside = ax.get_window_extent()
    for tile in tiles(ax).items():
        box = window(ax, *tile)
        left, right, bottom, top = np.rint([box.x0, box.x1, box.y0, box.y1]).astype(int)
        expected[bottom:top, left:right] = 0
    left, right, bottom, top = np.rint([inside.x0, inside.x1, inside.y0, inside.y1]).astype(int)
    region = slice(bottom + 1, top - 1), slice(left + 1, right - 1)
    assert np.isin(pixels[region], [0, 255]).all()  # no colour is mixed with the gaps' white
    assert np.mean(pixels[region] != expected[region]) < 0.02  # edges may be a pixel off
    assert 0.5 < np.mean(pixels[region] == 0) < 0.75  # three of four pictures


def test_bars_are_as_high_as_the_counts() -> None:
    counts = {"train": {"a": 3, "b": 5}, "validation": {"a": 1, "b": 2}}
    ax = data.class_counts(counts, "title").axes[0]
    heights: list[float] = [bar.get_height() for bar in ax.patches]  # type: ignore[attr-defined]
    assert heights == [3, 5, 1, 2]


def test_the_marked_pixel_is_the_chosen_one() -> None:
    ax = data.pixel_frequency(np.zeros((8, 9)), (2, 5), "title").axes[0]
    (mark,) = ax.lines
    assert_array_equal(mark.get_xydata(), [[5, 2]])


@pytest.mark.parametrize(("maximum", "bins"), [(16, 17), (255, 32)])
def test_every_value_is_counted_once(maximum: int, bins: int) -> None:
    values = np.array([0, 0, 0, 1, maximum], np.uint8)
    ax = data.pixel_values(values, maximum, "title").axes[0]
    heights: list[float] = [bar.get_height() for bar in ax.patches]  # type: ignore[attr-defined]
    assert len(heights) == bins
    assert sum(heights) == 5
    assert heights[-1] == 1
    assert ax.get_yscale() == "log"


def test_class_images_share_a_scale_in_each_row() -> None:
    means = np.arange(8, dtype=float).reshape(2, 2, 2)
    figure = data.class_images(means, means / 2, ("a", "bb"), "title")
    for ax, values, limit, name in zip(
        figure.axes[:2], (means, means / 2), (7, 3.5), ("mean", "deviation"), strict=True
    ):
        (image,) = ax.get_images()
        assert image.get_clim() == (0, limit)
        assert_array_equal(list(tiles(ax).values()), values)
        assert ax.texts[0].get_text() == name
    assert captions(figure)[-2:] == ["a", "bb"]
    colorbars = figure.axes[2:]
    assert [ax.get_ylabel() for ax in colorbars] == ["pixel value"] * 2
    assert [ax.get_ylim() for ax in colorbars] == [(0, 7), (0, 3.5)]
