"""Intervals and tests against published examples, and against statsmodels on the same tables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from digits.cli.significance import CONFIDENCE, mcnemar, mean_interval, paired_bootstrap, unpaired
from digits.evaluate.calibration import bins, expected_calibration_error
from digits.evaluate.metrics import wilson_interval


@pytest.mark.parametrize(
    ("correct", "examples", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_table(correct: int, examples: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857–872, table I, method 3."""
    assert_allclose(wilson_interval(correct, examples), (low, high), atol=5e-5)


@pytest.mark.parametrize("examples", [1, 7, 360, 10_000])
def test_wilson_agrees_with_scipy(examples: int) -> None:
    for correct in {0, 1, examples // 3, examples - 1, examples}:
        expected = stats.binomtest(correct, examples).proportion_ci(CONFIDENCE, method="wilson")
        assert_allclose(wilson_interval(correct, examples), (expected.low, expected.high), atol=1e-12)


def answers(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of two networks, by how many images only the one or the other gets right."""
    before = np.repeat([True, True, False, False], (both, lost, won, neither))
    after = np.repeat([True, False, True, False], (both, lost, won, neither))
    return before, after


@pytest.mark.parametrize(
    "counts", [(794, 150, 86, 570), (100, 0, 6, 3), (5, 7, 7, 1), (9, 1, 0, 0), (3, 2, 9, 4)]
)
def test_mcnemar_agrees_with_statsmodels(counts: tuple[int, int, int, int]) -> None:
    """The first table is the approval of the Prime Minister in Agresti (2002), section 10.1."""
    table = np.reshape(counts, (2, 2))
    assert mcnemar(*answers(*counts)) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)


def test_mcnemar_without_any_disagreement() -> None:
    assert mcnemar(*answers(5, 0, 0, 5)) == 1.0


def test_mcnemar_sees_what_counts_alone_do_not() -> None:
    counts = (900, 0, 10, 90)
    before, after = answers(*counts)
    assert mcnemar(before, after) < 0.01
    assert unpaired((int(before.sum()), 1000), (int(after.sum()), 1000)) > 0.3


def test_unpaired_is_fishers_tea_tasting() -> None:
    assert unpaired((3, 4), (1, 4)) == pytest.approx(0.4857, abs=5e-5)


def test_mean_interval_of_students_sleep_data() -> None:
    """Student (1908); R's t.test gives these bounds."""
    extra_sleep = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert_allclose(mean_interval(extra_sleep), (0.7001142, 2.4598858), rtol=1e-6)
    assert mean_interval(np.array([0.5, 0.5])) == (0.5, 0.5)


def test_the_bootstrap_agrees_with_the_normal_interval() -> None:
    changes = np.random.default_rng(1).normal(0.3, 2.0, 4_000)
    half = 1.96 * changes.std(ddof=1) / np.sqrt(len(changes))
    low, high = paired_bootstrap(changes)
    assert low == pytest.approx(changes.mean() - half, abs=half / 10)
    assert high == pytest.approx(changes.mean() + half, abs=half / 10)
    assert paired_bootstrap(changes) == (low, high)  # the same resamples each time


def test_the_bootstrap_of_equal_changes_has_no_width() -> None:
    assert paired_bootstrap(np.full(7, 0.25)) == (0.25, 0.25)


def test_calibration_by_hand() -> None:
    confidence = np.array([0.92, 0.98, 1.0, 0.55, 0.51])
    right = np.array([True, True, False, True, False])
    low, high = bins(confidence, right)
    assert (low.low, low.high, low.answers) == (0.5, 0.6, 2)
    assert (high.low, high.high, high.answers) == (0.9, 1.0, 3)
    assert_allclose([low.confidence, low.accuracy], [0.53, 0.5])
    assert_allclose([high.confidence, high.accuracy], [2.9 / 3, 2 / 3])
    expected = (2 * 0.03 + 3 * 0.3) / 5
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)


def test_a_network_as_right_as_it_says_has_no_calibration_error() -> None:
    confidence, right = np.full(10, 0.7), np.arange(10) < 7
    assert expected_calibration_error(confidence, right) == pytest.approx(0.0)
