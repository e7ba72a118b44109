"""Figures fit for a slide: each function gives one, from arrays and names alone."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogFormatter, MaxNLocator
from numpy.typing import NDArray

from digits.examples import Examples
from digits.files import replacing

if TYPE_CHECKING:
    from digits.calibration import Bin

# Blue and orange of Okabe and Ito (2008): told apart by colour-blind readers, and in grey by
# their line styles.
TRAIN, VALIDATION = "#0072B2", "#D55E00"
INK = "gray_r"  # ink is dark, as on paper
SIGNED = "PuOr"  # weights: both ends and the middle differ for colour-blind readers
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 13,
    "text.parse_math": False,  # a class may be named $
    "text.hinting": "none",  # at this size letters look alike with and without, which is faster
    "axes.spines.top": False,
    "axes.spines.right": False,
}
TITLE_WIDTH = 7.0  # inches that the title over a grid of few pictures needs
LINE = 0.15  # inches that a line of a caption is high
EDGE, TITLE, SCALE = 0.1, 0.7, 1.1  # inches around pictures, over them, and beside them

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """``draw`` with this project's style, whatever the user's own Matplotlib settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return styled


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without Matplotlib's version in it, so that it depends on the picture alone."""
    with replacing(path) as partial, style.context(["default", STYLE]):
        # Not savefig, which draws a figure with a layout twice. Run-length encoding takes three
        # fifths of the default compression's time, for smaller files where pictures are drawn large.
        FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]
            partial, metadata={"Software": None}, pil_kwargs={"compress_type": zlib.Z_RLE}
        )


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches that leaves room for every label."""
    return Figure(figsize=(width, height), layout="constrained")


def _name_ticks(names: Sequence[str]) -> dict[str, Any]:
    """Arguments of ``set_xticks``: a name for each of 0, 1, …, slanted where they would be too wide."""
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 3 else {}
    return {"ticks": range(len(names)), "labels": names, **slanted}


def _wrap(texts: Sequence[str], width: int) -> list[str]:
    """The texts with lines of at most ``width`` characters."""
    return ["\n".join(fill(line, width) for line in text.splitlines()) for text in texts]


def _lines(texts: Sequence[str]) -> int:
    """The number of lines of the longest text."""
    return max(text.count("\n") + 1 for text in texts)


@dataclass(frozen=True)
class _Tiles:
    """Pictures on a grid in one image, whose unit is the pictures' pixel and whose y axis points down.

    One image for all of them: with one for each, drawing a hundred takes nearly three times as long.

    Args:
        height: of a picture.
        width: of a picture.
        columns: pictures in a row.
        cell: inches that a picture is wide.
        lines: room for so many lines of text over each picture.
    """

    height: int
    width: int
    columns: int
    cell: float
    lines: int = 0

    def place(self, number: int) -> tuple[int, int]:
        """The left and top edge of a picture."""
        row, column = divmod(number, self.columns)
        gap = max(1, round(0.08 * self.width))
        room = ceil((LINE * self.lines + 0.07) * self.width / self.cell)
        return column * (self.width + gap), row * (self.height + room) + room

    def shape(self, count: int) -> tuple[int, int]:
        """Height and width of so many pictures."""
        right = self.place(min(count, self.columns) - 1)[0] + self.width
        return self.place(count - 1)[1] + self.height, right

    def inches(self, count: int) -> tuple[float, float]:
        """The same in inches."""
        height, width = self.shape(count)
        return height * self.cell / self.width, width * self.cell / self.width

    def draw(self, ax: Axes, pictures: NDArray[Any], captions: Sequence[str] = (), **scale: Any) -> AxesImage:
        """Pictures ``[n, height, width]``, white where they are NaN, with a caption over each."""
        mosaic = np.full(self.shape(len(pictures)), np.nan, np.float32)
        for number, picture in enumerate(pictures):
            left, top = self.place(number)
            mosaic[top : top + self.height, left : left + self.width] = picture
        height, width = mosaic.shape
        # Any other interpolation would colour the gaps too.
        image = ax.imshow(mosaic, extent=(0, width, height, 0), interpolation="nearest", **scale)
        image.set_in_layout(False)  # nor captions: they lie within the axes, and measuring takes time
        ax.set_axis_off()
        for number, caption in enumerate(captions):
            left, top = self.place(number)
            middle, bottom = left + self.width / 2, top - 0.03 * self.width / self.cell
            text = ax.text(middle, bottom, caption, ha="center", va="bottom", fontsize=9)
            text.set_in_layout(False)
        return image

    def name_row(self, ax: Axes, row: int, name: str, rotation: int = 0) -> None:
        """Write a row's name to the left of its pictures."""
        _, top = self.place(row * self.columns)
        middle = top + self.height / 2
        ax.text(-0.12 * self.width, middle, name, ha="right", va="center", rotation=rotation)

    def figure(self, count: int, beside: float = EDGE) -> tuple[Figure, Axes]:
        """A figure for so many pictures, with room for a title of two lines, and inches beside them.

        Nothing but the title and what is put beside them is outside of the axes: no layout has to be found.
        """
        height, width = self.inches(count)
        size = max(width + EDGE + beside, TITLE_WIDTH), height + EDGE + TITLE
        left = (size[0] - width - EDGE - beside) / 2 + EDGE
        figure = Figure(figsize=size)
        box = (left / size[0], EDGE / size[1], width / size[0], height / size[1])
        return figure, figure.add_axes(box)


