"""What a network expects of an image, handed on in input.json."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter
from pydantic.dataclasses import dataclass

from digits.core.files import reading, write_json


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ModelInput:
    """The images that a network takes: their size and classes, and the size and place of the ink.

    Attributes:
        height: of an image, in pixels.
        width: the same.
        pixel_maximum: the highest value that a pixel can have.
        class_names: in the order of the network's answers.
        box: the longer side of the ink's bounding box in a typical image, in pixels.
        centring: what the images are centred by: the ink's centre of ``mass``, or its bounding ``box``.
        centre: where that lies: row and column in pixels, from the image's top left corner.
        background: the value of a pixel without ink.
    """

    height: Annotated[int, Field(gt=0, le=4096)]
    width: Annotated[int, Field(gt=0, le=4096)]
    pixel_maximum: Annotated[int, Field(gt=0, le=255)]
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    box: Annotated[int, Field(gt=0, le=4096)]
    centring: Literal["mass", "box"]
    centre: tuple[FiniteFloat, FiniteFloat]
    background: Annotated[int, Field(ge=0, le=255)] = 0

    @property
    def full_ink(self) -> int:
        """The value of a pixel that ink covers: 0 if the background is light, else ``pixel_maximum``."""
        return 0 if 2 * self.background > self.pixel_maximum else self.pixel_maximum

    def save(self, path: Path) -> None:
        """Write a JSON file that :meth:`load` reads."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "ModelInput":
        """Read what :meth:`save` wrote."""
        with reading(path, "train"):
            return TypeAdapter(cls).validate_json(path.read_bytes())
