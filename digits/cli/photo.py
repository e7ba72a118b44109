"""Find the digit in a photo; ignore uneven light, lines on the paper, frames, dust and the table.

With Pillow and NumPy alone: SciPy's ndimage takes as long to import as the rest of ``digits predict``.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

#: A pixel has ink if it differs from the background by more than this share of the largest difference.
INK = 0.2
#: Smaller differences than this, of 255, are paper, not ink.
PAPER = 20
#: A piece smaller than this share of what is written, or of the frame around it, is dust.
DUST = 0.12
#: Longest side of the picture that is looked at, in pixels: that of the page's canvas.
SIDE = 280
#: The background is measured on a picture reduced to GRID pixels at most, with a window of this share of it.
GRID, WINDOW = 36, 0.65
#: To find the paper's lines, a picture is cut into so many columns: a line fills all of them, or nearly all.
PARTS = 10

#: Kinds of ink that are less likely than dark ink.
LIGHT = ("light on dark", "transparent on opaque")

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # left, top, right, bottom


class Written(NamedTuple):
    """The ink on a picture, cut out.

    Attributes:
        ink: of each pixel of the box that holds it, ``[height, width]`` in 0–1.
        box: in pixels of the picture.
        polarity: ``dark on light`` or another of its kind.
        warnings: why this may not be one whole digit.
        weight: how much ink there is, to compare with others.
    """

    ink: Values
    box: Box
    polarity: str
    warnings: tuple[str, ...]
    weight: float


class Pieces(NamedTuple):
    """The connected pieces of ink on a picture; all but ``labels`` have a value for each, ``[pieces]``.

    Attributes:
        labels: of each pixel the number of its piece, ``[height, width]``; 0 where there is no ink.
        left, top, right, bottom: the boxes that hold the pieces.
        extent: the longer side of each box.
        at_edge: whether a piece touches the picture's edge.
        weight: how much ink there is, to compare with others.
    """

    labels: NDArray[np.int32]
    left: NDArray[np.intp]
    top: NDArray[np.intp]
    right: NDArray[np.intp]
    bottom: NDArray[np.intp]
    extent: NDArray[np.intp]
    at_edge: Mask
    weight: NDArray[Any]


def find(picture: Image.Image) -> Written | None:
    """Return what is written largest on a picture, or None for a blank one."""
    channels, (dark, light) = _channels(picture)
    found = _look(channels, (dark, light), (0, 0, *picture.size))
    if found is None:
        return None
    left, top, right, bottom = found.box
    longest, side = max(right - left, bottom - top), max(picture.size)
    if found.polarity == light and _coverage(found.ink > INK) > 0.8 and longest > side / 4:
        inside = _look(channels, (dark,), found.box)  # a sheet on a table
        return inside if inside and not inside.warnings else found
    margin = 0.4 * longest
    around = (left - margin, top - margin, right + margin, bottom + margin)
    closer = _look(channels, (found.polarity,), around)
    if closer and not closer.warnings and closer.weight > found.weight:
        return closer._replace(warnings=found.warnings)
    return found


def _channels(picture: Image.Image) -> tuple[list[Image.Image], tuple[str, str]]:
    """Return the grey pictures that may show the ink, and what dark and light ink are called in them."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        values = np.asarray(picture)
        opaque = values[values[..., 3] > 127, :3]
        if 0 < len(opaque) < picture.width * picture.height and np.ptp(opaque, axis=0).max() < PAPER:
            return [Image.fromarray(255 - values[..., 3])], ("opaque on transparent", "transparent on opaque")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    # Red ink on green paper may have the same grey: look at each colour too.
    colours = () if picture.mode in ("1", "L", "LA") else picture.convert("RGB").split()
    return [picture.convert("L"), *colours], ("dark on light", "light on dark")


def _look(channels: list[Image.Image], polarities: tuple[str, ...], box: Box) -> Written | None:
    """Return what is written inside a box in ink of one of these polarities."""
    left, top = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    right, bottom = min(math.ceil(box[2]), channels[0].width), min(math.ceil(box[3]), channels[0].height)
    factor = math.ceil(max(right - left, bottom - top) / SIDE)
    seen = [channel.crop((left, top, right, bottom)).reduce(factor) for channel in channels]
    while True:
        inks = max(map(_inks, seen), key=lambda pair: float((pair[0] ** 2).sum() + (pair[1] ** 2).sum()))
        different = inks[1] - inks[0]
        noise = float(np.median(np.abs(different - np.roll(different, 3, axis=1))))
        if 5 * noise < INK * max(map(_most, inks)) or max(different.shape) < 100:
            break
        factor, seen = 2 * factor, [channel.reduce(2) for channel in seen]
    found = []
    for polarity in polarities:
        written = _written(inks[polarity in LIGHT], noise)
        if written:
            x, y, x_end, y_end = (factor * side for side in written.box)
            box = left + x, top + y, min(left + x_end, right), min(top + y_end, bottom)
            # Beside dark ink or a table, paper looks like light ink.
            weight = written.weight * factor**2 * (0.1 if polarity in LIGHT else 1)
            found.append(written._replace(box=box, polarity=polarity, weight=weight))
    return max(found, key=lambda each: each.weight, default=None)


