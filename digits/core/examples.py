"""Labelled images as the pipeline holds them, in memory and in a file."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.core.files import reading, replacing

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Examples:
    """Images with their labels, the range of the pixels and the names of the classes.

    Attributes:
        images: ``uint8 [n, height, width]``, each pixel in 0–``pixel_maximum``.
        labels: ``uint8 [n]``, each an index into ``class_names``.
        pixel_maximum: the highest value that a pixel can have.
        class_names: one for each class, in the order of the labels.
    """

    images: Images
    labels: Labels
    pixel_maximum: int
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def height(self) -> int:
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        return int(self.images.shape[2])

    @property
    def edges(self) -> Images:
        """The outermost pixels of each image, ``[n, 2 × (height + width)]``; corners are there twice."""
        sides = [self.images[:, 0], self.images[:, -1], self.images[:, :, 0], self.images[:, :, -1]]
        return np.concatenate(sides, axis=1)

    def take(self, rows: NDArray[np.intp] | slice) -> "Examples":
        """The examples at ``rows``, in that order."""
        return Examples(self.images[rows], self.labels[rows], self.pixel_maximum, self.class_names)

    def digest(self) -> bytes:
        """The SHA-256 of the images, labels, pixel maximum and class names."""
        header = self.images.shape, self.images.dtype.str, self.pixel_maximum, self.class_names
        return sha256(repr(header).encode() + self.images.tobytes() + self.labels.tobytes()).digest()

    def rows_per_class(self) -> dict[str, int]:
        """The number of examples of each class, by its name."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write a ``.npz`` file that :meth:`load` reads; the same examples give the same bytes."""
        with replacing(path) as partial, partial.open("wb") as file:
            # NumPy writes the same date into each archive. Compression would be slow and save little.
            np.savez(
                file,
                images=self.images,
                labels=self.labels,
                pixel_maximum=np.int64(self.pixel_maximum),
                class_names=np.array(self.class_names),
            )

    @classmethod
    def load(cls, path: Path) -> "Examples":
        """Read what :meth:`save` wrote."""
        with reading(path, "split"), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
            return cls(images, labels, int(archive["pixel_maximum"]), tuple(archive["class_names"].tolist()))