def _add_scale(figure: Figure, ax: Axes, image: AxesImage, label: str) -> None:
    """What the colours stand for, to the right of axes that have :data:`SCALE` inches there."""
    box, inch = ax.get_position(), 1 / figure.get_figwidth()
    beside = figure.add_axes((box.x1 + EDGE * inch, box.y0, 0.15 * inch, box.height))
    figure.colorbar(image, cax=beside, label=label)


@styled
def training_curves(history: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Both log losses and accuracy on train and validation, over steps.

    Args:
        history: the columns of ``history.csv``.
        title: names the model.
    """
    panels = (
        ("log_loss", "Log loss (of probabilities)", "nats per example"),
        ("log_loss_of_predicted_classes", "Log loss of predicted classes", "nats per example"),
        ("accuracy", "Accuracy", "share of examples"),
    )
    figure = Figure(figsize=(15, 4.6))  # all labels are known, so no layout has to be found
    figure.subplots_adjust(0.05, 0.13, 0.99, 0.83, wspace=0.2)
    figure.suptitle(title)
    for ax, (name, label, unit) in zip(figure.subplots(1, 3), panels, strict=True):
        steps = history["step"]
        marker = "o" if len(steps) <= 20 else None
        ax.plot(steps, history[f"train_{name}"], color=TRAIN, marker=marker, label="train")
        ax.plot(
            steps,
            history[f"validation_{name}"],
            color=VALIDATION,
            linestyle="--",
            marker=marker,
            label="validation",
        )
        ax.set(title=label, xlabel="step", ylabel=unit)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        if name != "accuracy":
            ax.set_ylim(bottom=0)
    return figure


@styled
def confusion(matrix: NDArray[np.int64], class_names: Sequence[str], title: str) -> Figure:
    """A confusion matrix as a heat map; each row, a true class, sums to 1.

    Args:
        matrix: counts ``[classes, classes]``, row = true class.
        class_names: in the order of the rows.
        title: names the model and the split.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    count = len(class_names)
    side = min(max(6.5, 0.7 * count), 24.0)
    figure = blank(side + 1.4, side)
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=ax, shrink=0.8, label="share of the true class")
    ax.set_xticks(**_name_ticks(class_names))
    ax.set_yticks(range(count), class_names)
    ax.set(title=title, xlabel="predicted class", ylabel="true class")
    ax.spines[:].set_visible(False)
    if count <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            share = shares[row, column]
            ax.text(
                column,
                row,
                f"{share:.2f}".removeprefix("0") if share >= 0.005 else "<.01",
                ha="center",
                va="center",
                fontsize=10,
                color="white" if share > 0.5 else "black",
            ).set_in_layout(False)  # it lies within the axes, and measuring takes time
    return figure


@styled
def calibration(bins: Mapping[str, Sequence["Bin"]], title: str) -> Figure:
    """Reliability diagrams: how often answers are right by the confidence that they are given with.

    On the diagonal a network is as sure as it may be; below it is too sure.

    Args:
        bins: answers by confidence, by split.
        title: names the model.
    """
    width = max(5.2 * len(bins), TITLE_WIDTH)
    figure = Figure(figsize=(width, 5.4))  # all labels are known, so no layout has to be found
    figure.subplots_adjust(0.75 / width, 0.2, 1 - 0.15 / width, 0.86)
    figure.suptitle(title)
    panels = figure.subplots(1, len(bins), squeeze=False)[0]
    for ax, (split, found) in zip(panels, bins.items(), strict=True):
        total = sum(at.answers for at in found)
        ax.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
        ax.plot(
            [at.confidence for at in found],
            [at.accuracy for at in found],
            color=TRAIN,
            marker="o",
            label="answers",
        )
        ax.bar(
            [at.low for at in found],
            [at.answers / total for at in found],
            [at.high - at.low for at in found],
            align="edge",
            color=VALIDATION,
            alpha=0.3,
            edgecolor="white",
            label="share of all answers",
        )
        ax.set(title=split, xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        ax.grid(alpha=0.3)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="lower center", ncols=3)
    return figure


