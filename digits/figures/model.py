"""Figures of one model: its training, its answers, its weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from digits.core.history import History, Split
from digits.figures.style import (
    INK_COLORMAP,
    SCALE,
    SIGNED,
    TITLE_WIDTH,
    TRAIN,
    VALIDATION,
    line_count,
    name_ticks,
    styled,
    subplots,
    wrap,
)
from digits.figures.tiles import Tiles, add_scale

if TYPE_CHECKING:
    from digits.evaluate.calibration import Bin


@styled
def training_curves(history: History, title: str) -> Figure:
    """Both log losses and accuracy on train and validation, over steps."""
    panels = (
        ("log_loss", "Log loss (of probabilities)", "nats per example"),
        ("log_loss_of_predicted_classes", "Log loss of predicted classes", "nats per example"),
        ("accuracy", "Accuracy", "share of examples"),
    )
    figure = Figure(figsize=(15, 4.6))  # fixed margins: the constrained layout is slow
    figure.subplots_adjust(0.05, 0.13, 0.99, 0.83, wspace=0.2)
    figure.suptitle(title)
    for ax, (name, label, unit) in zip(figure.subplots(1, 3), panels, strict=True):
        steps = history.steps
        marker = "o" if len(steps) <= 20 else None
        styles: tuple[tuple[Split, str, str], ...] = (("train", TRAIN, "-"), ("validation", VALIDATION, "--"))
        for split, color, line in styles:
            scores = history.scores(split, name)
            ax.plot(steps, scores, color=color, linestyle=line, marker=marker, label=split)
        ax.set(title=label, xlabel="step", ylabel=unit)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        if name != "accuracy":
            ax.set_ylim(bottom=0)
    return figure


@styled
def confusion(matrix: NDArray[np.int64], class_names: Sequence[str], title: str) -> Figure:
    """Counts ``[true class, predicted class]`` as a heat map of shares of the true class."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    count = len(class_names)
    side = min(max(6.5, 0.7 * count), 24.0)
    figure, ax = subplots(side + 1.4, side)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=ax, shrink=0.8, label="share of the true class")
    ax.set_xticks(**name_ticks(class_names))
    ax.set_yticks(range(count), class_names)
    ax.set(title=title, xlabel="predicted class", ylabel="true class")
    ax.spines[:].set_visible(False)
    if count <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            share = shares[row, column]
            words = f"{share:.2f}".removeprefix("0") if share >= 0.005 else "<.01"
            color = "white" if share > 0.5 else "black"
            text = ax.text(column, row, words, ha="center", va="center", fontsize=10, color=color)
            text.set_in_layout(False)  # it lies within the axes, and measuring takes time
    return figure


@styled
def calibration(bins: Mapping[str, Sequence["Bin"]], title: str) -> Figure:
    """Reliability diagrams: accuracy against confidence; ``bins`` are by split.

    On the diagonal, confidence equals accuracy. Below the diagonal, the network is overconfident.
    """
    width = max(5.2 * len(bins), TITLE_WIDTH)
    figure = Figure(figsize=(width, 5.4))  # fixed margins: the constrained layout is slow
    figure.subplots_adjust(0.75 / width, 0.2, 1 - 0.15 / width, 0.86)
    figure.suptitle(title)
    panels = figure.subplots(1, len(bins), squeeze=False)[0]
    for ax, (split, found) in zip(panels, bins.items(), strict=True):
        low, high, answers, confidence, accuracy = np.array(found).T
        ax.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfectly calibrated")
        ax.plot(confidence, accuracy, color=TRAIN, marker="o", clip_on=False, label="answers")
        bars = {"color": VALIDATION, "alpha": 0.3, "edgecolor": "white", "label": "share of all answers"}
        columns = ax.bar(low, answers / answers.sum(), high - low, align="edge", **bars)
        halo = [withStroke(linewidth=3, foreground="white")]  # a count may lie on the line
        counts = [f"{count:.0f}" for count in answers]
        ax.bar_label(columns, counts, fontsize=8, padding=2, zorder=4, path_effects=halo)
        ax.set(title=split, xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        ax.grid(alpha=0.3)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="lower center", ncols=3)
    return figure


@styled
def weight_pictures(weights: NDArray[np.float32], titles: Sequence[str], title: str) -> Figure:
    """The first layer's weights ``[height, width, units]``, a picture for each unit, ten in a row.

    One colour scale for all of them, so that they can be compared; zero is white.
    """
    return _weights(weights, titles, title)[0]


def _weights(weights: NDArray[np.float32], titles: Sequence[str], title: str) -> tuple[Figure, Tiles]:
    """The figure of :func:`weight_pictures`, and where the pictures are in it."""
    limit = float(np.abs(weights).max()) or 1.0
    height, width, units = weights.shape
    wrapped = wrap(titles, 12)
    tiles = Tiles(height, width, columns=10, cell=1.0, lines=line_count(wrapped))
    figure, ax = tiles.figure(units, title, beside=SCALE)
    pictures = np.moveaxis(weights, -1, 0)
    image = tiles.draw(ax, pictures, wrapped, cmap=SIGNED, vmin=-limit, vmax=limit)
    add_scale(figure, ax, image, "weight")
    return figure, tiles


#: The verdicts on a unit, and the colour of its frame (Okabe and Ito).
VERDICTS = {"dead": "#000000", "noise": "#E69F00", "alike": "#009E73"}


@styled
def unit_pictures(weights: NDArray[np.float32], verdicts: Sequence[str], title: str) -> Figure:
    """Weight pictures of hidden units; a unit with a verdict has it in its caption, and a coloured frame.

    Verdicts are keys of :data:`VERDICTS`, or empty.
    """
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in VERDICTS)
    titles = [f"{unit} {verdict}".rstrip() for unit, verdict in enumerate(verdicts)]
    figure, tiles = _weights(weights, titles, f"{title}\n{len(verdicts)} units: {counts}")
    for unit, verdict in enumerate(verdicts):
        if verdict:
            frame = Rectangle(tiles.place(unit), tiles.width, tiles.height, fill=False, lw=3, clip_on=False)
            frame.set_color(VERDICTS[verdict])
            frame.set_in_layout(False)
            figure.axes[0].add_artist(frame)
    return figure


@styled
def mistakes(images: NDArray[np.uint8], captions: Sequence[str], pixel_maximum: int, title: str) -> Figure:
    """Pictures ``[n, height, width]`` with a caption each; where there is none, a sentence says so."""
    if not len(images):
        figure = Figure(figsize=(TITLE_WIDTH, 1.5), layout="constrained")
        figure.suptitle(f"{title}\nnone: every answer was right")
        return figure
    wrapped = wrap(captions, 18)
    _, height, width = images.shape
    tiles = Tiles(height, width, columns=8, cell=1.3, lines=line_count(wrapped))
    figure, ax = tiles.figure(len(images), title)
    tiles.draw(ax, images, wrapped, cmap=INK_COLORMAP, vmin=0, vmax=pixel_maximum)
    return figure
