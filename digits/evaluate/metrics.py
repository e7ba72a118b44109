"""Compare a network's answers with the truth; scikit-learn computes the scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when first used
from numpy.typing import NDArray

from digits.core.examples import Labels
from digits.core.lean import import_without
from digits.core.predictions import Predictions
from digits.evaluate.calibration import bins


@cache
def _scikit_learn() -> Any:
    """scikit-learn's metrics. The import takes a second; commands that read saved scores don't need it."""
    with import_without("pandas"):
        import sklearn.metrics

    return sklearn.metrics


@dataclass(frozen=True)
class Answers:
    """A network's probabilities for images, ``float64 [n, classes]``, and the true classes ``labels [n]``."""

    labels: Labels
    probabilities: NDArray[np.float64]

    @classmethod
    def from_logits(cls, labels: Labels, logits: NDArray[np.float32]) -> "Answers":
        """The answers that ``logits`` ``[n, classes]`` stand for."""
        return cls(labels, scipy.special.softmax(logits.astype(np.float64), axis=1))

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """The most probable class of each image, ``[n]``."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each predicted class is the true one, ``[n]``."""
        return np.asarray(self.predicted == self.labels)

    @property
    def classes(self) -> NDArray[np.intp]:
        """The number of each class, ``[classes]``: some may be neither in the labels nor predicted."""
        return np.arange(self.probabilities.shape[1])

    def predictions(self, class_names: tuple[str, ...]) -> Predictions:
        """Return a table to save: the true and the predicted class of each image, and their probabilities."""
        images, actual = np.arange(len(self.labels)), self.labels.astype(np.intp)
        of_actual, confidence = self.probabilities[images, actual], self.probabilities.max(axis=1)
        return Predictions(class_names, actual, self.predicted, of_actual, confidence)


def accuracy(answers: Answers) -> float:
    """The share of right answers."""
    return float(_scikit_learn().accuracy_score(answers.labels, answers.predicted))


def log_loss(answers: Answers) -> float:
    """The mean negative log-probability of the true class, in nats."""
    return float(_scikit_learn().log_loss(answers.labels, answers.probabilities, labels=answers.classes))


def macro_f1(answers: Answers) -> float:
    """The mean F1 over the classes that occur among the labels or the predictions."""
    score = _scikit_learn().f1_score
    return float(score(answers.labels, answers.predicted, average="macro", zero_division=0))


def log_loss_of_predicted_classes(answers: Answers) -> float:
    """The log loss of one-hot predicted classes, in nats, as in the course's notebook."""
    one_hot = np.eye(len(answers.classes))[answers.predicted]
    return float(_scikit_learn().log_loss(answers.labels, one_hot, labels=answers.classes))


def brier_score(answers: Answers) -> float:
    """The mean squared distance of the probabilities from the truth (Brier 1950), 0 to 2."""
    score = _scikit_learn().brier_score_loss
    return float(score(answers.labels, answers.probabilities, labels=answers.classes, scale_by_half=False))


def expected_calibration_error(answers: Answers) -> float:
    """The mean gap between confidence and accuracy (Naeini et al. 2015).

    As in Guo et al. (2017), only the predicted class counts.
    """
    found = bins(answers.probabilities.max(axis=1), answers.right)
    return sum(each.answers * abs(each.accuracy - each.confidence) for each in found) / len(answers.labels)


class Metric(NamedTuple):
    """A score of a network on one split.

    Attributes:
        compute: the function that returns it; its name is the metric's in files.
        label: the name to show in tables and figures.
        meaning: what it says, and which value is best.
        higher_is_better: whether a larger value is better.
        in_git: whether it is in metrics/<model>.json too; all metrics are saved with the predictions.
    """

    compute: Callable[[Answers], float]
    label: str
    meaning: str
    higher_is_better: bool = False
    in_git: bool = False

    @property
    def name(self) -> str:
        return self.compute.__name__


#: Every metric of this project. A new one needs its function above and a line here.
METRICS = {
    metric.name: metric
    for metric in (
        Metric(accuracy, "accuracy", "share of right answers; 1 is best", higher_is_better=True, in_git=True),
        Metric(log_loss, "log loss", "the loss that training minimizes; 0 is best", in_git=True),
        Metric(macro_f1, "macro F1", "mean F1 of the classes; 1 is best", higher_is_better=True),
        Metric(
            log_loss_of_predicted_classes,
            "log loss of predicted classes",
            "as in the course: error rate × 36.04 (-ln 2.2e-16); 0 is best",
        ),
        Metric(brier_score, "Brier score", "squared error of the probabilities; 0 is best"),
        Metric(
            expected_calibration_error,
            "expected calibration error",
            "gap between confidence and share of right answers; 0 is best",
        ),
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
    found = scipy.stats.binomtest(correct, examples).proportion_ci(0.95, method="wilson")
    return Interval(float(found.low), float(found.high))


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class, which has ``examples`` images."""

    name: str
    precision: float
    recall: float
    f1: float
    examples: int


def per_class(answers: Answers, class_names: tuple[str, ...]) -> list[ClassScore]:
    """Precision, recall and F1 of each class; 0 where there is nothing to divide by."""
    columns = _scikit_learn().precision_recall_fscore_support(
        answers.labels, answers.predicted, labels=answers.classes, zero_division=0
    )
    rows = zip(class_names, *(column.tolist() for column in columns), strict=True)
    return [ClassScore(*row) for row in rows]
