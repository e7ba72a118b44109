"""A training that was killed goes on, and ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from digits.core.examples import Examples
from digits.core.history import History, Period
from digits.core.params import Recipe
from digits.train import checkpoint
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


def opened(folder: Path, recipe: Recipe, learnt: Examples = TRAIN) -> Checkpoint:
    return Checkpoint(folder, recipe, learnt, VALIDATION)


@pytest.fixture(autouse=True)
def _at_every_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)


def killed(recipe: Recipe, folder: Path, step: int) -> None:
    """A training that gets no further than the period which ends at ``step``."""

    def die(period: Period) -> None:
        if period.step > step:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, TRAIN, VALIDATION, checkpoint=opened(folder, recipe), report=die)


def assert_equal(found: Trained, expected: Trained, folder: Path) -> None:
    for one, other in zip(found.model.get_weights(), expected.model.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    for name, trained in (("found", found), ("expected", expected)):
        trained.history.save(folder / f"{name}.csv")
        trained.snapshots.save(folder / f"{name}.npz")
    for suffix in (".csv", ".npz"):
        assert (folder / f"found{suffix}").read_bytes() == (folder / f"expected{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"momentum": 0.9}, 4),
        ({"optimizer": "adagrad"}, 8),
        ({"optimizer": "adam", "schedule": "cosine"}, 4),
        (ALL, 4),
        (ALL, 8),
        (ALL | {"averaging": 0.0, "snapshots": []}, 8),
    ],
)
def test_it_ends_with_the_same_bytes(changes: dict[str, Any], step: int, tmp_path: Path) -> None:
    recipe = tiny.recipe(**{"steps": 12, "periods": 3, **changes})
    folder = tmp_path / "checkpoint"
    killed(recipe, folder, step)
    reached = opened(folder, recipe)
    assert reached.step == step
    reported: list[Period] = []
    found = train(recipe, TRAIN, VALIDATION, checkpoint=reached, report=reported.append)
    assert_equal(found, train(recipe, TRAIN, VALIDATION), tmp_path)
    assert [period.step for period in reported] == list(range(step + 4, 13, 4))


def test_what_is_kept_serves_no_other_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, folder = tiny.recipe(**ALL), tmp_path / "checkpoint"
    killed(recipe, folder, 4)
    assert opened(folder, tiny.recipe(**ALL | {"dropout": 0.4})).step == 0
    assert opened(folder, recipe, tiny.examples(10, seed=9)).step == 0
    assert Checkpoint(folder, recipe, TRAIN, TRAIN).step == 0
    relabelled = Examples(TRAIN.images, TRAIN.labels[::-1].copy(), 16, TRAIN.class_names)
    assert opened(folder, recipe, relabelled).step == 0
    with monkeypatch.context() as patch:
        patch.setattr(keras, "__version__", "0")
        assert opened(folder, recipe).step == 0
    assert opened(folder, recipe).step == 4


@pytest.mark.parametrize("name", ["history.csv", "snapshots.npz", "variables.npz"])
def test_a_damaged_one_is_passed_over(name: str, tmp_path: Path) -> None:
    recipe, folder = tiny.recipe(**ALL), tmp_path / "checkpoint"
    killed(recipe, folder, 4)
    (folder / name).write_bytes((folder / name).read_bytes()[:-200])
    assert opened(folder, recipe).step == 0


def test_a_short_training_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 15.0)
    recipe = tiny.recipe(**ALL)
    train(recipe, TRAIN, VALIDATION, checkpoint=opened(tmp_path / "checkpoint", recipe))
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
    params = workspace / "params.yaml"
    text = params.read_text()
    assert text.count("    steps: 1000\n") == 2
    text = text.replace("    steps: 1000\n", "    steps: 2000\n    augmentation: {rotation: 9.0}\n")
    params.write_text(text.replace("batch_size: 30", "batch_size: 500"))
    models = workspace / "models/dnn"
    kept = workspace / "checkpoints/dnn"

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
    step = History.load(kept / "history.csv").steps[-1]
    assert 0 < step < 2000

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

    assert f"goes on after step {step} of 2000" in finish()
    resumed = files()
    assert not kept.exists()
    assert "goes on" not in finish()
    assert files() == resumed
