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


def cut(
    examples: Examples,
    test: Examples | None = None,
    *,
    rows: int | None = None,
    validation_fraction: float = 0.25,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Splits:
    return split(
        examples,
        test,
        rows=rows,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("available", "rows", "fraction", "train", "validation"),
    [
        (20_000, 10_000, 0.25, 7500, 2500),
        (10_000, None, 0.25, 7500, 2500),
        (10_000, 20_000, 0.25, 7500, 2500),
        (100, 99, 0.1, 89, 10),
        (100, None, 0.5, 50, 50),
    ],
)
def test_sizes(available: int, rows: int | None, fraction: float, train: int, validation: int) -> None:
    splits = cut(numbered(available), numbered(7), rows=rows, validation_fraction=fraction)
    assert [len(part) for part in splits] == [train, validation, 7]


def test_train_then_validation_are_the_first_rows_in_the_seeds_order() -> None:
    splits = cut(numbered(300), numbered(7), rows=200, seed=3)
    order = np.random.default_rng(3).permutation(200)
    assert_array_equal(rows_of(splits.train), order[:150])
    assert_array_equal(rows_of(splits.validation), order[150:])
    assert_array_equal(splits.train.labels, order[:150] % 10)


def test_published_test_examples_are_left_as_they_are() -> None:
    test = numbered(7)
    assert cut(numbered(100), test).test is test


def test_the_seed_decides_the_order() -> None:
    first, again, other = (rows_of(cut(numbered(100), seed=seed).train) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_carved_out_test_split_is_stratified_and_shares_no_row() -> None:
    splits = cut(numbered(200), test_fraction=0.2)
    assert splits.test.rows_per_class() == {str(digit): 4 for digit in range(10)}
    assert_array_equal(np.sort(np.concatenate([rows_of(part) for part in splits])), np.arange(200))


@pytest.mark.parametrize(("rows", "fraction"), [(None, 0.5), (100, 0.25), (60, 0.1)])
def test_a_carved_out_test_split_depends_on_the_seed_alone(rows: int | None, fraction: float) -> None:
    expected = cut(numbered(200)).test
    test = cut(numbered(200), rows=rows, validation_fraction=fraction).test
    assert_array_equal(rows_of(test), rows_of(expected))
    assert not np.array_equal(rows_of(cut(numbered(200), seed=1).test), rows_of(expected))


@pytest.mark.parametrize(
    ("examples", "settings", "pieces"),
    [
        (
            numbered(100),
            {"validation_fraction": 0.001},
            ["validation_fraction", "0.001 of 100 rows"],
        ),
        (
            numbered(100),
            {"validation_fraction": 0.999},
            ["validation_fraction", "0.999 of 100 rows"],
        ),
        (numbered(100), {"rows": 1}, ["validation_fraction", "0.25 of 1 rows"]),
        (numbered(100), {"rows": 8}, ["no example of class", "8, 9 in 6 rows"]),
        (
            tiny.examples(100, classes=3).take(np.arange(0, 100, 3)),
            {},
            ["no example of class class 1, class 2"],
        ),
    ],
)
def test_a_split_or_class_without_examples_is_refused(
    examples: Examples, settings: dict[str, float], pieces: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        cut(examples, numbered(7), **settings)  # type: ignore[arg-type]
    for piece in pieces:
        assert piece in str(caught.value)


@pytest.mark.parametrize(("n", "fraction"), [(200, 0.001), (200, 0.999), (15, 0.5)])
def test_a_test_split_that_cannot_be_stratified_is_refused(n: int, fraction: float) -> None:
    with pytest.raises(InputError, match=f"data.test_fraction: found {fraction} of {n} rows"):
        cut(numbered(n), test_fraction=fraction)


def described(images: NDArray[np.uint8], labels: list[int]) -> Examples:
    return Examples(images, np.array(labels, np.uint8), 255, ("zero", "one"))


@pytest.mark.parametrize("size", [(4, 4), (3, 7), (1, 2)])
def test_what_is_odd_about_a_split_is_told(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    train, validation, test = (random.integers(1, 255, (n, *size), np.uint8) for n in (6, 4, 3))
    for part in (train, validation, test):
        part[:, 0, 0] = 0  # so that no image is blank
    validation[:2] = train[4]
    test[:] = test[0]
    test[:, -1, -1] = 255
    train[3] = 7
    splits = Splits(described(train, [0, 1] * 3), described(validation, [0] * 4), described(test, [0, 1, 0]))
    assert warnings_about(splits) == [
        "note: 1 of 6 train images are blank: all pixels of one value",
        "warning: validation has no example of class one",
        "warning: 2 of 4 validation images are in train too, pixel by pixel",
        "warning: all 3 test images are alike",
    ]


def test_images_of_the_same_pixels_in_another_order_are_no_copies() -> None:
    images = np.arange(16, dtype=np.uint8).reshape(1, 2, 8)
    train, turned = described(images, [0]), described(images[:, ::-1], [0])
    found = warnings_about(Splits(train, turned, train))
    assert [line for line in found if "in train too" in line] == [
        "warning: 1 of 1 test images are in train too, pixel by pixel"
    ]


def test_nothing_is_odd_about_the_usual_split() -> None:
    assert warnings_about(cut(tiny.examples(300, size=(3, 3)))) == []
