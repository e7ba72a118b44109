"""Intervals and tests against SciPy and statsmodels on random tables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from digits.cli.significance import mcnemar, mean_interval, paired_bootstrap, unpaired
from digits.evaluate.calibration import bins, expected_calibration_error
from digits.evaluate.metrics import wilson_interval


@pytest.fixture(params=range(10))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_wilson_agrees_with_statsmodels(rng: np.random.Generator) -> None:
    examples = int(rng.integers(1, 10_000))
    for correct in (0, int(rng.integers(0, examples + 1)), examples):
        expected = proportion_confint(correct, examples, method="wilson")
        assert_allclose(wilson_interval(correct, examples), expected, atol=1e-12)


def answers(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of two networks, from the counts ``[[both, lost], [won, neither]]``."""
    before = np.repeat([True, True, False, False], table.ravel())
    after = np.repeat([True, False, True, False], table.ravel())
    return before, after


def test_mcnemar_agrees_with_statsmodels(rng: np.random.Generator) -> None:
    table = rng.integers(1, rng.choice([3, 30, 300]), (2, 2))
    expected = statsmodels_mcnemar(table, exact=True).pvalue
    assert mcnemar(*answers(table)) == pytest.approx(expected)


def test_mcnemar_without_any_disagreement() -> None:
    assert mcnemar(*answers(np.array([[5, 0], [0, 5]]))) == 1.0


def test_unpaired_sums_the_hypergeometric_tables(rng: np.random.Generator) -> None:
    right, examples = rng.integers(0, 50, 2), 50 + rng.integers(0, 50, 2)
    tables = stats.hypergeom(examples.sum(), right.sum(), examples[0])
    chances = tables.pmf(np.arange(examples[0] + 1))
    expected = chances[chances <= tables.pmf(right[0]) * (1 + 1e-7)].sum()
    found = unpaired((int(right[0]), int(examples[0])), (int(right[1]), int(examples[1])))
    assert found == pytest.approx(expected)


def test_mean_interval_agrees_with_statsmodels(rng: np.random.Generator) -> None:
    values = rng.normal(1, 2, int(rng.integers(2, 20)))
    assert_allclose(mean_interval(values), DescrStatsW(values).tconfint_mean())


def test_the_bootstrap_agrees_with_the_normal_interval(rng: np.random.Generator) -> None:
    changes = rng.normal(0.3, 2.0, 4_000)
    expected = DescrStatsW(changes).zconfint_mean()
    assert_allclose(paired_bootstrap(changes), expected, atol=np.diff(expected)[0] / 15)
    assert paired_bootstrap(changes) == paired_bootstrap(changes)


def test_intervals_of_equal_values_have_no_width() -> None:
    assert mean_interval(np.array([0.5, 0.5])) == (0.5, 0.5)
    assert paired_bootstrap(np.full(7, 0.25)) == (0.25, 0.25)


def test_calibration_by_hand() -> None:
    confidence = np.array([0.92, 0.98, 1.0, 0.55, 0.51])
    right = np.array([True, True, False, True, False])
    low, high = bins(confidence, right)
    assert (low.low, low.high, low.answers) == (0.5, 0.6, 2)
    assert (high.low, high.high, high.answers) == (0.9, 1.0, 3)
    assert_allclose([low.confidence, low.accuracy], [0.53, 0.5])
    assert_allclose([high.confidence, high.accuracy], [2.9 / 3, 2 / 3])
    assert expected_calibration_error(confidence, right) == pytest.approx((2 * 0.03 + 3 * 0.3) / 5)
