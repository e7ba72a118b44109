import numpy as np
import pytest

from digits.core.examples import Examples
from digits.train.framing import measure_framing


def examples(images: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> Examples:
    return Examples(images, np.zeros(len(images), np.uint8), 16, ("a", "b"))


def test_the_box_and_the_centre_of_the_ink_are_measured() -> None:
    images = np.zeros((3, 8, 10), np.uint8)
    images[:, 2:6, 3:8] = 16
    found = measure_framing(examples(images))
    assert (found.height, found.width, found.box) == (8, 10, 5)
    assert found.centre == pytest.approx((4.0, 5.5))


def test_ink_is_measured_above_the_paper_of_a_scan() -> None:
    images = np.random.default_rng(0).integers(2, 5, (3, 8, 10), np.uint8)
    images[:, 2:6, 3:8] = 16
    found = measure_framing(examples(images))
    assert (found.box, found.background) == (5, 3)
    assert found.centre == pytest.approx((4.0, 5.5))


def test_images_without_any_ink_have_their_middle() -> None:
    found = measure_framing(examples(np.zeros((2, 4, 5), np.uint8)))
    assert (found.box, found.centre) == (5, (2.0, 2.5))
