from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.evaluate.inference import BATCH, logits
from tests import tiny

IMAGES = tiny.examples(2 * BATCH + 3).images


@pytest.fixture(scope="module", params=[[], [5, 4]], ids=["linear", "dnn"])
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, NDArray[np.float32]]:
    """An exported network, and the logits that Keras gives for the images."""
    from digits.train.export import save_tflite
    from digits.train.training import train

    recipe = tiny.recipe(hidden_units=request.param, dropout=0.1 if request.param else 0.0)
    model = train(recipe, tiny.examples(20), tiny.examples(5)).model
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    save_tflite(model, path)
    return path, np.asarray(model(IMAGES.astype(np.float32)))


def test_logits_are_those_of_keras(network: tuple[Path, NDArray[np.float32]]) -> None:
    path, expected = network
    found = logits(path, IMAGES)
    assert found.shape == (len(IMAGES), 3)
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.01


def test_neither_batch_nor_order_matter(network: tuple[Path, NDArray[np.float32]]) -> None:
    path, _ = network
    every = logits(path, IMAGES)
    assert_allclose(logits(path, IMAGES[-1:]), every[-1:], rtol=0, atol=1e-6)
    assert_allclose(logits(path, IMAGES[::-1]), every[::-1], rtol=0, atol=1e-6)
    assert_array_equal(logits(path, IMAGES), every)


def test_images_of_another_size_are_refused(network: tuple[Path, NDArray[np.float32]]) -> None:
    with pytest.raises(InputError, match=r"images of \(2, 3\) pixels, expected one for \(3, 2\)"):
        logits(network[0], IMAGES.transpose(0, 2, 1))


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\0" * 100])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tflite: found .*, expected a LiteRT model"):
        logits(path, IMAGES)
