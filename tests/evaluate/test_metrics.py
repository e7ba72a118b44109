from dataclasses import astuple
from math import log

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from digits.evaluate.metrics import Answers, evaluate, per_class, wilson_interval

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