@styled
def weight_pictures(weights: NDArray[np.float32], titles: Sequence[str], title: str) -> Figure:
    """The first layer's weights, a picture for each unit, ten in a row.

    One colour scale for all of them, so that they can be compared; zero is white.

    Args:
        weights: ``[height, width, units]``.
        titles: over each picture.
        title: names the model and the step.
    """
    return _weights(weights, titles, title)[0]


def _weights(weights: NDArray[np.float32], titles: Sequence[str], title: str) -> tuple[Figure, _Tiles]:
    """The figure of :func:`weight_pictures`, and where the pictures are in it."""
    limit = float(np.abs(weights).max()) or 1.0
    height, width, units = weights.shape
    wrapped = _wrap(titles, 12)
    tiles = _Tiles(height, width, columns=10, cell=1.0, lines=_lines(wrapped))
    figure, ax = tiles.figure(units, beside=SCALE)
    pictures = np.moveaxis(weights, -1, 0)
    image = tiles.draw(ax, pictures, wrapped, cmap=SIGNED, vmin=-limit, vmax=limit)
    _add_scale(figure, ax, image, "weight")
    figure.suptitle(title)
    return figure, tiles


#: What is said of a unit, and the colour of its frame (Okabe and Ito).
VERDICTS = {"dead": "#000000", "noise": "#E69F00", "alike": "#009E73"}


@styled
def unit_pictures(weights: NDArray[np.float32], verdicts: Sequence[str], title: str) -> Figure:
    """Weight pictures of hidden units, with a frame and a word where something is said of one.

    Args:
        weights: ``[height, width, units]``.
        verdicts: a key of :data:`VERDICTS`, or nothing, for each unit.
        title: names the model and the step.
    """
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in VERDICTS)
    titles = [f"{unit} {verdict}".rstrip() for unit, verdict in enumerate(verdicts)]
    figure, tiles = _weights(weights, titles, f"{title}\n{len(verdicts)} units: {counts}")
    for unit, verdict in enumerate(verdicts):
        if verdict:
            frame = Rectangle(
                tiles.place(unit),
                tiles.width,
                tiles.height,
                fill=False,
                color=VERDICTS[verdict],
                lw=3,
                clip_on=False,
            )
            frame.set_in_layout(False)
            figure.axes[0].add_artist(frame)
    return figure


@styled
def mistakes(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    pixel_maximum: int,
    title: str,
) -> Figure:
    """Pictures with a caption each: what was taken for what.

    Args:
        images: ``uint8 [n, height, width]``; none is drawn as a sentence that says so.
        captions: of each image.
        pixel_maximum: the value of full ink.
        title: names the model and the split.
    """
    if not len(images):
        figure = blank(TITLE_WIDTH, 1.5)
        figure.suptitle(f"{title}\nnone: every answer was right")
        return figure
    wrapped = _wrap(captions, 18)
    _, height, width = images.shape
    tiles = _Tiles(height, width, columns=8, cell=1.3, lines=_lines(wrapped))
    figure, ax = tiles.figure(len(images))
    tiles.draw(ax, images, wrapped, cmap=INK, vmin=0, vmax=pixel_maximum)
    figure.suptitle(title)
    return figure


@styled
def example(image: NDArray[np.uint8], pixel_maximum: int, title: str) -> Figure:
    """One image, large, with its pixels' values in 0–``pixel_maximum``."""
    figure = blank(5.6, 5)
    ax = figure.subplots()
    shown = ax.imshow(image, cmap=INK, vmin=0, vmax=pixel_maximum)
    _label_pixels(figure, ax, shown, title, "pixel value")
    return figure


def _label_pixels(figure: Figure, ax: Axes, shown: AxesImage, title: str, values: str) -> None:
    """Number an image's rows and columns, and say what its colours stand for."""
    ax.set(title=title, xlabel="column", ylabel="row")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    figure.colorbar(shown, ax=ax, shrink=0.8, label=values)


