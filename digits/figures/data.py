"""Figures of a data set."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import LogFormatter, MaxNLocator
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.figures.style import (
    INK_COLORMAP,
    LINE,
    TITLE_WIDTH,
    TRAIN,
    VALIDATION,
    line_count,
    name_ticks,
    styled,
    subplots,
    wrap,
)
from digits.figures.tiles import Tiles


@styled
def example(image: NDArray[np.uint8], pixel_maximum: int, title: str) -> Figure:
    """One image, large, with its pixels' values in 0–``pixel_maximum``."""
    figure, ax = subplots(5.6, 5)
    shown = ax.imshow(image, cmap=INK_COLORMAP, vmin=0, vmax=pixel_maximum)
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
    """A row of images for each class; ``rows [classes, per class]`` is -1 where a class has no more."""
    pictures = np.full((rows.size, examples.height, examples.width), np.nan, np.float32)
    there = rows.ravel() >= 0
    pictures[there] = examples.images[rows.ravel()[there]]
    tiles = Tiles(examples.height, examples.width, columns=rows.shape[1], cell=0.8)
    height_inches, width_inches = tiles.inches(rows.size)
    figure, ax = subplots(max(width_inches + 1.0, TITLE_WIDTH), height_inches + 0.8)
    tiles.draw(ax, pictures, cmap=INK_COLORMAP, vmin=0, vmax=examples.pixel_maximum)
    for label, name in enumerate(wrap(examples.class_names, 12)):
        tiles.name_row(ax, label, name)
    figure.suptitle(title)
    return figure


@styled
def class_counts(counts: Mapping[str, Mapping[str, int]], title: str) -> Figure:
    """A bar for each class and split: ``counts`` are examples by class name, by split."""
    names = list(next(iter(counts.values())))
    figure, ax = subplots(max(7.0, 0.75 * len(names)), 4.4)
    width = 0.8 / len(counts)
    styles = ((TRAIN, ""), (VALIDATION, "//"))
    for number, ((split, per_class), (color, hatch)) in enumerate(zip(counts.items(), styles, strict=True)):
        centres = np.arange(len(names)) + (number - (len(counts) - 1) / 2) * width
        shown = [per_class[name] for name in names]
        ax.bar(centres, shown, width, color=color, hatch=hatch, edgecolor="white", label=split)
    ax.set_xticks(**name_ticks(names))
    ax.set(title=title, xlabel="class", ylabel="examples")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def pixel_frequency(shares: NDArray[np.float64], chosen: tuple[int, int], title: str) -> Figure:
    """The share of images in which each pixel has ink, ``[height, width]`` in 0–1, with one pixel marked."""
    figure, ax = subplots(6.2, 5)
    image = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    ax.plot(chosen[1], chosen[0], marker="s", markersize=10, mfc="none", mec=VALIDATION, mew=2.5)
    _label_pixels(figure, ax, image, title, "share of images with ink")
    return figure


@styled
def pixel_values(values: NDArray[np.uint8], pixel_maximum: int, title: str) -> Figure:
    """The values of one pixel over all images, counted; the count axis is logarithmic."""
    figure, ax = subplots(7, 4.2)
    bins = min(pixel_maximum + 1, 32)
    ax.hist(values, bins=np.linspace(-0.5, pixel_maximum + 0.5, bins + 1).tolist(), color=TRAIN)
    ax.set(title=title, xlabel="pixel value", ylabel="images", yscale="log")
    ax.set_ylim(bottom=0.8)  # fixed, and below 1 so that a bar of one image is visible
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_formatter(LogFormatter())
    ax.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))
    ax.grid(axis="y", alpha=0.3)
    return figure


@styled
def class_images(
    means: NDArray[np.float64], deviations: NDArray[np.float64], class_names: Sequence[str], title: str
) -> Figure:
    """The mean image of each class, its standard deviation below it, both ``[classes, height, width]``."""
    classes, height, width = means.shape
    wrapped = wrap(class_names, 12)
    tiles = Tiles(height, width, columns=classes, cell=1.1)
    height_inches, width_inches = tiles.inches(classes)
    height_inches = 2 * height_inches + LINE * line_count(wrapped) + 0.85
    figure, axes = subplots(max(width_inches + 1.2, TITLE_WIDTH), height_inches, rows=2)
    for ax, pictures, name in zip(axes, (means, deviations), ("mean", "deviation"), strict=True):
        limit = float(pictures.max()) or 1.0
        image = tiles.draw(ax, pictures, cmap=INK_COLORMAP, vmin=0, vmax=limit)
        tiles.name_row(ax, 0, name, rotation=90)
        figure.colorbar(image, ax=ax, shrink=0.9, label="pixel value")
    for label, name in enumerate(wrapped):
        left, _ = tiles.place(label)
        axes[0].text(left + width / 2, 0, name, ha="center", va="bottom", fontsize=9)
    figure.suptitle(title)
    return figure
