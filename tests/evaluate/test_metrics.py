from dataclasses import astuple
from math import log

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax

from digits.evaluate.metrics import METRICS, Answers, evaluate, per_class, wilson_interval

#: Classes 0, 0, 1, 2; the third is taken for 0, and 2 is never missed.
ANSWERS = Answers(
    np.array([0, 0, 1, 2], np.uint8),
    np.array([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]),
)


def test_logits_become_softmax_probabilities() -> None:
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float32)) + np.float32(3)
    answers = Answers.from_logits(np.array([0, 1], np.uint8), logits)
    assert answers.probabilities.dtype == np.float64
    assert_allclose(answers.probabilities, [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], rtol=1e-6)
    assert_array_equal(answers.predicted, [2, 2])


def test_large_logits_do_not_overflow() -> None:
    answers = Answers.from_logits(np.array([0], np.uint8), np.array([[1e4, 0]], np.float32))
    assert_array_equal(answers.probabilities, [[1, 0]])


def test_metrics_by_hand() -> None:
    assert evaluate(ANSWERS) == {
        "accuracy": 0.75,
        "log_loss": pytest.approx(-(log(0.5) + log(0.8) + log(0.3) + log(0.7)) / 4, rel=1e-12),
        "log_loss_of_predicted_classes": pytest.approx(-log(2.0**-52) / 4, rel=1e-12),
        "macro_f1": pytest.approx((0.8 + 0 + 1) / 3, rel=1e-12),
        "brier_score": pytest.approx((0.375 + 0.06 + 0.86 + 0.14) / 4, rel=1e-12),
        "expected_calibration_error": pytest.approx((0.5 + 0.2 + 0.6 + 0.3) / 4, rel=1e-12),
    }
    assert list(METRICS) == list(evaluate(ANSWERS))


def test_wilsons_interval_by_hand() -> None:
    assert wilson_interval(3, 4) == pytest.approx((0.300642, 0.954413), abs=1e-6)


def test_a_class_that_is_neither_there_nor_predicted_does_not_count() -> None:
    answers = Answers(np.array([0, 1], np.uint8), np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]))
    figures = evaluate(answers)
    assert figures["macro_f1"] == 1  # the third class is neither there nor predicted
    assert figures["log_loss"] == pytest.approx(-(log(0.9) + log(0.8)) / 2)


def test_per_class_by_hand() -> None:
    assert [astuple(each) for each in per_class(ANSWERS, ("a", "b", "c"))] == [
        ("a", pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2),
        ("b", 0.0, 0.0, 0.0, 1),
        ("c", 1.0, 1.0, 1.0, 1),
    ]


@pytest.mark.parametrize(("examples", "classes", "there"), [(400, 10, 10), (50, 7, 4), (3, 256, 256)])
def test_classes_without_examples_change_nothing(examples: int, classes: int, there: int) -> None:
    """Each figure against its definition in NumPy, also where only ``there`` classes have examples."""
    random = np.random.default_rng(examples)
    labels = random.integers(there, size=examples).astype(np.uint8)
    logits = random.normal(0, 3, (examples, classes)).astype(np.float32)
    answers = Answers.from_logits(labels, logits)
    found = evaluate(answers)
    truth = np.eye(classes)[labels]
    error_rate = (answers.predicted != labels).mean()
    assert found["accuracy"] == pytest.approx(1 - error_rate)
    logarithms = log_softmax(logits.astype(np.float64), axis=1)
    assert found["log_loss"] == pytest.approx(-logarithms[truth.astype(bool)].mean())
    assert found["log_loss_of_predicted_classes"] == pytest.approx(error_rate * 52 * log(2))
    assert found["brier_score"] == pytest.approx(((answers.probabilities - truth) ** 2).sum(axis=1).mean())
    f1 = [score.f1 for score in per_class(answers, tuple(map(str, range(classes))))]
    seen = sorted({*labels.tolist(), *answers.predicted.tolist()})
    assert found["macro_f1"] == pytest.approx(np.mean([f1[each] for each in seen]))