@styled
def contact_sheet(examples: Examples, rows: NDArray[np.intp], title: str) -> Figure:
    """A line of images for each class.

    Args:
        examples: the source of the images.
        rows: ``[classes, per class]``, -1 where a class has no more.
        title: names the split.
    """
    pictures = np.full((rows.size, examples.height, examples.width), np.nan, np.float32)
    there = rows.ravel() >= 0
    pictures[there] = examples.images[rows.ravel()[there]]
    tiles = _Tiles(examples.height, examples.width, columns=rows.shape[1], cell=0.8)
    height, width = tiles.inches(rows.size)
    figure = blank(max(width + 1.0, TITLE_WIDTH), height + 0.8)
    ax = figure.subplots()
    tiles.draw(ax, pictures, cmap=INK, vmin=0, vmax=examples.pixel_maximum)
    for label, name in enumerate(_wrap(examples.class_names, 12)):
        tiles.name_row(ax, label, name)
    figure.suptitle(title)
    return figure


@styled
def class_counts(counts: Mapping[str, Mapping[str, int]], title: str) -> Figure:
    """How many examples each class has, a bar for each split.

    Args:
        counts: examples by class name, by split.
        title: says what is counted.
    """
    names = list(next(iter(counts.values())))
    figure = blank(max(7.0, 0.75 * len(names)), 4.4)
    ax = figure.subplots()
    width = 0.8 / len(counts)
    colours = (TRAIN, VALIDATION)
    hatches = ("", "//")
    for number, (split, per_class) in enumerate(counts.items()):
        ax.bar(
            np.arange(len(names)) + (number - (len(counts) - 1) / 2) * width,
            [per_class[name] for name in names],
            width,
            color=colours[number],
            hatch=hatches[number],
            edgecolor="white",
            label=split,
        )
    ax.set_xticks(**_name_ticks(names))
    ax.set(title=title, xlabel="class", ylabel="examples")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def pixel_frequency(shares: NDArray[np.float64], chosen: tuple[int, int], title: str) -> Figure:
    """How often each pixel has ink, with one pixel marked.

    Args:
        shares: ``[height, width]`` in 0–1.
        chosen: row and column of the marked pixel.
        title: names the split.
    """
    figure = blank(6.2, 5)
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    ax.plot(chosen[1], chosen[0], marker="s", markersize=10, mfc="none", mec=VALIDATION, mew=2.5)
    _label_pixels(figure, ax, image, title, "share of images with ink")
    return figure


@styled
def pixel_values(values: NDArray[np.uint8], pixel_maximum: int, title: str) -> Figure:
    """The values of one pixel over all images, counted; the count axis is logarithmic.

    Args:
        values: ``uint8 [n]`` in 0–``pixel_maximum``.
        pixel_maximum: the value of full ink.
        title: names the pixel.
    """
    figure = blank(7, 4.2)
    ax = figure.subplots()
    bins = min(pixel_maximum + 1, 32)
    ax.hist(values, bins=np.linspace(-0.5, pixel_maximum + 0.5, bins + 1).tolist(), color=TRAIN)
    ax.set(title=title, xlabel="pixel value", ylabel="images", yscale="log")
    ax.set_ylim(bottom=0.8)  # a bar of one image is seen, and lengths start alike
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_formatter(LogFormatter())
    ax.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))
    ax.grid(axis="y", alpha=0.3)
    return figure


@styled
def class_images(
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """The mean image of each class over the image of its standard deviation.

    Args:
        means: ``[classes, height, width]``, pixel values.
        deviations: the same.
        class_names: in that order.
        title: names the split.
    """
    classes, height, width = means.shape
    wrapped = _wrap(class_names, 12)
    tiles = _Tiles(height, width, columns=classes, cell=1.1)
    tall, wide = tiles.inches(classes)
    figure = blank(max(wide + 1.2, TITLE_WIDTH), 2 * tall + LINE * _lines(wrapped) + 0.85)
    axes = figure.subplots(2)
    for ax, pictures, name in zip(axes, (means, deviations), ("mean", "deviation"), strict=True):
        limit = float(pictures.max()) or 1.0
        image = tiles.draw(ax, pictures, cmap=INK, vmin=0, vmax=limit)
        tiles.name_row(ax, 0, name, rotation=90)
        figure.colorbar(image, ax=ax, shrink=0.9, label="pixel value")
    for label, name in enumerate(wrapped):
        left, _ = tiles.place(label)
        axes[0].text(left + width / 2, 0, name, ha="center", va="bottom", fontsize=9)
    figure.suptitle(title)
    return figure
