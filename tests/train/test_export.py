"""The files of a trained network: the same answers, whatever runs them, and the same bytes each time."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from digits.evaluate.inference import logits
from digits.train.backend import keras
from digits.train.export import save_keras, save_onnx, save_tflite
from digits.train.training import train
from tests import tiny

IMAGES = tiny.examples(203).images
PIXELS = IMAGES.astype(np.float32)
#: Run by another version of Keras.
OLDER = """
import keras, numpy
model = keras.saving.load_model("model.keras")
numpy.save("logits.npy", model.predict(numpy.load("images.npy")))
"""


def trained(**recipe: object) -> Any:
    return train(tiny.recipe(**recipe), tiny.examples(20), tiny.examples(5)).model


def save(model: Any, folder: Path) -> list[bytes]:
    """The content of the network's three files, which are in the folder then."""
    folder.mkdir(exist_ok=True)
    for kind, save_as in (("keras", save_keras), ("tflite", save_tflite), ("onnx", save_onnx)):
        save_as(model, folder / f"model.{kind}")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def model() -> Any:
    return trained(hidden_units=[4], dropout=0.5, l2=0.1)


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"hidden_units": [7, 4], "dropout": 0.3, "l2": 0.1},
        {
            "hidden_units": [7, 4],
            "normalization": "batch",
            "input_dropout": 0.2,
            "steps": 60,
            "averaging": 0.9,
        },
    ],
)
def test_every_runtime_gives_the_same_answers(recipe: dict[str, object], tmp_path: Path) -> None:
    model = trained(**recipe)
    save(model, tmp_path)
    expected = np.asarray(model(PIXELS))
    assert np.ptp(expected, axis=0).min() > 0.01  # the answers differ between images
    (by_onnx,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["logits"], {"images": PIXELS})
    for found in (
        by_onnx,
        logits(tmp_path / "model.tflite", IMAGES),
        keras.models.load_model(tmp_path / "model.keras", safe_mode=True)(PIXELS),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.3.3", "3.6.0"])
def test_an_older_keras_gives_the_same_answers(version: str, tmp_path: Path) -> None:
    model = trained(hidden_units=[7], normalization="batch", dropout=0.3, l2=0.1)
    save(model, tmp_path)
    np.save(tmp_path / "images.npy", PIXELS)
    uv = [str(Path(sys.executable).with_name("uv")), "run", "--isolated", "--no-project"]
    packages = f"--with=keras=={version}", "--with=jax<0.5", "--with=numpy<2.3", "--with=packaging"
    subprocess.run(
        [*uv, "--python", sys.executable, *packages, "python", "-c", OLDER],
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        check=True,
    )
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(PIXELS), rtol=0, atol=1e-5)


def test_the_same_network_gives_the_same_bytes_and_nothing_is_said(
    model: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert save(model, tmp_path / "a") == save(model, tmp_path / "b")
    assert capfd.readouterr().out == ""
    with zipfile.ZipFile(tmp_path / "a/model.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"


def test_an_onnx_file_says_what_it_takes_and_gives(model: Any, tmp_path: Path) -> None:
    save_onnx(model, tmp_path / "a.onnx")
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert [node.op_type for node in graph.node] == ["Mul", "Flatten", "Gemm", "Relu", "Gemm"]
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"images": ["n", 2, 3], "logits": ["n", 3]}


def test_a_layer_that_cannot_be_written_to_onnx_is_reported(tmp_path: Path) -> None:
    layers = [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Softmax(name="odd")]
    model = keras.Sequential(layers)
    with pytest.raises(NotImplementedError, match=r"the layer odd \(Softmax\)"):
        save_onnx(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
