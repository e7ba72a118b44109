"""Distortions do what their names say, and depend on the random numbers alone."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from digits.core.params import Augmentation
from digits.train.augmentation import Distorter
from digits.train.batches import batches
from tests import tiny

SIDE = 21
#: A cross whose arms differ, in the middle.
CROSS = np.zeros((SIDE, SIDE), np.uint8)
CROSS[4:17, 10] = 200
CROSS[10, 7:17] = 100


class Fixed:
    """In place of a random generator: uniform() returns the given draws, standard_normal() returns ones."""

    def __init__(self, *draws: float) -> None:
        self.draws = draws

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
        assert (low, high) == (-1, 1)
        return np.broadcast_to(np.reshape(self.draws, (6, 1, 1, 1)), shape)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> NDArray[np.float32]:
        return np.ones(shape, dtype)


def distorter(size: tuple[int, int] = (SIDE, SIDE), **changes: float) -> Distorter:
    return Distorter(Augmentation.model_validate(changes), *size)


def distorted(image: NDArray[np.uint8], *draws: float, **changes: float) -> NDArray[np.float32]:
    """Distort by draws from -1 to 1: rotation, zoom (height, width), shear, shift (rows, columns)."""
    random: Any = Fixed(*draws)
    (found,) = distorter(image.shape, **changes)(image[None], random)
    return np.asarray(found)


@pytest.mark.parametrize("turns", [1, -1])
def test_rotation_is_in_degrees(turns: int) -> None:
    found = distorted(CROSS, turns, 0, 0, 0, 0, 0, rotation=90.0)
    assert_allclose(found, np.rot90(CROSS, -turns), atol=1e-2)


def test_shift_is_in_pixels_and_fills_with_background() -> None:
    found = distorted(CROSS, 0, 0, 0, 0, 1, -0.5, shift=4.0)
    expected = np.zeros_like(CROSS)
    expected[:-4, 2:] = CROSS[4:, :-2]
    assert_allclose(found, expected, atol=1e-3)


def test_zoom_is_a_share_of_each_side() -> None:
    found = distorted(CROSS, 0, 0.5, -0.5, 0, 0, 0, zoom=1.0 - 1e-6)
    rows, columns = (np.flatnonzero((found > 80).any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1]) == (1, 19)  # 6 pixels from the middle become 9
    assert (columns[0], columns[-1]) == (9, 13)  # 3 and 6 become half of that


def test_shear_leans_the_upright() -> None:
    found = distorted(CROSS, 0, 0, 0, 1, 0, 0, shear=0.5)
    assert_allclose(found[10], CROSS[10], atol=1e-3)  # the middle row stays
    assert found[4].argmax() - found[16].argmax() == 6  # over 12 rows


def test_elastic_moves_neighbours_alike_with_the_deviation_asked_for() -> None:
    moved = distorter((60, 50), elastic=2.0, elastic_scale=10.0)
    rows, columns = moved._origins(400, np.random.default_rng(0))
    for found, place in ((rows, np.arange(60.0)[:, None]), (columns, np.arange(50.0))):
        pushes = found - place
        assert np.abs(pushes.mean()) < 0.2
        assert pushes.std() == pytest.approx(2.0, rel=0.05)
        near, far = np.corrcoef(pushes[:, 20, [20, 21, 49]].T)[0, 1:]
        assert near > 0.95
        assert np.abs(far) < 0.2


EXAMPLES = tiny.examples(10)


def steps(done: int = 0, **changes: Any) -> list[list[NDArray[Any]]]:
    """Images and labels of each step after ``done``."""
    recipe = tiny.recipe(**{"steps": 12, "periods": 3, **changes})
    return [[part.numpy() for part in step] for step in batches(recipe, EXAMPLES, done=done)]


def test_a_step_gets_the_same_wherever_the_training_begins() -> None:
    augmentation = {"rotation": 40.0, "elastic": 0.5}
    whole, later = (steps(done, augmentation=augmentation) for done in (0, 7))
    assert (len(whole), len(later)) == (12, 5)
    for found, expected in zip(later, whole[7:], strict=True):
        assert_array_equal(found[0], expected[0])
        assert_array_equal(found[1], expected[1])
