"""What a network answered on one split, image by image, as it is kept beside the metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.errors import InputError
from digits.evaluation import Answers
from digits.files import read_csv, write_csv

COLUMNS = ("actual", "predicted", "probability_of_actual", "probability_of_predicted")


def save_predictions(answers: Answers, class_names: tuple[str, ...], path: Path) -> None:
    """Write a row for each image, in their order: true class, answer, and the probability of each."""
    write_csv(
        path,
        COLUMNS,
        [
            (class_names[actual], class_names[guess], f"{row[actual]:.6g}", f"{row[guess]:.6g}")
            for actual, guess, row in zip(
                answers.labels.tolist(), answers.predicted.tolist(), answers.probabilities, strict=True
            )
        ],
    )


@dataclass(frozen=True, eq=False)
class Predicted:
    """The table that :func:`save_predictions` wrote, of ``n`` images.

    Attributes:
        actual: the true classes' numbers, ``[n]``.
        predicted: the answers', ``[n]``.
        confidence: the probability that each answer was given, ``[n]`` in 0–1.
    """

    actual: NDArray[np.intp]
    predicted: NDArray[np.intp]
    confidence: NDArray[np.float64]

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "Predicted":
        """Read it.

        Raises:
            InputError: the file is damaged, or names other classes.
            OSError: it can't be opened.
        """
        numbers = {name: number for number, name in enumerate(class_names)}
        try:
            actual, predicted, _, confidence = map(read_csv(path).__getitem__, COLUMNS)
            return cls(
                np.array([numbers[name] for name in actual], np.intp),
                np.array([numbers[name] for name in predicted], np.intp),
                np.array(confidence, np.float64),
            )
        except (IndexError, KeyError, ValueError) as error:
            raise InputError(
                path, found=f"a damaged table ({error})", expected="predictions", do="dvc repro evaluate"
            ) from None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is the true class, ``[n]``."""
        return np.asarray(self.actual == self.predicted)

    def surest_mistakes(self) -> NDArray[np.intp]:
        """The rows of the wrong answers, those of which the network was surest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def confusion(self, classes: int) -> NDArray[np.int64]:
        """How many images of each true class (row) were given each answer (column)."""
        cells = np.bincount(self.actual * classes + self.predicted, minlength=classes**2)
        return cells.reshape(classes, classes)
