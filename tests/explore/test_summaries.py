import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.explore.summaries import (
    class_statistics,
    describe,
    ink_frequency,
    pixel_position,
    sample_per_class,
)
from tests import tiny

#: Four images of 1 × 2 pixels; a class "c" without any.
KNOWN = Examples(
    np.array([[[0, 8]], [[0, 0]], [[4, 16]], [[0, 8]]], np.uint8),
    np.array([0, 1, 1, 1], np.uint8),
    16,
    ("a", "b", "c"),
)
STATISTICS = ["count", "mean", "std", "min", "25%", "50%", "75%", "max"]


def test_describe_by_hand() -> None:
    features, labels = describe(KNOWN)
    assert list(features.index) == list(labels.index) == STATISTICS
    assert features.columns.astype(int).tolist() == [1, 2]
    # Sorted: 0, 0, 0, 1/4 and 0, 1/2, 1/2, 1.
    assert_allclose(features[1], [4, 0.0625, 0.125, 0, 0, 0, 0.0625, 0.25])
    assert_allclose(features[2], [4, 0.5, np.sqrt(1 / 6), 0, 0.375, 0.5, 0.625, 1])
    assert_allclose(labels["label"], [4, 0.75, 0.5, 0, 0.75, 1, 1, 1])


def test_describe_is_pandas_of_the_scaled_pixels() -> None:
    examples = tiny.examples(50, size=(3, 4))
    features, labels = describe(examples)
    table = pd.DataFrame(examples.images.reshape(50, 12) / 16, columns=range(1, 13))
    pd.testing.assert_frame_equal(features, table.describe(), rtol=1e-5, check_column_type=False)
    pd.testing.assert_series_equal(labels["label"], pd.Series(examples.labels, name="label").describe())


def test_describe_of_many_full_pixels() -> None:
    images = np.full((300, 1, 2), 255, np.uint8)
    images[:150, 0, 1] = 0
    features, _ = describe(Examples(images, np.zeros(300, np.uint8), 255, ("a",)))
    assert_allclose(features[1], [300, 1, 0, 1, 1, 1, 1, 1])
    assert_allclose(features[2], [300, 0.5, np.sqrt(75 / 299), 0, 0, 0.5, 1, 1])


@pytest.mark.parametrize(
    ("pixel", "position"),
    [
        (1, (0, 0)),
        (28, (0, 27)),
        (29, (1, 0)),
        (72, (2, 15)),  # the pixel that the course's notebook shows
        (784, (27, 27)),
    ],
)
def test_pixels_count_from_1_row_by_row(pixel: int, position: tuple[int, int]) -> None:
    assert pixel_position(pixel, tiny.examples(1, size=(28, 28))) == position


def test_pixel_positions_of_images_that_are_not_square() -> None:
    examples = Examples(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.zeros(1, np.uint8), 16, ("a",))
    assert [examples.images[0][pixel_position(pixel, examples)] for pixel in range(1, 7)] == list(range(6))


@pytest.mark.parametrize("pixel", [-1, 0, 7])
def test_a_pixel_that_is_not_there_is_refused(pixel: int) -> None:
    with pytest.raises(InputError, match=f"explore.pixel: found {pixel}, expected 1 to 6, .* 2 × 3"):
        pixel_position(pixel, tiny.examples(1, size=(2, 3)))


def test_ink_frequency_by_hand() -> None:
    assert_array_equal(ink_frequency(KNOWN), [[0.25, 0.75]])


def test_class_statistics_by_hand() -> None:
    means, deviations = class_statistics(
        Examples(KNOWN.images, KNOWN.labels, KNOWN.pixel_maximum, KNOWN.class_names[:2])
    )
    assert_array_equal(means[0], [[0, 8]])
    assert_array_equal(deviations[0], [[0, 0]])
    assert_allclose(means[1], [[4 / 3, 8]])
    assert_allclose(deviations[1], [[np.sqrt(32 / 9), np.sqrt(128 / 3)]])


def test_sampled_rows_belong_to_their_class_and_none_comes_twice() -> None:
    examples = tiny.examples(60, classes=4)
    rows = sample_per_class(examples, 10, seed=0)
    assert rows.shape == (4, 10)
    assert_array_equal(examples.labels[rows], np.arange(4)[:, None].repeat(10, axis=1))
    assert len(np.unique(rows)) == 40


def test_a_small_class_is_shown_whole_and_padded() -> None:
    rows = sample_per_class(KNOWN, 4, seed=0)
    assert_array_equal(rows[0], [0, -1, -1, -1])
    assert sorted(rows[1].tolist()) == [-1, 1, 2, 3]
    assert rows[1, 3] == -1
    assert_array_equal(rows[2], [-1, -1, -1, -1])


def test_the_seed_decides_the_sample() -> None:
    examples = tiny.examples(300)
    first, again, other = (sample_per_class(examples, 5, seed) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.max() > 100  # not just the first rows
