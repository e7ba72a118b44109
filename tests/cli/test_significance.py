"""Intervals and tests against statsmodels on random tables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from digits.cli.significance import mcnemar, mean_interval, paired_bootstrap
from digits.evaluate.calibration import bins
from digits.evaluate.metrics import wilson_interval


@pytest.fixture(params=range(3))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def test_wilson_agrees_with_statsmodels(rng: np.random.Generator) -> None:
    examples = int(rng.integers(1, 10_000))
    for correct in (0, int(rng.integers(0, examples + 1)), examples):
        expected = proportion_confint(correct, examples, method="wilson")
        assert_allclose(wilson_interval(correct, examples), expected, atol=1e-12)


@pytest.mark.parametrize("largest", [3, 30, 300])
def test_mcnemar_agrees_with_statsmodels(largest: int, rng: np.random.Generator) -> None:
    table = rng.integers(1, largest, (2, 2))
    before, after = np.repeat([[True, True, False, False], [True, False, True, False]], table.ravel(), axis=1)
    assert mcnemar(before, after) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    assert mcnemar(before, before) == 1.0


def test_intervals_of_a_mean_agree_with_statsmodels(rng: np.random.Generator) -> None:
    values = rng.normal(0.3, 2.0, 4_000)
    assert_allclose(mean_interval(values[:5]), DescrStatsW(values[:5]).tconfint_mean())
    expected = DescrStatsW(values).zconfint_mean()
    assert_allclose(paired_bootstrap(values), expected, atol=np.diff(expected)[0] / 15)
    for interval in (mean_interval, paired_bootstrap):
        assert interval(np.full(7, 0.25)) == (0.25, 0.25)


def test_calibration_by_hand() -> None:
    confidence = np.array([0.92, 0.98, 1.0, 0.55, 0.51])
    right = np.array([True, True, False, True, False])
    low, high = bins(confidence, right)
    assert (low.low, low.high, low.answers) == (0.5, 0.6, 2)
    assert (high.low, high.high, high.answers) == (0.9, 1.0, 3)
    assert_allclose([low.confidence, low.accuracy], [0.53, 0.5])
    assert_allclose([high.confidence, high.accuracy], [2.9 / 3, 2 / 3])
