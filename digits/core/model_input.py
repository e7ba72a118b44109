"""What a network takes, and how the images that it learnt from were framed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from digits.core.errors import InputError, excerpt
from digits.core.files import write_json


@dataclass(frozen=True)
class ModelInput:
    """What a network takes, and how the images that it learnt from were framed.

    Attributes:
        height: of an image, in pixels.
        width: the same.
        pixel_maximum: the value of full ink.
        class_names: in the order of the network's answers.
        box: the longer side of a typical image's ink, in pixels.
        centring: what lies at the same place in all images: the ink's centre of mass, or its box's.
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
