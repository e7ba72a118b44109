import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from digits.plot.units import Units, measure

MAXIMUM = 16
RANDOM = np.random.default_rng(0).normal(size=(28, 28, 50))


def judged(
    weights: NDArray[np.float64],
    *,
    biases: list[float] | None = None,
    images: NDArray[np.uint8] | None = None,
) -> Units:
    """Units with these weights ``[height, width, units]``, by default on one image of full ink."""
    height, width, units = weights.shape
    if images is None:
        images = np.full((1, height, width), MAXIMUM, np.uint8)
    return measure(weights.astype(np.float32), np.array(biases or [0.0] * units, np.float32), images, MAXIMUM)


def test_smoothness_by_hand() -> None:
    # z = -1, 0, 1: (2 pairs of product 0) / 2 over a variance of 2/3; and 1, -2, 1: -2 over 2. Constant: 0.
    weights = np.array([[[1, 2, 0.1], [2, -1, 0.1], [3, 2, 0.1]]], float)
    assert_allclose(judged(weights).smoothness, [0, -1, 0], atol=1e-12)


def test_smoothness_is_morans_i_over_the_inked_pixels() -> None:
    """N / W · Σᵢⱼ wᵢⱼ zᵢ zⱼ / Σᵢ zᵢ², here with a full matrix of neighbours."""
    random = np.random.default_rng(1)
    weights = random.normal(size=(5, 9, 3)).astype(np.float32).astype(np.float64)
    mask = random.random((5, 9)) < 0.7
    places = np.argwhere(mask)
    neighbours = (np.abs(places[:, None] - places[None]).sum(axis=2) == 1).astype(float)
    z = weights[mask] - weights[mask].mean(axis=0)
    expected = len(z) / neighbours.sum() * ((neighbours @ z) * z).sum(axis=0) / (z * z).sum(axis=0)
    assert_allclose(judged(weights, images=mask[None].astype(np.uint8)).smoothness, expected, rtol=1e-9)


def test_pixels_without_ink_do_not_matter() -> None:
    images = np.random.default_rng(2).integers(0, MAXIMUM, (20, 28, 28), np.uint8)
    images[:, :9] = 0
    changed = RANDOM.copy()
    changed[:9] = 1e3
    first, second = judged(RANDOM, images=images), judged(changed, images=images)
    for name in ("smoothness", "active", "similarity", "most_similar"):
        assert_array_equal(getattr(first, name), getattr(second, name), name)


def test_active_is_the_share_of_images_with_an_input_above_zero() -> None:
    images = np.array([[[0, 4]], [[0, 8]], [[0, 12]], [[0, 16]]], np.uint8)
    units = judged(np.ones((1, 2, 5)), biases=[0, -0.25, -0.6, -1, -2], images=images)
    assert_array_equal(units.active, [1, 0.75, 0.5, 0, 0])


def test_similarity_is_the_largest_absolute_cosine_to_another_unit() -> None:
    weights = np.array([[[3, 0, 1, 0, -6], [4, 5, 0, 0, -8], [0, 0, 0, 0, 0]]], float)
    units = judged(weights)
    assert_allclose(units.similarity, [1, 0.8, 0.6, 0, 1], atol=1e-7)
    assert_array_equal(units.most_similar[[0, 2, 4]], [4, 0, 0])
    assert judged(RANDOM).similarity.max() < 0.2
    assert_array_equal(judged(RANDOM[..., :1]).similarity, [0])


@pytest.mark.parametrize(
    ("active", "smoothness", "similarity", "verdict"),
    [
        (0.0, 0.1, 0.9, "dead"),
        (0.01, 0.1, 0.9, "noise"),
        (1.0, 0.2, 0.46, "alike"),
        (1.0, 0.2, 0.45, ""),
    ],
)
def test_a_unit_gets_the_first_verdict_that_holds(
    active: float, smoothness: float, similarity: float, verdict: str
) -> None:
    units = Units(np.array([smoothness]), np.array([active]), np.array([similarity]), np.array([7]))
    verdicts = units.verdicts(noise_below=0.2, alike_above=0.45)
    assert verdicts == [verdict]
    (row,) = units.rows(5, verdicts)
    assert row == (5, 0, verdict, f"{smoothness:.4f}", f"{active:.4f}", f"{similarity:.4f}", 7)
