"""Compare a network's answers with the truth.

In NumPy: importing scikit-learn and SciPy takes three times as long as all else that an evaluation of
MNIST does. Tests hold each figure to theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Labels
from digits.core.predictions import Predictions
from digits.evaluate.calibration import expected_calibration_error

#: The log loss in nats of an answer that is wrong and sure, where scikit-learn clips probabilities.
SURE_AND_WRONG = -float(np.log(np.finfo(np.float64).eps))
#: A standard normal value is within ± this with a probability of 95 %.
Z = 1.959963984540054


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
    def right(self) -> NDArray[np.bool_]:
        """Whether that is the true class, ``[n]``."""
        return np.asarray(self.predicted == self.labels)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Of each class, ``[n, classes]``, in rows that sum to 1."""
        return np.asarray(np.exp(self.log_probabilities))

    def predictions(self, class_names: tuple[str, ...]) -> Predictions:
        """The same as a table to save: of the classes, the true one and the likeliest."""
        images, probabilities = np.arange(len(self.labels)), self.probabilities
        return Predictions(
            class_names,
            self.labels.astype(np.intp),
            self.predicted,
            probabilities[images, self.labels],
            probabilities[images, self.predicted],
        )


def accuracy(answers: Answers) -> float:
    """The share of right answers."""
    return float(answers.right.mean())


def log_loss(answers: Answers) -> float:
    """The mean negative log-probability of the true class, in nats."""
    # Not clipped, which would hide how wrong a network is that has diverged.
    return float(-answers.log_probabilities[np.arange(len(answers.labels)), answers.labels].mean())


def macro_f1(answers: Answers) -> float:
    """The mean F1 of the classes that are there or predicted: the others have none."""
    figures = _per_class(answers)
    return float(figures.f1[figures.examples + figures.predicted > 0].mean())


def log_loss_of_predicted_classes(answers: Answers) -> float:
    """The figure of the course's notebook: the log loss of one-hot predicted classes, in nats."""
    return float((~answers.right).mean()) * SURE_AND_WRONG


def brier_score(answers: Answers) -> float:
    """The mean squared distance of the probabilities from the truth (Brier 1950), 0 to 2."""
    truth = np.eye(answers.log_probabilities.shape[1])[answers.labels]
    return float(((answers.probabilities - truth) ** 2).sum(axis=1).mean())


def calibration_error(answers: Answers) -> float:
    """The mean gap between confidence and accuracy, 0 to 1."""
    return expected_calibration_error(answers.probabilities.max(axis=1), answers.right)


class Metric(NamedTuple):
    """One figure of a network on one split.

    Attributes:
        name: in files.
        label: for people.
        higher_is_better: whether a larger figure is the better one.
        compute: the function that gives it.
        in_git: whether it stands in metrics/<model>.json; else beside the predictions alone.
    """

    name: str
    label: str
    higher_is_better: bool
    compute: Callable[[Answers], float]
    in_git: bool = False


#: Every metric of this project. A new one needs its function above and a line here.
METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", True, accuracy, in_git=True),
        Metric("log_loss", "log loss", False, log_loss, in_git=True),
        Metric("macro_f1", "macro F1", True, macro_f1, in_git=True),
        Metric(
            "log_loss_of_predicted_classes",
            "log loss of predicted classes",
            False,
            log_loss_of_predicted_classes,
        ),
        Metric("brier_score", "Brier score", False, brier_score),
        Metric("expected_calibration_error", "expected calibration error", False, calibration_error),
    )
}


def evaluate(answers: Answers) -> dict[str, float]:
    """All :data:`METRICS` of the answers, by name."""
    return {metric.name: metric.compute(answers) for metric in METRICS.values()}


class Interval(NamedTuple):
    low: float
    high: float


def wilson_interval(correct: int, examples: int) -> Interval:
    """Wilson's (1927) 95 % interval of a share: ``correct`` of ``examples``."""
    share, spread = correct / examples, Z**2 / examples
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


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
    right = np.bincount(answers.labels[answers.right], minlength=classes)
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


class ClassScore(NamedTuple):
    """The figures of one class; ``examples`` is how many images are of it."""

    name: str
    precision: float
    recall: float
    f1: float
    examples: int


def per_class(answers: Answers, class_names: tuple[str, ...]) -> list[ClassScore]:
    """Precision, recall and F1 of each class."""
    columns = [column.tolist() for column in _per_class(answers)[:4]]
    return [ClassScore(*row) for row in zip(class_names, *columns, strict=True)]
