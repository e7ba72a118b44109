"""Frame pictures from anywhere as the images are that a network was trained on."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.core.model_input import ModelInput
from digits.train.framing import centre_of_mass, extents

#: A pixel has ink if it differs from the background by more than this share of what differs most.
INK = 0.2
#: Differences of less than this, of 255, are no ink but the paper.
PAPER = 32
#: A picture of more pixels than this is made smaller first: a network sees less than a thousand of them.
MOST_PIXELS = 4_000_000


class Framed(NamedTuple):
    """A picture as a network takes it.

    Attributes:
        image: ``uint8 [height, width]`` in 0–``pixel_maximum``, ink high.
        note: what was done to it, for a person to read.
    """

    image: NDArray[np.uint8]
    note: str


def frame(picture: Image.Image, to: ModelInput) -> Framed | None:
    """Find the ink, scale and place it as in the training images; None if there is none.

    Ink is what differs from the background, which is what most of the edge looks like: dark on light
    and light on dark are alike.

    Args:
        picture: of any size, grey or in colours, transparent or not.
        to: what the network takes.
    """
    picture, reduced = _smaller(picture)
    found = _ink(picture)
    if found is None:
        return None
    ink, polarity = found
    inked = ink > INK
    (top, bottom), (left, right) = (extents(np.atleast_2d(inked.any(axis=axis)))[0] for axis in (1, 0))
    tall, wide = bottom - top, right - left
    scale = to.box / max(tall, wide)
    size = (_fit(wide * scale, to.width), _fit(tall * scale, to.height))
    patch = Image.fromarray(ink[top:bottom, left:right].astype(np.float32))
    small = np.clip(np.asarray(patch.resize(size, Image.Resampling.BICUBIC)), 0, 1)
    small /= small.max()
    centre = centre_of_mass(small) if to.centring == "mass" else (size[1] / 2, size[0] / 2)
    row, column = (
        int(np.clip(round(target - own), 0, limit - side))
        for target, own, limit, side in zip(
            to.centre, centre, (to.height, to.width), small.shape, strict=True
        )
    )
    image = np.zeros((to.height, to.width), np.uint8)
    image[row : row + size[1], column : column + size[0]] = np.rint(small * to.pixel_maximum)
    what = "centre of mass" if to.centring == "mass" else "middle"
    wide, tall = wide * reduced, tall * reduced  # as the picture was
    note = f"{polarity}; ink of {wide} × {tall} scaled to {size[0]} × {size[1]}, placed by its {what}"
    return Framed(image, note)


def _smaller(picture: Image.Image) -> tuple[Image.Image, int]:
    """The picture with 8 bits a channel, RGBA if it is transparent; and by what its sides were divided."""
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        picture = Image.fromarray((np.clip(np.asarray(picture), 0, 65_535) // 257).astype(np.uint8))
    if picture.has_transparency_data and picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    factor = math.ceil(math.sqrt(picture.width * picture.height / MOST_PIXELS))
    if factor <= 1:
        return picture, 1
    if picture.mode in ("1", "P"):  # of which no mean can be taken
        picture = picture.convert("RGB")
    return picture.reduce(factor), factor


def _ink(picture: Image.Image) -> tuple[NDArray[np.float64], str] | None:
    """Return the ink of each pixel, ``[height, width]`` in 0–1, and ``dark on light`` or ``light on dark``.

    None for a blank picture.
    """
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    colours = np.asarray(picture.convert("RGB"), np.float64)
    grey = np.asarray(picture.convert("L"), np.float64)
    # Red on green may be the same grey: whichever channel shows most.
    channel = max([grey, *np.moveaxis(colours, -1, 0)], key=lambda values: float(values.std()))
    edge = np.concatenate([channel[0], channel[-1], channel[:, 0], channel[:, -1]])
    difference = channel - np.median(edge)
    darker, lighter = np.clip(-difference, 0, None), np.clip(difference, 0, None)
    ink, polarity = (darker, "dark on light") if darker.sum() >= lighter.sum() else (lighter, "light on dark")
    if ink.max() < PAPER:
        return None
    return ink / ink.max(), polarity


def _fit(length: float, limit: int) -> int:
    return max(1, min(round(length), limit))
