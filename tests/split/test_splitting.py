from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.split.splitting import Splits, split, warnings_about
from tests import tiny


def numbered(n: int, *, classes: int = 10) -> Examples:
    """Examples whose two pixels spell the row's number."""
    rows = np.arange(n)
    images = np.stack([rows // 256, rows % 256], axis=1).astype(np.uint8).reshape(n, 1, 2)
    labels = (rows % classes).astype(np.uint8)
    return Examples(images, labels, 255, tuple(map(str, range(classes))))


def rows_of(examples: Examples) -> NDArray[np.int64]:
    pixels = examples.images.reshape(-1, 2).astype(np.int64)
    return pixels[:, 0] * 256 + pixels[:, 1]


def split_with(examples: Examples, test: Examples | None = None, **changes: Any) -> Splits:
    settings = {"rows": None, "validation_fraction": 0.25, "test_fraction": 0.2, "seed": 0}
    return split(examples, test, **{**settings, **changes})


@pytest.mark.parametrize(
    ("available", "rows", "fraction", "train", "validation"),
    [
        (20_000, 10_000, 0.25, 7500, 2500),
        (10_000, 20_000, 0.25, 7500, 2500),
        (100, 99, 0.1, 89, 10),
    ],
)
def test_sizes(available: int, rows: int | None, fraction: float, train: int, validation: int) -> None:
    splits = split_with(numbered(available), numbered(7), rows=rows, validation_fraction=fraction)
    assert [len(part) for part in splits] == [train, validation, 7]


def test_train_then_validation_are_the_first_rows_in_the_seeds_order() -> None:
    test = numbered(7)
    splits = split_with(numbered(300), test, rows=200, seed=3)
    order = np.random.default_rng(3).permutation(200)
    assert_array_equal(rows_of(splits.train), order[:150])
    assert_array_equal(rows_of(splits.validation), order[150:])
    assert_array_equal(splits.train.labels, order[:150] % 10)
    assert splits.test is test


def test_a_carved_out_test_split_is_stratified_and_shares_no_row() -> None:
    splits = split_with(numbered(200), test_fraction=0.2)
    assert splits.test.rows_per_class() == {str(digit): 4 for digit in range(10)}
    assert_array_equal(np.sort(np.concatenate([rows_of(part) for part in splits])), np.arange(200))


def test_a_carved_out_test_split_depends_on_the_seed_alone() -> None:
    expected = rows_of(split_with(numbered(200)).test)
    assert_array_equal(rows_of(split_with(numbered(200), rows=100, validation_fraction=0.5).test), expected)
    assert not np.array_equal(rows_of(split_with(numbered(200), seed=1).test), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_fraction": 0.001}, "validation_fraction: 0.001 of 100 rows"),
        ({"rows": 1}, "validation_fraction: 0.25 of 1 rows"),
        ({"rows": 8}, "no example of class .*8, 9 in 6 rows"),
        ({"test": None, "test_fraction": 0.001}, "data.test_fraction: 0.001 of 100 rows"),
    ],
)
def test_a_split_or_class_without_examples_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_with(numbered(100), **{"test": numbered(7), **changes})


def test_warnings_about_a_suspicious_split() -> None:
    def described(images: NDArray[np.uint8], labels: list[int]) -> Examples:
        return Examples(images, np.array(labels, np.uint8), 255, ("zero", "one"))

    random = np.random.default_rng(0)
    train, validation, test = (random.integers(1, 255, (n, 3, 7), np.uint8) for n in (6, 4, 3))
    validation[:2] = train[4]
    validation[2] = train[4, ::-1]  # the same pixels in another order are no copy
    test[:] = test[0]
    train[3] = 7
    splits = Splits(described(train, [0, 1] * 3), described(validation, [0] * 4), described(test, [0, 1, 0]))
    assert warnings_about(splits) == [
        "note: 1 of 6 train images are blank: all pixels of one value",
        "warning: validation has no example of class one",
        "warning: 2 of 4 validation images are in train too, as exact copies",
        "warning: all 3 test images are identical",
    ]
    assert warnings_about(split_with(tiny.examples(300, size=(3, 3)))) == []


@pytest.mark.parametrize(
    ("paper", "ink", "key"), [(255, 0, "inverted: true"), (0, 1, "pixel_maximum: 1"), (0, 255, "")]
)
def test_a_key_that_source_yaml_seems_to_lack_is_reported(paper: int, ink: int, key: str) -> None:
    images = np.full((20, 8, 8), paper, np.uint8)
    images[:, 2:6, 3:5] = ink
    part = Examples(images, np.arange(20, dtype=np.uint8) % 2, 255, ("zero", "one"))
    lines = [line for line in warnings_about(Splits(part, part, part)) if "source.yaml" in line]
    assert len(lines) == bool(key)
    assert all(key in line for line in lines)
