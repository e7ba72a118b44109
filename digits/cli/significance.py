"""How sure a figure is: intervals of one network's figures, tests between two on the same images.

All of this speaks of chance in which images were drawn. How much a figure moves with the seed of
the training is another matter, which repeated trainings show.
"""

import numpy as np
import scipy  # loads scipy.stats where it is first used: half a second, which an evaluation does without
from numpy.typing import NDArray

from digits.evaluate.metrics import Interval

#: Of every interval; a difference counts as real where chance alone gives it in one case of twenty.
CONFIDENCE = 0.95
SIGNIFICANT = 1 - CONFIDENCE
RESAMPLES = 2_000


def mcnemar(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """McNemar's (1947) exact test: the p-value of two networks' right answers on the same images.

    Where both are right, or both wrong, says nothing; of the others, each should be right for half.

    Args:
        before: whether each answer is right, ``[n]``.
        after: the same of the other network.
    """
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return float(scipy.stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def unpaired(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Fisher's exact test: the p-value of two shares, each as (right, examples), of unknown pairs.

    Weaker than :func:`mcnemar`, which knows that both networks saw the same images.
    """
    table = [[right, examples - right] for right, examples in (before, after)]
    return float(scipy.stats.fisher_exact(table).pvalue)


def paired_bootstrap(changes: NDArray[np.float64], seed: int = 0) -> Interval:
    """The interval of a mean change, from resampled images (Efron 1979; percentiles).

    Args:
        changes: of each image, ``[n]``, in the unit of the figure.
        seed: of the resampling.
    """
    if len(changes) < 2 or np.all(changes == changes[0]):
        return Interval(float(changes.mean()), float(changes.mean()))
    result = scipy.stats.bootstrap(
        (changes,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=50,  # bounds the memory: batch × n numbers
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return Interval(float(result.confidence_interval.low), float(result.confidence_interval.high))


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Student's (1908) interval of the mean of independent values ``[n]``, at least two."""
    error = float(scipy.stats.sem(values))
    if not error:  # SciPy has no interval without any spread
        return Interval(float(values.mean()), float(values.mean()))
    low, high = scipy.stats.t.interval(CONFIDENCE, len(values) - 1, loc=values.mean(), scale=error)
    return Interval(float(low), float(high))
