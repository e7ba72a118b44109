import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from digits.core.examples import Examples
from digits.explore.summaries import (
    class_statistics,
    describe,
    ink_frequency,
    pixel_position,
    sample_per_class,
)
from tests import tiny

#: Four images of 1 × 2 pixels.
IMAGES = np.array([[[0, 8]], [[0, 0]], [[4, 16]], [[0, 8]]], np.uint8)
KNOWN = Examples(IMAGES, np.array([0, 1, 1, 1], np.uint8), 16, ("a", "b"))


def test_describe_is_pandas_of_the_scaled_pixels() -> None:
    examples = tiny.examples(50, size=(3, 4))
    features, labels = describe(examples)
    table = pd.DataFrame(examples.images.reshape(50, 12) / 16, columns=range(1, 13))
    pd.testing.assert_frame_equal(features, table.describe(), rtol=1e-5, check_column_type=False)
    pd.testing.assert_series_equal(labels["label"], pd.Series(examples.labels, name="label").describe())


@pytest.mark.parametrize(
    ("pixel", "position"),
    [
        (1, (0, 0)),
        (72, (2, 15)),  # the pixel that the course's notebook shows
        (784, (27, 27)),
    ],
)
def test_pixels_count_from_1_row_by_row(pixel: int, position: tuple[int, int]) -> None:
    assert pixel_position(pixel, tiny.examples(1, size=(28, 28))) == position


def test_ink_frequency_by_hand() -> None:
    assert_array_equal(ink_frequency(KNOWN), [[0.25, 0.75]])


def test_class_statistics_by_hand() -> None:
    means, deviations = class_statistics(KNOWN)
    assert_allclose(means, np.array([[[0, 8]], [[4 / 3, 8]]]))
    assert_allclose(deviations**2, np.array([[[0, 0]], [[32 / 9, 128 / 3]]]))


def test_sampled_rows_are_of_their_class_none_comes_twice_and_the_seed_decides() -> None:
    examples = tiny.examples(60, classes=4)
    rows, again, other = (sample_per_class(examples, 10, seed) for seed in (0, 0, 1))
    assert_array_equal(examples.labels[rows], np.arange(4)[:, None].repeat(10, axis=1))
    assert len(np.unique(rows)) == 40
    assert_array_equal(rows, again)
    assert not np.array_equal(rows, other)


def test_a_small_class_is_shown_whole_and_padded() -> None:
    rows = sample_per_class(KNOWN, 4, seed=0)
    assert_array_equal(rows[0], [0, -1, -1, -1])
    assert sorted(rows[1].tolist()) == [-1, 1, 2, 3]
