"""The files of a trained network give the same answers, whatever runs them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from digits.train.backend import keras
from digits.train.export import save_keras, save_onnx, save_tflite
from digits.train.training import train
from tests import tiny
from tests.exports import every_runtime, furthest_apart

IMAGES = tiny.examples(203).images
#: Run by another version of Keras.
OLDER = """
import keras, numpy
model = keras.saving.load_model("model.keras")
numpy.save("logits.npy", model.predict(numpy.load("images.npy")))
"""


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"hidden_units": [5]},
        {"hidden_units": [7, 4], "dropout": 0.3, "l2": 0.1},
        {
            "hidden_units": [7, 4],
            "normalization": "batch",
            "input_dropout": 0.2,
            "steps": 60,
            "averaging": 0.9,
        },
    ],
    ids=["linear", "one hidden layer", "two with dropout", "normalized and averaged"],
)
def test_every_runtime_gives_the_same_answers(recipe: dict[str, object], tmp_path: Path) -> None:
    model = train(tiny.recipe(**recipe), tiny.examples(20), tiny.examples(5)).model
    save_keras(model, tmp_path / "model.keras")
    save_tflite(model, tmp_path / "model.tflite")
    save_onnx(model, tmp_path / "model.onnx")
    found = every_runtime(tmp_path, IMAGES)
    assert furthest_apart(found) < 1e-6
    expected = np.asarray(model(IMAGES.astype(np.float32)))
    assert np.ptp(expected, axis=0).min() > 0.01  # they don't agree on nothing
    for name, logits in found.items():
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.3.3", "3.6.0"])
def test_an_older_keras_gives_the_same_answers(version: str, tmp_path: Path) -> None:
    recipe = tiny.recipe(hidden_units=[7], normalization="batch", dropout=0.3, l2=0.1)
    model = train(recipe, tiny.examples(20), tiny.examples(5)).model
    save_keras(model, tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES.astype(np.float32))
    packages = f"--with=keras=={version}", "--with=jax<0.5", "--with=numpy<2.3", "--with=packaging"
    subprocess.run(
        [
            Path(sys.executable).with_name("uv"),
            "run",
            "--isolated",
            "--no-project",
            "--python",
            sys.executable,
            *packages,
            "python",
            "-c",
            OLDER,
        ],
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        check=True,
    )
    expected = model(IMAGES.astype(np.float32))
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=0, atol=1e-5)


def test_an_onnx_file_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    model = train(tiny.recipe(hidden_units=[4]), tiny.examples(20), tiny.examples(5)).model
    save_onnx(model, tmp_path / "a.onnx")
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert [node.op_type for node in graph.node] == ["Mul", "Flatten", "Gemm", "Relu", "Gemm"]
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"images": ["n", 2, 3], "logits": ["n", 3]}


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (keras.layers.Softmax(name="odd"), r"the layer odd \(Softmax\)"),
        (keras.layers.Dense(2, activation="tanh"), "the activation tanh"),
    ],
)
def test_a_layer_that_onnx_is_not_taught_is_named(
    layer: "keras.layers.Layer", named: str, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), layer])
    with pytest.raises(NotImplementedError, match=named):
        save_onnx(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
