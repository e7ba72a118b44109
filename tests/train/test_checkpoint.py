"""A training that was killed goes on, and ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from digits.core.examples import Examples
from digits.core.history import Period
from digits.core.params import Recipe
from digits.split.framing import measure_framing
from digits.train import batches, checkpoint
from digits.train.backend import keras
from digits.train.checkpoint import Checkpoint
from digits.train.training import Trained, train
from tests import tiny
from tests.conftest import REPOSITORY

TRAIN = tiny.examples(10)
VALIDATION = tiny.examples(7, seed=1)
#: Everything that has a state from one step to the next.
ALL: dict[str, Any] = {
    "hidden_units": [5, 4],
    "normalization": "batch",
    "input_dropout": 0.2,
    "dropout": 0.3,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "schedule": "cosine",
    "averaging": 0.7,
    "augmentation": {"rotation": 30.0, "elastic": 0.3},
    "steps": 12,
    "periods": 3,
    "snapshots": [1, 5, 12],
}


class Killed(Exception):
    """What ends a training in the middle."""


def opened(path: Path, recipe: Recipe, learnt: Examples = TRAIN) -> Checkpoint:
    return Checkpoint(path, recipe, learnt, VALIDATION)


@pytest.fixture(autouse=True)
def _at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each step, which is made by itself."""
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(batches, "CHUNK", 1)


def killed(recipe: Recipe, path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that keeps its state after ``step`` and gets no further."""
    keep = Checkpoint.keep

    def keep_and_die(self: Checkpoint, done: int, state: dict[str, Any]) -> None:
        keep(self, done, state)
        if done == step:
            raise Killed

    reached = opened(path, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep", keep_and_die)
        with pytest.raises(Killed):
            train(recipe, TRAIN, VALIDATION, checkpoint=reached)


def assert_equal(found: Trained, expected: Trained) -> None:
    assert found.history.periods == expected.history.periods
    for one, other in zip(found.model.get_weights(), expected.model.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    for snapshot, same in zip(found.snapshots.taken, expected.snapshots.taken, strict=True):
        assert snapshot.step == same.step
        assert_array_equal(snapshot.weights, same.weights)
        assert_array_equal(snapshot.biases, same.biases)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"momentum": 0.9}, 4),
        ({"optimizer": "adagrad"}, 5),
        ({"optimizer": "adam", "schedule": "cosine"}, 11),
        (ALL, 1),
        (ALL, 4),
        (ALL, 12),
        (ALL | {"averaging": 0.0, "snapshots": []}, 7),
    ],
)
def test_it_ends_with_the_same_bytes(
    changes: dict[str, Any], step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.recipe(**{"steps": 12, "periods": 3, **changes})
    path = tmp_path / "checkpoint.npz"
    killed(recipe, path, step, monkeypatch)
    reached = opened(path, recipe)
    assert reached.step == step
    reported: list[Period] = []
    found = train(recipe, TRAIN, VALIDATION, checkpoint=reached, report=reported.append)
    assert_equal(found, train(recipe, TRAIN, VALIDATION))
    assert reported == found.history.periods


def test_it_may_be_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, path = tiny.recipe(**ALL), tmp_path / "checkpoint.npz"
    for step in (2, 3, 7, 12):
        killed(recipe, path, step, monkeypatch)
    found = train(recipe, TRAIN, VALIDATION, checkpoint=opened(path, recipe))
    assert_equal(found, train(recipe, TRAIN, VALIDATION))


def test_what_is_kept_serves_no_other_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, path = tiny.recipe(**ALL), tmp_path / "checkpoint.npz"
    killed(recipe, path, 6, monkeypatch)
    assert opened(path, recipe).step == 6
    assert opened(path, tiny.recipe(**ALL | {"dropout": 0.4})).step == 0
    assert opened(path, recipe, tiny.examples(10, seed=9)).step == 0
    assert Checkpoint(path, recipe, TRAIN, TRAIN).step == 0
    relabelled = Examples(TRAIN.images, TRAIN.labels[::-1].copy(), 16, TRAIN.class_names)
    assert opened(path, recipe, relabelled).step == 0
    with monkeypatch.context() as patch:
        patch.setattr(keras, "__version__", "0")
        assert opened(path, recipe).step == 0
    assert opened(path, recipe).step == 6


@pytest.mark.parametrize("length", [0, 1, 1000, -1, -30])
def test_a_damaged_one_is_passed_over(length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, path = tiny.recipe(**ALL), tmp_path / "checkpoint.npz"
    killed(recipe, path, 6, monkeypatch)
    path.write_bytes(path.read_bytes()[:length])
    assert opened(path, recipe).step == 0


def test_a_short_training_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 15.0)
    recipe, path = tiny.recipe(**ALL), tmp_path / "checkpoint.npz"
    train(recipe, TRAIN, VALIDATION, checkpoint=opened(path, recipe))
    assert not list(tmp_path.iterdir())


KEEPING = """
from digits.train import checkpoint
checkpoint.INTERVAL = 0.2
from stages.train import main
main("dnn")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_the_stage_goes_on_after_a_kill(workspace: Path) -> None:
    for seed, split in enumerate(("train", "validation")):
        tiny.examples(500, size=(8, 8), classes=10, seed=seed).save(workspace / f"data/splits/{split}.npz")
    measure_framing(tiny.examples(500, size=(8, 8), classes=10)).save(workspace / "data/splits/input.json")
    params = workspace / "params.yaml"
    text = params.read_text()
    assert text.count("    steps: 1000\n") == 2
    # A size at which a batch's images are many chunks, and the whole a matter of seconds.
    text = text.replace("    steps: 1000\n", "    steps: 4000\n    augmentation: {rotation: 9.0}\n")
    params.write_text(text.replace("batch_size: 30", "batch_size: 500"))
    models = workspace / "models/dnn"
    kept = workspace / "checkpoints/dnn.npz"

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in models.iterdir()}

    def command(*words: str) -> list[str]:
        return [sys.executable, *words]

    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command("-c", KEEPING), cwd=workspace, env=environment) as process:
        while not kept.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    with np.load(kept) as archive:
        step = int(archive["step"])
    assert 0 < step < 4000

    def finish() -> str:
        process = subprocess.run(
            command("-m", "stages.train", "dnn"),
            cwd=workspace,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    assert f"goes on after step {step} of 4000" in finish()
    resumed = files()
    assert not kept.exists()
    assert "goes on" not in finish()
    assert files() == resumed
