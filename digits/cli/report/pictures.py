"""PNG pictures inside a page, as ``data:`` URLs."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png_url(content: bytes) -> str:
    """A PNG file as a ``data:`` URL."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def digit_url(pixels: NDArray[np.uint8], pixel_maximum: int) -> str:
    """An image ``uint8 [height, width]`` with dark ink on white."""
    return _image_url(Image.fromarray((255 - pixels * (255.0 / pixel_maximum)).round().astype(np.uint8)))


def weights_url(path: Path) -> str:
    """A picture of weights with at most 256 colours, which takes a third of the file's bytes."""
    with Image.open(path) as image:
        return _image_url(image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE))


def _image_url(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return png_url(content.getvalue())
