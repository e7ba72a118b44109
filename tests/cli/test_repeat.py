import csv
import shutil
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
import yaml

from digits.cli import repeat
from digits.core.errors import InputError
from digits.evaluate.scores import load_scores
from digits.train import training
from digits.train.framing import measure_framing
from stages import evaluate, train
from tests import tiny
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

SPLITS = {
    "train": tiny.examples(60),
    "validation": tiny.examples(40, seed=1),
    "test": tiny.examples(50, seed=2),
}
SHORT = {"steps": 10, "periods": 2, "snapshots": [5], "batch_size": 5}
#: By model: linear's seeds differ in the batches alone, dnn's in first weights and dropout too.
SETTINGS: dict[str, dict[str, object]] = {
    "linear": {**SHORT, "seed": 7},
    "dnn": {**SHORT, "hidden_units": [4], "dropout": 0.3, "learning_rate": 0.2, "seed": 0},
}


def settings(root: Path, model: str, **changes: object) -> None:
    path = root / "params.yaml"
    document = yaml.safe_load(path.read_text())
    document["train"][model].update(changes)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def lay_out(root: Path) -> Path:
    """Tiny splits and short trainings in ``root``."""
    shutil.copy(REPOSITORY / "params.yaml", root)
    for name, examples in SPLITS.items():
        examples.save(root / f"data/splits/{name}.npz")
    measure_framing(SPLITS["train"]).save(root / "data/splits/input.json")
    for model, changes in SETTINGS.items():
        settings(root, model, **changes)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where three seeds of each model ran."""
    root = lay_out(tmp_path_factory.mktemp("saved"))
    before = contents(root)
    assert repeat.main(3, models=[], save=True, root=root) == 0
    after = contents(root)
    assert after.keys() - before.keys() == {
        f"metrics/repeats/{name}" for name in ("linear.csv", "dnn.csv", "summary.json")
    }
    return root


@pytest.mark.parametrize(("model", "seed"), [("linear", 7), ("dnn", 2)])
def test_each_seed_gives_what_the_stages_give(model: str, seed: int, saved: Path, root: Path) -> None:
    settings(root, model, seed=seed)
    train.main(model, root)
    evaluate.main(model, root)
    with (saved / f"metrics/repeats/{model}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows] == ["validation", "test"] * 3
    assert len({row["log_loss"] for row in rows}) == len(rows)
    found = {row["split"]: row for row in rows if row["seed"] == str(seed)}
    for split, scores in load_scores(root / f"predictions/{model}/scores.json").items():
        expected = {"seed": seed, "split": split, **scores.metrics}
        assert found[split] == {key: str(value) for key, value in expected.items()}


def test_a_spread_by_hand() -> None:
    found = repeat.spread(np.array([0.9, 0.92, 0.97]))  # deviations from 0.93: -0.03, -0.01, 0.04
    assert found["mean"] == pytest.approx(0.93)
    assert found["deviation"] == pytest.approx(((0.0009 + 0.0001 + 0.0016) / 2) ** 0.5)
    assert (found["low"], found["high"]) == pytest.approx((0.93 - 0.08957, 0.93 + 0.08957), abs=1e-5)
    assert found["seeds"] == 3


def test_progress_and_table_are_printed_and_nothing_is_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root)
    repeat.main(2, models=["linear"], save=False, root=root)
    assert contents(root) == before
    first, second, *table = capsys.readouterr().out.splitlines()
    assert first.startswith("linear: seed 1 of 2 (7), validation accuracy 0.")
    assert second.startswith("linear: seed 2 of 2 (8), validation accuracy 0.")
    accuracies = [float(line.split()[-1]) for line in (first, second)]
    (row,) = [line.split() for line in table if line.split()[1:3] == ["validation", "accuracy"]]
    assert (float(row[3]), float(row[4])) == pytest.approx((mean(accuracies), stdev(accuracies)), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "changes", "line"),
    [
        ({"seeds": 1}, {}, "--seeds: found 1, expected 2 or more"),
        ({"models": ["linear", "cnn"]}, {}, "found no model 'cnn', expected one of linear, dnn"),
        ({}, {"seed": 2**31 - 1}, "train.dnn.seed: found 2147483648, expected less than 2147483648"),
    ],
)
def test_bad_input_is_named_before_any_training(
    root: Path, monkeypatch: pytest.MonkeyPatch, call: dict[str, Any], changes: dict[str, object], line: str
) -> None:
    monkeypatch.delattr(training, "train")
    settings(root, "dnn", **changes)
    arguments: dict[str, Any] = {"seeds": 2, "models": [], "save": True, "root": root}
    with pytest.raises(InputError, match=line):
        repeat.main(**(arguments | call))


def test_a_training_that_diverges_leaves_the_last_results(saved: Path, root: Path) -> None:
    shutil.copytree(saved / "metrics", root / "metrics")
    settings(root, "dnn", learning_rate=1e30, clip_norm=None)
    before = contents(root)
    with pytest.raises(InputError, match="a training log loss of nan"):
        repeat.main(2, models=[], save=True, root=root)
    assert contents(root) == before
