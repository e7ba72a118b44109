from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.evaluate.metrics import Answers

NAMES = ("NA", "a,b", '"')
ANSWERS = Answers(
    np.array([0, 1, 2, 1, 0], np.uint8),
    np.array(
        [
            [0.6, 0.3, 0.1],
            [0.7, 0.1, 0.2],
            [0.1, 0.1, 0.8],
            [0.05, 0.05, 0.9],
            [0.1, 0.7, 0.2],
        ]
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ANSWERS.predictions(NAMES).save(tmp_path / "test.csv")
    return tmp_path / "test.csv"


def test_what_was_saved_is_loaded(path: Path) -> None:
    predicted = Predictions.load(path, NAMES)
    assert_array_equal(predicted.actual, [0, 1, 2, 1, 0])
    assert_array_equal(predicted.predicted, [0, 0, 2, 2, 1])
    assert_allclose(predicted.confidence, [0.6, 0.7, 0.8, 0.9, 0.7], rtol=1e-6)
    assert_array_equal(predicted.right, [True, False, True, False, False])
    assert_allclose(predicted.losses, -np.log([0.6, 0.1, 0.8, 0.05, 0.1]), rtol=1e-5)


def test_same_images_does_not_depend_on_the_order_of_the_classes(path: Path) -> None:
    loaded, parsed = Predictions.load(path, NAMES), Predictions.parse(path.read_bytes())
    assert parsed.class_names == tuple(sorted(NAMES))
    assert parsed.same_images(loaded)
    assert_array_equal(parsed.right, loaded.right)
    turned = Predictions.load(path, NAMES[::-1])
    assert turned.same_images(loaded)
    other = Answers(np.roll(ANSWERS.labels, 1), ANSWERS.probabilities).predictions(NAMES)
    assert not other.same_images(loaded)


def test_a_probability_too_small_to_write_has_a_finite_loss(path: Path) -> None:
    path.write_text(path.read_text().replace("0.05", "0"))
    assert np.isfinite(Predictions.load(path, NAMES).losses).all()


def test_mistakes_come_the_surest_first_and_in_order_where_alike(path: Path) -> None:
    assert_array_equal(Predictions.load(path, NAMES).surest_mistakes(), [3, 1, 4])


def test_confusion_has_a_row_for_each_true_class(path: Path) -> None:
    assert_array_equal(Predictions.load(path, NAMES).confusion(), [[1, 1, 0], [1, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text.replace("actual,", "label,", 1),
        lambda text: text + "NA\n",
        lambda text: text.replace("NA,", "none,"),
        lambda text: text.replace("0.6", "x"),
    ],
    ids=["empty", "other header", "cut short", "other class", "no number"],
)
def test_a_damaged_table_is_reported(path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=r"test\.csv: damaged"):
        Predictions.load(path, NAMES)
