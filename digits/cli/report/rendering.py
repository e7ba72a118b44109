"""Texts and pictures as the page and the cards hold them."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from digits.core.pictures import dark_on_white

#: Larger pictures lose colours, not pixels.
MOST_PIXELS = 4_000_000


def environment(**options: Any) -> Environment:
    """Jinja2 for this package's templates; ``options`` are :class:`jinja2.Environment`'s."""
    options |= {"undefined": StrictUndefined, "keep_trailing_newline": True}
    jinja = Environment(loader=PackageLoader("digits.cli.report"), **options)  # noqa: S701  # callers escape
    jinja.filters |= {
        "decimals": "{:.4f}".format,
        "thousands": "{:,}".format,
        "words": words,
        "listed": listed,
    }
    return jinja


def listed(names: list[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def words(value: Any) -> str:
    """A parameter as params.yaml has it; a dash stands for none."""
    if value is None:
        return "–"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


class Picture(NamedTuple):
    """A picture's ``data:`` URL, and the size to show it at: half its own, for dense screens."""

    url: str
    width: int
    height: int


def picture(path: Path) -> Picture:
    """A PNG file as WebP, which takes a third of the bytes."""
    with Image.open(path) as image:
        return Picture(image_url(image.convert("RGB")), image.width // 2, image.height // 2)


def digit_url(pixels: NDArray[np.uint8], pixel_maximum: int) -> str:
    """An image ``uint8 [height, width]`` with dark ink on white."""
    return image_url(dark_on_white(pixels, pixel_maximum))


def image_url(image: Image.Image) -> str:
    """An image as WebP without loss; a large one, as that of hundreds of units' weights, in fewer colours."""
    if image.width * image.height > MOST_PIXELS:
        image = image.convert("RGB").quantize(64, method=Image.Quantize.MAXCOVERAGE).convert("RGB")
    content = io.BytesIO()
    image.save(content, "WEBP", lossless=True, quality=25)  # of lossless: the effort; bytes + 15 %, time / 2
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")
