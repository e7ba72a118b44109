from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from digits.core.errors import InputError
from digits.evaluate.inference import BATCH, logits
from digits.train.export import save_tflite
from digits.train.network import build
from tests import tiny

IMAGES = tiny.examples(2 * BATCH + 3).images


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network, whose answers differ from image to image."""
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    save_tflite(build(tiny.recipe(hidden_units=[5]), height=2, width=3, pixel_maximum=16, classes=3), path)
    return path


def test_neither_batch_nor_order_matter(network: Path) -> None:
    every = logits(network, IMAGES)
    assert np.ptp(every, axis=0).min() > 0.01
    assert_allclose(logits(network, IMAGES[-1:]), every[-1:], rtol=0, atol=1e-6)
    assert_allclose(logits(network, IMAGES[::-1]), every[::-1], rtol=0, atol=1e-6)
    assert_array_equal(logits(network, IMAGES), every)


def test_images_of_another_size_are_refused(network: Path) -> None:
    with pytest.raises(InputError, match=r"not a LiteRT model for images of 1 × 3 pixels"):
        logits(network, IMAGES[:, :1])


def test_what_is_no_model_is_refused(network: Path, tmp_path: Path) -> None:
    path, whole = tmp_path / "model.tflite", network.read_bytes()
    for content in (None, b"", b"not a model", bytes(100), whole[:8], whole[: len(whole) // 2], whole[:-1]):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.tflite: not a LiteRT model"):
            logits(path, IMAGES)
