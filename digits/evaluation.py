"""Compare a network's answers with the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn import metrics

from digits.calibration import expected_calibration_error
from digits.examples import Labels
from digits.significance import wilson_interval


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
        return cls(labels, log_softmax(logits.astype(np.float64), axis=1))

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
    predicted, probabilities = answers.predicted, answers.probabilities
    classes = np.arange(answers.log_probabilities.shape[1])
    # scikit-learn's log_loss takes probabilities and clips them, which hides how wrong a network
    # is that has diverged.
    log_loss = -answers.log_probabilities[np.arange(len(answers.labels)), answers.labels].mean()
    one_hot = np.eye(len(classes))[predicted]
    right = predicted == answers.labels
    low, high = wilson_interval(int(right.sum()), len(right))
    return {
        "accuracy": float(metrics.accuracy_score(answers.labels, predicted)),
        "accuracy_low": low,
        "accuracy_high": high,
        "log_loss": float(log_loss),
        "log_loss_of_predicted_classes": float(metrics.log_loss(answers.labels, one_hot, labels=classes)),
        # Over the classes that are there or predicted: a class without examples has no F1.
        "macro_f1": float(metrics.f1_score(answers.labels, predicted, average="macro")),
        "brier_score": float(metrics.brier_score_loss(answers.labels, probabilities, labels=classes)),
        "expected_calibration_error": expected_calibration_error(probabilities.max(axis=1), right),
        "examples": len(answers.labels),
    }


def per_class(answers: Answers, class_names: tuple[str, ...]) -> list[tuple[str, float, float, float, int]]:
    """Class name, precision, recall, F1 and examples, for each class."""
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        answers.labels, answers.predicted, labels=np.arange(len(class_names)), zero_division=0.0
    )
    columns = (precision.tolist(), recall.tolist(), f1.tolist(), support.tolist())
    return list(zip(class_names, *columns, strict=True))
