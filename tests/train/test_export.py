import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from digits.train.backend import keras
from digits.train.export import save_keras, save_onnx, save_tflite
from digits.train.network import build
from tests import tiny

IMAGES = tiny.examples(5).images.astype(np.float32)


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    recipe = tiny.recipe(hidden_units=[4], dropout=0.5, l2=0.1)
    return build(recipe, height=2, width=3, pixel_maximum=16, classes=3)


def test_a_keras_file_gives_the_same_network_back(model: "keras.Model", tmp_path: Path) -> None:
    save_keras(model, tmp_path / "models/a.keras")
    loaded = keras.models.load_model(tmp_path / "models/a.keras")
    assert_array_equal(loaded(IMAGES), model(IMAGES))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["a.keras"]


def test_a_keras_file_knows_no_clock(model: "keras.Model", tmp_path: Path) -> None:
    save_keras(model, tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"


@pytest.mark.parametrize("save", [save_keras, save_tflite, save_onnx])
def test_the_same_network_gives_the_same_bytes(save, model: "keras.Model", tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    suffix = save.__name__.removeprefix("save_")
    for name in "ab":
        save(model, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_saving_says_nothing(model: "keras.Model", tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_keras(model, tmp_path / "a.keras")
    save_tflite(model, tmp_path / "a.tflite")
    save_onnx(model, tmp_path / "a.onnx")
    assert capfd.readouterr().out == ""