def edge(values: NDArray[Any]) -> NDArray[Any]:
    """Return the outermost pixels of an image, ``[height, width]``."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _inks(channel: Image.Image) -> tuple[Values, Values]:
    """Return how much darker each pixel is than the darkest paper around it, and how much lighter."""
    values = np.asarray(channel, np.float32)
    border = edge(values)
    level = np.median(border)
    on_edge, on_all = (np.mean(np.abs(pixels - level) < PAPER / 2) for pixels in (border, values))
    if on_edge > 0.85 and on_all > 0.6:
        low = high = np.full_like(values, level)  # one colour, as of drawings and scans
    else:
        size = [max(1, round(side * min(1, GRID / max(channel.size)))) for side in channel.size]
        small = channel.resize(size, Image.Resampling.BOX)
        # Ink covers less than half of a large window, whose median keeps the edges of shadows and tables.
        small = small.filter(ImageFilter.MedianFilter(int(WINDOW * max(size)) | 1))
        low, high = (
            np.asarray(small.filter(extreme(3)).resize(channel.size, Image.Resampling.BILINEAR), np.float32)
            for extreme in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
        )
    # In the shade ink differs less from the paper: divided by the brightness, it counts as much as elsewhere.
    light = np.maximum(low / max(low.max(), 1), 1 / 3)
    return np.clip((low - values) / light, 0, None), np.clip(values - high, 0, None)


def _most(ink: Values) -> float:
    """The largest value of an ink image, without the few highest, which may be specks."""
    return float(np.sort(ink, axis=None)[-1 - ink.size // 8000])


def _written(ink: Values, noise: float) -> Written | None:
    """Return the piece with the most ink and what belongs to it, without lines and frames."""
    most = _most(ink)
    threshold = max(INK * most, 4 * noise)
    if most < max(PAPER, threshold):
        return None
    mask = (ink > threshold) & ~_lines(ink > 0.6 * threshold)
    if not mask.any():
        return None
    pieces = _measure(ink, _label(mask))
    main = int(pieces.weight.argmax())
    if pieces.weight[main] == 0 or pieces.extent[main] < 2 + 0.02 * max(mask.shape):
        return None
    part, warnings = _belonging(pieces, main)
    mask = part[pieces.labels]
    full = float(np.percentile(ink[mask], 95))
    if full < PAPER:
        return None
    near = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(5)), bool)
    ink = np.where(near, np.minimum(ink / full, 1), 0)
    mask &= ink > INK
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return Written(ink[box[1] : box[3], box[0] : box[2]], box, "", warnings, float(pieces.weight[main]))


def _measure(ink: Values, labels: NDArray[np.int32]) -> Pieces:
    """Return box and weight of each piece; a frame around another weighs nothing, one at the edge less."""
    ys, xs = np.nonzero(labels)
    which, count, (height, width) = labels[ys, xs], int(labels.max()) + 1, labels.shape
    left, top = np.full(count, width), np.full(count, height)
    right, bottom = np.zeros(count, int), np.zeros(count, int)
    np.minimum.at(left, which, xs)
    np.minimum.at(top, which, ys)
    np.maximum.at(right, which, xs + 1)
    np.maximum.at(bottom, which, ys + 1)
    extent = np.maximum(right - left, bottom - top)
    at_edge = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    weight = np.bincount(which, ink[ys, xs] ** 2, minlength=count) * np.where(at_edge, 0.3, 1)
    for k in np.flatnonzero(extent > 0.2 * max(labels.shape)):
        piece = labels[top[k] : bottom[k], left[k] : right[k]] == k
        y, x = (side // 5 for side in piece.shape)
        empty = piece[y : len(piece) - y, x : piece.shape[1] - x].mean() < 0.05
        within = (left >= left[k]) & (top >= top[k]) & (right <= right[k]) & (bottom <= bottom[k])
        if _coverage(piece) > 0.9 and empty and (extent[within] > DUST * extent[k]).sum() > 1:
            weight[k] = 0
    return Pieces(labels, left, top, right, bottom, extent, at_edge, weight)


def _belonging(pieces: Pieces, main: int) -> tuple[Mask, tuple[str, ...]]:
    """Return which pieces belong to the digit with the piece ``main``, and why it may not be whole."""
    left, top, right, bottom, extent = pieces[1:6]
    share = extent / extent[main]
    beside = np.maximum(left - right[main], left[main] - right) / extent[main]
    gap = np.maximum(beside, np.maximum(top - bottom[main], top[main] - bottom) / extent[main])
    counts = (pieces.weight > 0) & (share > DUST)
    part = counts & ~pieces.at_edge & (gap < 0.15) & ((beside < 0) | (share < 0.5) | (gap < 0.05))
    part[main] = True
    other = counts & ~part & (share > 0.4) & (pieces.weight > 0.2 * pieces.weight[main])
    warnings = []
    if pieces.at_edge[main] or (other & pieces.at_edge).any():
        warnings.append("ink touches the picture's edge")
    if others := int((other & ~pieces.at_edge).sum()):
        warnings.append(f"{1 + others} things are written")
    return part, tuple(warnings)


def _lines(mask: Mask) -> Mask:
    """Return the pixels of thin straight lines, level or upright to within six degrees."""
    stroke = np.percentile(np.minimum(_runs(mask), _runs(mask.T).T)[mask], 90)
    level = _level_lines(mask, stroke)
    return level | _level_lines((mask & ~level).T, stroke).T


def _level_lines(mask: Mask, stroke: float) -> Mask:
    """Return the pixels of lines from side to side, and of shorter ones much thinner than the ink."""
    runs = _runs(mask)
    thin = mask & (runs <= stroke / 3)
    through = _in_rows(mask, 0.8, ends=True) & (runs <= max(2, max(mask.shape) / 25))
    if through.any():  # the ink on a line is thicker
        through &= runs <= 1.5 * np.median(runs[through]) + 1
    return np.asarray(through | _in_rows(thin, 0.6, ends=False))


def _in_rows(mask: Mask, least: float, *, ends: bool) -> Mask:
    """Return the pixels of nearly level rows that are filled in a share ``least`` of the PARTS columns.

    With ``ends``, the first and the last column must have ink too.
    """
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    part, on = xs * PARTS // width, np.zeros(len(ys), bool)
    for slope in np.linspace(-0.1, 0.1, 2 * math.ceil(0.05 * width) + 1):
        row = np.rint(ys - slope * (xs - width / 2)).astype(int) + width
        counts = np.bincount(row * PARTS + part, minlength=PARTS * (height + 2 * width)).reshape(-1, PARTS)
        counts[:-1] += counts[1:]  # a line may lie between two rows
        filled = (counts > 0.6 * width / PARTS).sum(axis=1) >= least * PARTS
        if ends:
            filled &= (counts[:, 0] > 0) & (counts[:, -1] > 0)
        on |= (filled | np.roll(filled, 1))[row]
    found = np.zeros_like(mask)
    found[ys[on], xs[on]] = True
    return found


def _runs(mask: Mask) -> NDArray[np.intp]:
    """Return for each true pixel the length of its vertical run of true pixels; 0 for the others."""
    steps = np.diff(np.pad(mask, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    lengths = np.nonzero(steps == -1)[1] - np.nonzero(steps == 1)[1]
    runs = np.zeros(mask.shape, np.intp)
    runs.T[mask.T] = np.repeat(lengths, lengths)
    return runs


def _label(mask: Mask) -> NDArray[np.int32]:
    """Number the connected pieces of a mask from 1; gaps of a pixel or two connect."""
    step = 2 if max(mask.shape) > 100 else 1
    grown = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(3)).reduce(step), bool)
    pieces = Image.fromarray(np.where(grown, -1, 0).astype(np.int32))
    number = 0
    for y, x in np.argwhere(grown).tolist():
        if pieces.getpixel((x, y)) == -1:
            number += 1
            ImageDraw.floodfill(pieces, (x, y), number)
    labels = np.asarray(pieces).repeat(step, axis=0).repeat(step, axis=1)
    return np.where(mask, labels[: mask.shape[0], : mask.shape[1]], 0)


def _coverage(piece: Mask) -> float:
    """For each side of a piece's bounding box, take the share that has ink near it; return the smallest."""
    y, x = (max(1, side // 10) for side in piece.shape)
    sides = piece[:y].any(axis=0), piece[-y:].any(axis=0), piece[:, :x].any(axis=1), piece[:, -x:].any(axis=1)
    return min(float(side.mean()) for side in sides)
