"""Pictures from anywhere, framed as the images are that a network was trained on.

MNIST's digits were scaled to fit a box of 20 × 20 pixels and put into 28 × 28 by their centre of mass
(LeCun et al. 1998, section III.A). Other data have other customs, so they are measured, not assumed.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digits.errors import InputError, excerpt
from digits.examples import Examples
from digits.files import write_json

#: A pixel has ink if it differs from the background by more than this share of what differs most.
INK = 0.2
#: Differences of less than this, of 255, are no ink but the paper.
PAPER = 32
#: So many training images are looked at to learn where their ink lies.
MEASURED = 2_000
#: A picture of more pixels than this is made smaller first: a network sees less than a thousand of them.
MOST_PIXELS = 4_000_000


@dataclass(frozen=True)
class ModelInput:
    """What a network takes, and how the images that it learnt from were framed.

    Attributes:
        height: of an image, in pixels.
        width: the same.
        pixel_maximum: the value of full ink.
        class_names: in the order of the network's answers.
        box: the longer side of a typical image's ink, in pixels.
        centring: whether the centre of mass or of the ink's box lies at the same place in all of them.
        centre: that place, as row and column in pixels from the first pixel's edge.
    """

    height: int
    width: int
    pixel_maximum: int
    class_names: tuple[str, ...]
    box: int
    centring: Literal["mass", "box"]
    centre: tuple[float, float]

    def __post_init__(self) -> None:
        for name, limit in {"height": 4096, "width": 4096, "pixel_maximum": 255, "box": 4096}.items():
            value = getattr(self, name)
            if type(value) is not int or not 0 < value <= limit:
                raise ValueError(f"{name} {excerpt(value)}, not an integer from 1 to {limit}")
        names = self.class_names
        if not all(isinstance(name, str) for name in names) or not 1 < len(set(names)) == len(names):
            raise ValueError(f"class_names {excerpt(names)}, not two or more different texts")
        if self.centring not in ("mass", "box"):
            raise ValueError(f"centring {excerpt(self.centring)}, not mass or box")
        row, column = self.centre
        if not (0 <= row <= self.height and 0 <= column <= self.width):  # NaN neither
            raise ValueError(f"centre {excerpt(self.centre)}, not a place in the image")

    @classmethod
    def measure(cls, examples: Examples) -> "ModelInput":
        """From training images."""
        images = examples.images[:MEASURED]
        ink = images[np.asarray(images.any(axis=(1, 2)))].astype(np.float64)
        if not len(ink):
            ink = np.ones((1, examples.height, examples.width))
        rows, columns = (_extents(np.asarray(ink.any(axis=axis))) for axis in (2, 1))
        sides = np.maximum(rows[:, 1] - rows[:, 0], columns[:, 1] - columns[:, 0])
        places: dict[Literal["mass", "box"], NDArray[np.float64]] = {
            "mass": np.array([_centre_of_mass(image) for image in ink]),
            "box": np.column_stack([rows.mean(axis=1), columns.mean(axis=1)]),
        }
        centring = min(places, key=lambda name: float(places[name].std(axis=0).sum()))
        row, column = places[centring].mean(axis=0).round(3).tolist()
        return cls(
            examples.height,
            examples.width,
            examples.pixel_maximum,
            examples.class_names,
            int(np.median(sides)),
            centring,
            (row, column),
        )

    def save(self, path: Path) -> None:
        """Write a JSON file that :meth:`load` reads."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "ModelInput":
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the file is damaged.
            OSError: it can't be read.
        """
        try:
            document = json.loads(path.read_bytes())
            document["class_names"] = tuple(document["class_names"])
            document["centre"] = tuple(document["centre"])
            return cls(**document)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                path, found=f"a damaged file ({error})", expected="a model's input", do="dvc repro train"
            ) from None


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
    (top, bottom), (left, right) = (_extents(np.atleast_2d(inked.any(axis=at)))[0] for at in (1, 0))
    tall, wide = bottom - top, right - left
    scale = to.box / max(tall, wide)
    size = (_fit(wide * scale, to.width), _fit(tall * scale, to.height))
    patch = Image.fromarray(ink[top:bottom, left:right].astype(np.float32))
    small = np.clip(np.asarray(patch.resize(size, Image.Resampling.BICUBIC)), 0, 1)
    small /= small.max()
    centre = _centre_of_mass(small) if to.centring == "mass" else (size[1] / 2, size[0] / 2)
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
    """How much ink each pixel has, ``[height, width]`` in 0–1, and its polarity in words."""
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


def _extents(any_ink: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where each row's true values begin and end, ``[n, 2]``."""
    length = any_ink.shape[1]
    return np.column_stack([any_ink.argmax(axis=1), length - any_ink[:, ::-1].argmax(axis=1)])


def _centre_of_mass(ink: NDArray[np.floating]) -> tuple[float, float]:
    """Row and column, in pixels from the first pixel's edge."""
    ink = ink.astype(np.float64)
    total = ink.sum()
    rows, columns = (np.arange(side) + 0.5 for side in ink.shape)
    return float(ink.sum(axis=1) @ rows / total), float(ink.sum(axis=0) @ columns / total)


def _fit(length: float, limit: int) -> int:
    return max(1, min(round(length), limit))
