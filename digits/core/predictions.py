"""A network's predictions for one split, image by image, handed on as a table."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.core.files import reading, write_csv

COLUMNS = ("actual", "predicted", "probability_of_actual", "probability_of_predicted")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for ``n`` images, in their order; ``confidence`` is the probability of ``predicted``."""

    class_names: tuple[str, ...]
    actual: NDArray[np.intp]
    predicted: NDArray[np.intp]
    probability_of_actual: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write a CSV file that :meth:`load` reads, a row for each image, classes by their names."""
        rows = zip(self.actual, self.predicted, self.probability_of_actual, self.confidence, strict=True)
        names = self.class_names
        write_csv(path, COLUMNS, [(names[a], names[b], f"{p:.6g}", f"{q:.6g}") for a, b, p, q in rows])

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "Predictions":
        """Read what :meth:`save` wrote; an InputError if that is damaged, or names other classes."""
        with reading(path, "evaluate"):
            return cls.parse(path.read_bytes(), class_names)

    @classmethod
    def parse(cls, content: bytes, class_names: tuple[str, ...] | None = None) -> "Predictions":
        """Read the content of a file that :meth:`save` wrote; a ValueError if it is damaged.

        Without ``class_names``, the names in the file are used, in alphabetical order.
        """
        header, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
        if header != list(COLUMNS):
            raise ValueError(f"columns {header}")
        actual, predicted, of_actual, confidence = zip(*rows, strict=True)
        names = class_names or tuple(sorted({*actual, *predicted}))
        return cls(
            names,
            np.array([names.index(name) for name in actual]),
            np.array([names.index(name) for name in predicted]),
            np.array(of_actual, np.float64),
            np.array(confidence, np.float64),
        )

    @property
    def right(self) -> NDArray[np.bool_]:
        """True where the predicted class is the true one, ``bool [n]``."""
        return np.asarray(self.actual == self.predicted)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each image in nats, ``[n]``."""
        # A tiny probability may be 0 in the file, and 0 has no logarithm.
        return -np.log(np.maximum(self.probability_of_actual, np.finfo(np.float64).tiny))

    def same_images(self, other: "Predictions") -> bool:
        """True if both have the same true classes in the same order."""
        names, others = np.array(self.class_names), np.array(other.class_names)
        return np.array_equal(names[self.actual], others[other.actual])

    def surest_mistakes(self) -> NDArray[np.intp]:
        """The rows of the wrong predictions, in order of falling confidence."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def confusion(self) -> NDArray[np.int64]:
        """The number of images of each true class (row) that were taken for each class (column)."""
        classes = len(self.class_names)
        cells = np.bincount(self.actual * classes + self.predicted, minlength=classes**2)
        return cells.reshape(classes, classes)
