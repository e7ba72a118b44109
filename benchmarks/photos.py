"""Count how well `digits predict` reads each kind of photo: python -m benchmarks.photos [models/dnn]

Draws MNIST's test digits as 100 photos of each kind, and counts the right and the wrong answers, without and
with a warning. The model is that of `make mnist RECIPE=quick`.
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.measuring import MNIST
from digits.cli.predict import predict
from digits.core.errors import InputError
from digits.core.model_input import ModelInput

PHOTOS, SIDE = 100, 200
Values = NDArray[Any]
DOWN, RIGHT = np.mgrid[0:SIDE, 0:SIDE] / SIDE
TO_EDGE = SIDE * np.minimum.reduce([DOWN, RIGHT, 1 - DOWN, 1 - RIGHT])


def draw(paper: Values | float, ink: Values, ink_grey: float = 0.12) -> Values:
    """Return the grey of paper with ink on it."""
    return paper * (1 - ink) + ink_grey * ink


def lines(random: np.random.Generator, slope: float = 0) -> Values:
    """Return white paper with grey lines, horizontal if there is no slope."""
    pitch, thick = random.uniform(18, 32), random.uniform(1, 2)
    across = (SIDE * (DOWN + slope * RIGHT) + random.uniform(0, pitch)) % pitch
    return np.asarray(0.96 - 0.4 * np.clip(thick / 2 + 0.5 - np.abs(across - pitch / 2), 0, 1))


def on_table(sheet: Values, random: np.random.Generator, table: Values | float) -> Values:
    turn, (top, bottom, left, right) = random.uniform(-0.15, 0.15), random.uniform(0.06, 0.16, 4)
    y, x = DOWN + turn * (RIGHT - 0.5), RIGHT - turn * (DOWN - 0.5)
    return np.where((y > top) & (y < 1 - bottom) & (x > left) & (x < 1 - right), sheet, table)


#: From the ink of a digit, 0–1 on a sheet of SIDE × SIDE, to the grey of a photo, 0–1.
KINDS: dict[str, Callable[[Values, np.random.Generator], Values]] = {
    "plain": lambda ink, r: draw(0.96, ink),
    "inverted": lambda ink, r: 1 - draw(0.96, ink),
    "JPEG": lambda ink, r: draw(0.96, ink),
    "turned by its camera": lambda ink, r: draw(0.96, ink),
    "white on transparent": lambda ink, r: ink,
    "light falls to 0.6": lambda ink, r: draw(0.96, ink) * (1 - 0.4 * RIGHT),
    "dark corners": lambda ink, r: draw(0.96, ink) * (1 - (DOWN - 0.5) ** 2 - (RIGHT - 0.5) ** 2),
    "edge of a shadow": lambda ink, r: draw(0.96, ink) * np.where(DOWN + RIGHT < 1, 0.6, 1),
    "lined": lambda ink, r: draw(lines(r), ink),
    "lined, slanting": lambda ink, r: draw(lines(r, r.uniform(-0.08, 0.08)), ink),
    "squared": lambda ink, r: draw(np.minimum(lines(r), lines(r).T), ink),
    "two lines": lambda ink, r: draw(0.96 - 0.5 * ((DOWN == 0.4) | (RIGHT == 0.55)), ink),
    "frame": lambda ink, r: draw(0.96, np.maximum(ink, np.abs(TO_EDGE - r.uniform(4, 16)) < r.uniform(1, 3))),
    "specks": lambda ink, r: draw(0.96, np.fmax(ink, ndimage.grey_dilation(r.random(ink.shape) > 0.9999, 3))),
    "dark table": lambda ink, r: on_table(draw(0.96, ink), r, 0.2),
    "wooden table": lambda ink, r: on_table(
        draw(0.96, ink), r, 0.35 + ndimage.gaussian_filter(r.normal(size=ink.shape), (1, 25))
    ),
    "noise": lambda ink, r: draw(0.85, ink) + r.normal(0, 0.08, ink.shape),
    "pencil": lambda ink, r: draw(0.96, ndimage.grey_erosion(ink, 4), 0.5) + r.normal(0, 0.01, ink.shape),
    "two digits": lambda ink, r: draw(0.96, np.hstack([ink[:, ::2], ink[:, ::2]])),
    "cut off": lambda ink, r: draw(0.96, ink)[:, 100:],
}


def photo(kind: str, digit: NDArray[np.uint8], random: np.random.Generator, folder: str) -> str:
    """Draw a digit near the middle of a sheet, a third to a half as large, and return the photo's path."""
    side, sheet = int(random.integers(100, 141)), Image.new("L", (SIDE, SIDE))
    place = (SIDE - side) // 2 + random.integers(-15, 16, 2)
    sheet.paste(Image.fromarray(digit).resize((side, side)), (int(place[0]), int(place[1])))
    grey = np.clip(KINDS[kind](np.asarray(sheet) / 255, random), 0, 1) * 255
    picture, exif = Image.fromarray(grey.round().astype(np.uint8)), Image.Exif()
    if kind == "turned by its camera":
        picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
    elif kind == "white on transparent":
        picture = Image.merge("LA", [Image.new("L", picture.size, 255), picture])
    picture.save(path := f"{folder}/photo.{'jpg' if kind == 'JPEG' else 'png'}", exif=exif, quality=50)
    return path


def main(model: Path) -> None:
    table = np.loadtxt(MNIST / "mnist_test.csv", np.uint8, delimiter=",", max_rows=5_000)
    model_input = ModelInput.load(model / "input.json")
    print(f"{'':21} right, unwarned   right, warned wrong, unwarned   wrong, warned")
    with TemporaryDirectory() as folder:
        for kind in KINDS:
            random, count = np.random.default_rng(0), Counter[tuple[bool, bool]]()
            for label, *pixels in random.choice(table, PHOTOS, replace=False):
                path = photo(kind, np.array(pixels, np.uint8).reshape(28, 28), random, folder)
                try:
                    found = predict(path, model_input, model / "model.tflite")
                    count[found.label == str(label), bool(found.warning)] += 1
                except InputError:  # no ink
                    count[False, True] += 1
            results = (f"{count[right, warned]:15}" for right in (True, False) for warned in (False, True))
            print(f"{kind:21}", *results, flush=True)


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or ["models/dnn"]))
