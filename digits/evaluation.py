"""Compare a network's answers with the truth.

In NumPy: importing scikit-learn and SciPy takes three times as long as all else that an evaluation of
MNIST does. Tests hold each figure to theirs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digits.calibration import expected_calibration_error
from digits.examples import Labels
from digits.significance import wilson_interval

#: The log loss in nats of an answer that is wrong and sure, where scikit-learn clips probabilities.
SURE_AND_WRONG = -float(np.log(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Answers:
    """What a network answers for labelled images.

    Attributes:
        labels: the true classes, ``[n]``.
        log_probabilities: natural logarithms, ``float64 [n, classes]``.
    """

    labels: Labels
    log_probabilities: NDArray[np.float64]

    @classmethod
    def from_logits(cls, labels: Labels, logits: NDArray[np.float32]) -> "Answers":
        """The answers that ``logits`` ``[n, classes]`` stand for."""
        scores = logits.astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)  # so that no exponential overflows
        return cls(labels, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The likeliest class of each image, ``[n]``."""
        return np.asarray(self.log_probabilities.argmax(axis=1))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Of each class, ``[n, classes]``, in rows that sum to 1."""
        return np.asarray(np.exp(self.log_probabilities))


def summary(answers: Answers) -> dict[str, float | int]:
    """The figures of one split, as they go into a metrics file.

    ``accuracy_low`` and ``accuracy_high`` are the 95 % interval of the accuracy. ``brier_score`` is the
    squared distance of the probabilities from the truth (Brier 1950; 0 to 2, 0 to 1 for two classes).
    ``log_loss`` is that of the network's probabilities. ``log_loss_of_predicted_classes`` is the
    one that the course's notebook prints: of one-hot predicted classes, as if the network were
    sure of each answer.
    """
    labels, predicted, probabilities = answers.labels, answers.predicted, answers.probabilities
    own = np.arange(len(labels)), labels
    right = predicted == labels
    low, high = wilson_interval(int(right.sum()), len(right))
    truth = np.zeros_like(probabilities)
    truth[own] = 1
    return {
        "accuracy": float(right.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        # Not clipped, which would hide how wrong a network is that has diverged.
        "log_loss": float(-answers.log_probabilities[own].mean()),
        "log_loss_of_predicted_classes": float((~right).mean()) * SURE_AND_WRONG,
        "macro_f1": _macro_f1(answers),
        "brier_score": float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        "expected_calibration_error": expected_calibration_error(probabilities.max(axis=1), right),
        "examples": len(labels),
    }


class _PerClass(NamedTuple):
    """Of each class, ``[classes]``."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    examples: NDArray[np.int64]
    predicted: NDArray[np.int64]


def _per_class(answers: Answers) -> _PerClass:
    classes = answers.log_probabilities.shape[1]
    examples = np.bincount(answers.labels, minlength=classes)
    predicted = np.bincount(answers.predicted, minlength=classes)
    right = np.bincount(answers.labels[answers.predicted == answers.labels], minlength=classes)
    return _PerClass(
        precision=_shares(right, predicted),
        recall=_shares(right, examples),
        f1=_shares(2 * right, examples + predicted),
        examples=examples,
        predicted=predicted,
    )


def _shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """``part / whole``, and 0 of nothing."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _macro_f1(answers: Answers) -> float:
    """The mean F1 of the classes that are there or predicted: the others have none."""
    figures = _per_class(answers)
    return float(figures.f1[figures.examples + figures.predicted > 0].mean())


def per_class(answers: Answers, class_names: tuple[str, ...]) -> list[tuple[str, float, float, float, int]]:
    """Class name, precision, recall, F1 and examples, for each class."""
    columns = [column.tolist() for column in _per_class(answers)[:4]]
    return list(zip(class_names, *columns, strict=True))
