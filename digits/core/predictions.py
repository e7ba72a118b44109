"""What a network answered on one split, image by image, handed on as a table."""

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
    """The answers to ``n`` images, in their order.

    Attributes:
        class_names: what the numbers of ``actual`` and ``predicted`` stand for.
        actual: the true classes, ``[n]``.
        predicted: the likeliest ones, ``[n]``.
        probability_of_actual: that the network gave the true class, ``[n]`` in 0–1.
        confidence: the probability that it gave its answer, ``[n]`` in 0–1.
    """

    class_names: tuple[str, ...]
    actual: NDArray[np.intp]
    predicted: NDArray[np.intp]
    probability_of_actual: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write a CSV file that :meth:`load` reads, a row for each image, classes by their names."""
        names = self.class_names
        columns = (
            [names[label] for label in self.actual.tolist()],
            [names[label] for label in self.predicted.tolist()],
            [f"{value:.6g}" for value in self.probability_of_actual],
            [f"{value:.6g}" for value in self.confidence],
        )
        write_csv(path, COLUMNS, list(zip(*columns, strict=True)))

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "Predictions":
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the file is missing or damaged, or names other classes.
        """
        with reading(path, "evaluate"):
            return cls.parse(path.read_bytes(), class_names)

    @classmethod
    def parse(cls, content: bytes, class_names: tuple[str, ...] | None = None) -> "Predictions":
        """Read the content of a file that :meth:`save` wrote.

        Args:
            content: of the file.
            class_names: in the order of the classes; None: those in the file, in alphabetical order.

        Raises:
            ValueError: the table is damaged, or names other classes.
        """
        try:
            reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
            if reader.fieldnames != list(COLUMNS):
                raise ValueError(f"columns {reader.fieldnames}")
            rows = list(reader)
            actual, predicted, of_actual, confidence = ([row[name] for row in rows] for name in COLUMNS)
            names = class_names or tuple(sorted({*actual, *predicted}))
            number = {name: number for number, name in enumerate(names)}
            probabilities = [np.array(column, np.float64) for column in (of_actual, confidence)]
            if not all(((column >= 0) & (column <= 1)).all() for column in probabilities):
                raise ValueError("a probability outside of 0–1")
            return cls(
                names,
                np.array([number[name] for name in actual], np.intp),
                np.array([number[name] for name in predicted], np.intp),
                *probabilities,
            )
        except (csv.Error, KeyError, TypeError) as error:
            raise ValueError(str(error)) from None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is the true class, ``[n]``."""
        return np.asarray(self.actual == self.predicted)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each image in nats, ``[n]``."""
        # What was too small to write is no zero, of which there is no logarithm.
        return -np.log(np.maximum(self.probability_of_actual, np.finfo(np.float64).tiny))

    def same_images(self, other: "Predictions") -> bool:
        """Whether both are of images with the same true classes, in the same order."""
        names, others = np.array(self.class_names), np.array(other.class_names)
        return np.array_equal(names[self.actual], others[other.actual])

    def surest_mistakes(self) -> NDArray[np.intp]:
        """The rows of the wrong answers, those of which the network was surest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def confusion(self) -> NDArray[np.int64]:
        """How many images of each true class (row) were given each answer (column)."""
        classes = len(self.class_names)
        cells = np.bincount(self.actual * classes + self.predicted, minlength=classes**2)
        return cells.reshape(classes, classes)
