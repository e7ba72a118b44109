import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from digits.plot.weights import Units, measure

MAXIMUM = 16
RANDOM = np.random.default_rng(0).normal(size=(28, 28, 50))


def judged(
    weights: NDArray[np.float64],
    *,
    biases: list[float] | None = None,
    images: NDArray[np.uint8] | None = None,
) -> Units:
    """Units with these weights ``[height, width, units]``, on one image of full ink unless told."""
    height, width, units = weights.shape
    if images is None:
        images = np.full((1, height, width), MAXIMUM, np.uint8)
    return measure(weights.astype(np.float32), np.array(biases or [0.0] * units, np.float32), images, MAXIMUM)


def morans_i_by_definition(weights: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """N / W · Σᵢⱼ wᵢⱼ zᵢ zⱼ / Σᵢ zᵢ², with a full matrix of neighbours."""
    places = np.argwhere(mask)
    neighbours = (np.abs(places[:, None] - places[None]).sum(axis=2) == 1).astype(float)
    z = weights[mask] - weights[mask].mean()
    return float(len(z) / neighbours.sum() * (z @ neighbours @ z) / (z @ z))


def test_smoothness_by_hand() -> None:
    # z = -1, 0, 1: (2 pairs of product 0) / 2 over a variance of 2/3; and 1, -2, 1: -2 over 2.
    weights = np.array([[[1, 2], [2, -1], [3, 2]]], float)
    assert_allclose(judged(weights).smoothness, [0.0, -1.0], atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (5, 9)])
def test_smoothness_is_morans_i_over_the_inked_pixels(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    weights = random.normal(size=(*size, 3)).astype(np.float32).astype(np.float64)
    mask = random.random(size) < 0.7
    units = judged(weights, images=mask[None].astype(np.uint8))
    expected = [morans_i_by_definition(weights[..., unit], mask) for unit in range(3)]
    assert_allclose(units.smoothness, expected, rtol=1e-9)


def test_smoothness_of_known_pictures() -> None:
    row, column = np.indices((28, 28))
    gradient, checkerboard = row + column, (row + column) % 2 * 2.0 - 1
    smoothness = judged(np.stack([gradient, checkerboard], axis=2)).smoothness
    assert smoothness[0] > 0.95
    assert smoothness[1] == pytest.approx(-1)
    noise = judged(RANDOM).smoothness
    assert abs(noise.mean()) < 0.02  # 0.005 is its standard error
    assert np.abs(noise).max() < 0.15


@pytest.mark.parametrize("value", [0.0, 0.1, -7.7])
@pytest.mark.parametrize("size", [3, 8, 28])
def test_constant_weights_are_not_smooth(value: float, size: int) -> None:
    assert_array_equal(judged(np.full((size, size, 2), value)).smoothness, [0, 0])


def test_smoothness_ignores_scale_and_offset() -> None:
    moved = judged(-3 * RANDOM + 5).smoothness
    assert_allclose(moved, judged(RANDOM).smoothness, atol=1e-5)


def test_pixels_without_ink_do_not_matter() -> None:
    images = np.random.default_rng(2).integers(0, MAXIMUM, (20, 28, 28), np.uint8)
    images[:, :9] = 0
    images[:, 20, 3] = 0
    changed = RANDOM.copy()
    changed[:9] = 1e3
    changed[20, 3] = -1e3
    first, second = judged(RANDOM, images=images), judged(changed, images=images)
    for name in ("smoothness", "active", "similarity", "twin"):
        assert_array_equal(getattr(first, name), getattr(second, name), name)
    images[0, 20, 3] = 1
    assert not np.array_equal(judged(changed, images=images).smoothness, second.smoothness)


def test_active_is_the_share_of_images_with_an_input_above_zero() -> None:
    images = np.array([[[0, 4]], [[0, 8]], [[0, 12]], [[0, 16]]], np.uint8)
    weights = np.ones((1, 2, 5))
    units = judged(weights, biases=[0, -0.25, -0.6, -1, -2], images=images)
    assert_array_equal(units.active, [1, 0.75, 0.5, 0, 0])


def test_copies_and_negatives_are_alike() -> None:
    weights = RANDOM[..., [0, 1, 0, 2]].copy()
    weights[..., 2] *= 4
    weights[..., 3] = -weights[..., 1]
    units = judged(weights)
    assert_allclose(units.similarity, 1, rtol=1e-6)
    assert units.similarity.max() <= 1
    assert_array_equal(units.twin, [2, 3, 0, 1])


def test_similarity_is_the_largest_cosine_to_another_unit() -> None:
    weights = np.array([[[3, 0, 1, 0], [4, 5, 0, 0], [0, 0, 0, 0]]], float)
    units = judged(weights)
    assert_allclose(units.similarity, [0.8, 0.8, 0.6, 0], atol=1e-7)
    assert_array_equal(units.twin[:3], [1, 0, 0])


def test_random_units_are_not_alike() -> None:
    assert judged(RANDOM).similarity.max() < 0.2


def test_a_lone_unit_is_like_no_other() -> None:
    assert_array_equal(judged(RANDOM[..., :1]).similarity, [0])


@pytest.mark.parametrize(
    ("active", "smoothness", "similarity", "verdict"),
    [
        (0.0, 0.1, 0.9, "dead"),
        (0.0, 0.9, 0.1, "dead"),
        (0.01, 0.1, 0.9, "noise"),
        (1.0, 0.2, 0.9, "alike"),
        (1.0, 0.9, 0.46, "alike"),
        (1.0, 0.2, 0.45, ""),
    ],
)
def test_the_first_verdict_that_holds(
    active: float, smoothness: float, similarity: float, verdict: str
) -> None:
    units = Units(np.array([smoothness]), np.array([active]), np.array([similarity]), np.array([0]))
    assert units.verdicts(noise_below=0.2, alike_above=0.45) == [verdict]
