"""Statistical tests of differences between metrics, and confidence intervals.

The tests account for the random choice of images alone. How much a metric depends on the seed of the
training is measured by ``digits repeat``.
"""

import numpy as np
import scipy  # loads scipy.stats where it is first used: half a second
from numpy.typing import NDArray

from digits.evaluate.metrics import Interval

CONFIDENCE = 0.95
#: A difference is real if chance alone would give one as large in fewer than one case of twenty.
SIGNIFICANT = 1 - CONFIDENCE


def mcnemar(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Return the p-value of McNemar's (1947) exact test between two networks on the same images.

    Images that both got right, or both wrong, say nothing; of the others, each should get half.

    Args:
        before: whether each answer is right, ``[n]``.
        after: the same of the other network.
    """
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return min(1.0, 2 * float(scipy.special.bdtr(min(lost, won), lost + won, 0.5)))


def paired_bootstrap(changes: NDArray[np.float64]) -> Interval:
    """Return the bootstrap interval (percentiles, Efron 1979) of the mean of ``changes [n]``."""
    result = scipy.stats.bootstrap(
        (changes,),
        np.mean,
        n_resamples=2_000,
        batch=50,  # bounds the memory: batch × n numbers
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return Interval(*map(float, result.confidence_interval))


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Return Student's (1908) interval of the mean of independent values ``[n]``, at least two."""
    mean, n = float(values.mean()), len(values)
    margin = float(scipy.stats.sem(values) * scipy.stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return Interval(mean - margin, mean + margin)
