"""Convert pictures (Pillow) to grey, and images of the data (arrays) to pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def grey(picture: Image.Image) -> Image.Image:
    """Convert a picture of any mode to 8-bit grey; transparent pixels become white."""
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return Image.fromarray((np.clip(np.asarray(picture), 0, 65_535) // 257).astype(np.uint8))
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("L")


def dark_on_white(pixels: NDArray[np.uint8], pixel_maximum: int) -> Image.Image:
    """Return an image of the data, ``[height, width]`` with full ink at ``pixel_maximum``, as a picture."""
    return Image.fromarray((255 - pixels * (255.0 / pixel_maximum)).round().astype(np.uint8))
