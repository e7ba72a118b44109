"""Bring pictures into the form of a network's training images."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.cli.photo import PAPER, edge, find
from digits.core.model_input import ModelInput
from digits.core.pictures import grey
from digits.train.framing import centre_of_mass


class Framed(NamedTuple):
    """A picture as a network takes it.

    Attributes:
        image: ``uint8 [height, width]`` in 0–``pixel_maximum``, ink high.
        note: what was done to it, for a person to read.
        warnings: why it may not be one whole digit.
    """

    image: NDArray[np.uint8]
    note: str
    warnings: tuple[str, ...]


def frame(picture: Image.Image, model_input: ModelInput) -> Framed | None:
    """Find the ink, scale and place it as in the training images; None if there is none.

    Args:
        picture: of any size, grey or in colours, transparent or not, dark on light or light on dark. One of
            the network's own size is taken as it is.
        model_input: what the network takes.
    """
    if picture.mode.startswith("I"):
        picture = grey(picture)
    if picture.size == (model_input.width, model_input.height):
        return _as_it_is(picture, model_input)
    found = find(picture)
    if found is None:
        return None
    left, top, right, bottom = (round(side) for side in found.box)
    wide, tall = right - left, bottom - top
    scale = model_input.box / max(found.ink.shape)
    size = [
        max(1, min(round(side * scale), limit))
        for side, limit in zip(found.ink.shape[::-1], (model_input.width, model_input.height), strict=True)
    ]
    patch = Image.fromarray(found.ink.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    small = np.clip(np.asarray(patch), 0, 1)
    small /= small.max()
    mass = model_input.centring == "mass"
    centre = centre_of_mass(small) if mass else (size[1] / 2, size[0] / 2)
    row, column = (
        int(np.clip(round(target - own), 0, limit - side))
        for target, own, limit, side in zip(
            model_input.centre, centre, (model_input.height, model_input.width), small.shape, strict=True
        )
    )
    ink = np.zeros((model_input.height, model_input.width))
    ink[row : row + small.shape[0], column : column + small.shape[1]] = small
    place = "centre of mass" if mass else "middle"
    done = f"scaled to {size[0]} × {size[1]}, placed by its {place}"
    note = f"{found.polarity}; ink of {wide} × {tall} {done}"
    return Framed(_painted(ink, model_input), note, found.warnings)


def _as_it_is(picture: Image.Image, model_input: ModelInput) -> Framed | None:
    """Return a picture of the network's own size, with ink as in the training images; it isn't scaled."""
    values = np.asarray(grey(picture), np.float64)
    paper = np.median(edge(values))
    light, dark = np.clip(values - paper, 0, None), np.clip(paper - values, 0, None)
    ink, polarity = (dark, "dark on light") if dark.sum() >= light.sum() else (light, "light on dark")
    if ink.max() < PAPER:
        return None
    return Framed(_painted(ink / 255, model_input), f"{polarity}; taken as it is", ())


def _painted(ink: NDArray[np.float64], model_input: ModelInput) -> NDArray[np.uint8]:
    """Turn ink in 0–1 into pixels with the background and the ink of the training images."""
    return np.rint(model_input.background + ink * (model_input.full_ink - model_input.background)).astype(
        np.uint8
    )
