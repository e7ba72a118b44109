"""A training that was killed goes on, and ends as one that was not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.core.examples import Examples
from digits.core.history import History, Period
from digits.core.params import Recipe
from digits.train import checkpoint
from digits.train.backend import keras
from digits.train.checkpoint import Checkpoint
from digits.train.training import Trained, train
from stages import train as stage
from tests import tiny

TRAIN = tiny.examples(10)
VALIDATION = tiny.examples(7, seed=1)
SHORT: dict[str, Any] = {"steps": 12, "periods": 3, "snapshots": [1, 5, 12]}
#: Everything that has a state from one step to the next.
ALL = SHORT | {
    "hidden_units": [5, 4],
    "normalization": "batch",
    "input_dropout": 0.2,
    "dropout": 0.3,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "schedule": "cosine",
    "averaging": 0.7,
    "augmentation": {"rotation": 30.0, "elastic": 0.3},
}


def open_checkpoint(folder: Path, recipe: Recipe, learnt: Examples = TRAIN) -> Checkpoint:
    return Checkpoint(folder, recipe, learnt, VALIDATION)


@pytest.fixture(autouse=True)
def _at_every_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)


def train_until(recipe: Recipe, folder: Path, step: int) -> None:
    """Train to the end of the period at ``step``; the next one fails, as if the process were killed."""

    def die(period: Period) -> None:
        if period.step > step:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(recipe, TRAIN, VALIDATION, checkpoint=open_checkpoint(folder, recipe), report=die)


def left_by(trained: Trained, folder: Path) -> list[bytes]:
    """The weights, and the files of history and snapshots."""
    trained.history.save(folder / "history.csv")
    trained.snapshots.save(folder / "snapshots.npz")
    files = [(folder / name).read_bytes() for name in ("history.csv", "snapshots.npz")]
    return [*(array.tobytes() for array in trained.model.get_weights()), *files]


@pytest.mark.parametrize(
    ("changes", "step"),
    [(SHORT | {"optimizer": "adagrad"}, 8), (ALL, 4), (ALL | {"averaging": 0.0, "snapshots": []}, 8)],
)
def test_a_resumed_training_gives_the_same_bytes(changes: dict[str, Any], step: int, tmp_path: Path) -> None:
    recipe = tiny.recipe(**changes)
    folder = tmp_path / "checkpoint"
    train_until(recipe, folder, step)
    reached = open_checkpoint(folder, recipe)
    assert reached.step == step
    reported: list[Period] = []
    found = train(recipe, TRAIN, VALIDATION, checkpoint=reached, report=reported.append)
    assert left_by(found, tmp_path) == left_by(train(recipe, TRAIN, VALIDATION), tmp_path)
    assert [period.step for period in reported] == list(range(step + 4, 13, 4))


def test_a_checkpoint_serves_no_other_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, folder = tiny.recipe(**SHORT), tmp_path / "checkpoint"
    train_until(recipe, folder, 4)
    assert open_checkpoint(folder, tiny.recipe(**SHORT | {"seed": 1})).step == 0
    assert open_checkpoint(folder, recipe, tiny.examples(10, seed=9)).step == 0
    assert Checkpoint(folder, recipe, TRAIN, TRAIN).step == 0
    relabelled = Examples(TRAIN.images, TRAIN.labels[::-1].copy(), 16, TRAIN.class_names)
    assert open_checkpoint(folder, recipe, relabelled).step == 0
    with monkeypatch.context() as patch:
        patch.setattr(keras, "__version__", "0")
        assert open_checkpoint(folder, recipe).step == 0
    assert open_checkpoint(folder, recipe).step == 4


def test_a_damaged_checkpoint_is_ignored(tmp_path: Path) -> None:
    recipe, folder = tiny.recipe(**SHORT), tmp_path / "checkpoint"
    train_until(recipe, folder, 4)
    for name in ("history.csv", "snapshots.npz", "variables.npz"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-200])
        assert open_checkpoint(folder, recipe).step == 0
        (folder / name).write_bytes(whole)
    assert open_checkpoint(folder, recipe).step == 4


def test_a_short_training_writes_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 15.0)
    recipe = tiny.recipe(**SHORT)
    train(recipe, TRAIN, VALIDATION, checkpoint=open_checkpoint(tmp_path / "checkpoint", recipe))
    assert not list(tmp_path.iterdir())


def test_the_stage_goes_on_after_a_kill(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["train"]["dnn"] = tiny.recipe(**SHORT).model_dump(exclude_defaults=True)
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    TRAIN.save(workspace / "data/splits/train.npz")
    VALIDATION.save(workspace / "data/splits/validation.npz")
    kept = workspace / "checkpoints/dnn"
    train_until(tiny.recipe(**SHORT), kept, 4)
    stage.main("dnn", workspace)
    assert "continuing from step 4 of 12" in capsys.readouterr().out
    assert History.load(workspace / "models/dnn/history.csv").steps == [4, 8, 12]
    assert not kept.exists()
