import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
import yaml
from dvc.repo import Repo

from digits.cli import repeat
from digits.cli.compare import read_results
from digits.core.errors import InputError
from digits.core.params import load_params
from digits.evaluate.scores import load_scores
from digits.split.framing import measure_framing
from digits.train import training
from stages import evaluate, train
from tests import tiny
from tests.conftest import REPOSITORY

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
#: Student's two-sided 95 % quantile for two degrees of freedom, from a printed table.
T_2 = 4.30265


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


@dataclass
class Saved:
    """A folder where the stages ran, then three seeds of each model; its files before and after."""

    root: Path
    before: dict[str, bytes]
    after: dict[str, bytes]

    def rows(self, model: str) -> list[dict[str, str]]:
        with (self.root / f"metrics/repeats/{model}.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    root = lay_out(tmp_path_factory.mktemp("saved"))
    for model in SETTINGS:
        train.main(model, root)
        evaluate.main(model, root)
    before = contents(root)
    assert repeat.main(3, models=[], save=True, root=root) == 0
    return Saved(root, before, contents(root))


@pytest.mark.parametrize("model", SETTINGS)
@pytest.mark.parametrize("further", [0, 2])
def test_each_seed_gives_what_the_stages_give(model: str, further: int, saved: Saved, root: Path) -> None:
    seed = load_params(root).recipe(model).seed + further
    settings(root, model, seed=seed)
    train.main(model, root)
    evaluate.main(model, root)
    found = {row["split"]: row for row in saved.rows(model) if row["seed"] == str(seed)}
    for split, scores in load_scores(root / f"predictions/{model}/scores.json").items():
        expected = {"seed": seed, "split": split, **scores.metrics}
        assert found[split] == {key: str(value) for key, value in expected.items()}


def test_there_is_a_row_for_each_seed_and_split_and_seeds_differ(saved: Saved) -> None:
    for model, first in (("linear", 7), ("dnn", 0)):
        rows = saved.rows(model)
        assert [(int(row["seed"]), row["split"]) for row in rows] == [
            (seed, split) for seed in range(first, first + 3) for split in ("validation", "test")
        ]
        assert len({row["log_loss"] for row in rows}) == len(rows)


def test_the_summary_is_of_the_rows(saved: Saved) -> None:
    summary = json.loads((saved.root / "metrics/repeats/summary.json").read_text())
    assert list(summary) == list(SETTINGS)
    for model, by_split in summary.items():
        rows = saved.rows(model)
        assert list(by_split) == ["validation", "test"]
        for split, by_metric in by_split.items():
            assert rows[0].keys() - by_metric.keys() == {"seed", "split"}
            for metric, found in by_metric.items():
                values = [float(row[metric]) for row in rows if row["split"] == split]
                half = T_2 * stdev(values) / 3**0.5
                expected = (mean(values), stdev(values), mean(values) - half, mean(values) + half, 3)
                assert tuple(found.values()) == pytest.approx(expected, rel=1e-5, abs=1e-6)
                assert list(found) == ["mean", "deviation", "low", "high", "seeds"]


def test_a_spread_by_hand() -> None:
    found = repeat.spread(np.array([0.9, 0.92, 0.97]))  # deviations from 0.93: -0.03, -0.01, 0.04
    assert found["mean"] == pytest.approx(0.93)
    assert found["deviation"] == pytest.approx(((0.0009 + 0.0001 + 0.0016) / 2) ** 0.5)
    assert (found["low"], found["high"]) == pytest.approx((0.93 - 0.08957, 0.93 + 0.08957), abs=1e-5)
    assert found["seeds"] == 3


def test_figures_that_are_all_the_same_have_no_spread() -> None:
    assert list(repeat.spread(np.array([0.5, 0.5])).values()) == [0.5, 0.0, 0.5, 0.5, 2]


def test_nothing_but_the_results_is_written(saved: Saved) -> None:
    names = ("linear.csv", "dnn.csv", "summary.json")
    assert "models/dnn/model.tflite" in saved.before
    assert saved.after.keys() - saved.before.keys() == {f"metrics/repeats/{name}" for name in names}
    assert {path: saved.after[path] for path in saved.before} == saved.before


def test_neither_compare_nor_dvc_takes_the_results_for_a_models(saved: Saved, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(saved.root, root)
    (root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    metrics = [f"metrics/{model}.json" for model in SETTINGS]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"metrics": metrics}))
    with Repo.init(str(root), no_scm=True) as repo:
        shown = repo.metrics.show()[""]["data"]
    assert {Path(path).as_posix() for path in shown} == set(metrics)
    assert set(read_results("workspace", root).metrics) == {
        (model, split) for model in SETTINGS for split in ("validation", "test")
    }


def test_neither_order_nor_repetition_of_the_models_matter(saved: Saved, root: Path) -> None:
    """All are trained in one process: what one leaves there changes no other."""
    repeat.main(3, models=["dnn", "linear", "dnn"], save=True, root=root)
    found = contents(root)
    for name in ("linear.csv", "dnn.csv"):
        assert found[f"metrics/repeats/{name}"] == saved.after[f"metrics/repeats/{name}"]
    summaries = [json.loads(files["metrics/repeats/summary.json"]) for files in (found, saved.after)]
    assert summaries[0] == summaries[1]


def test_results_of_an_earlier_experiment_go(root: Path) -> None:
    (root / "metrics/repeats").mkdir(parents=True)
    (root / "metrics/repeats/dnn.csv").write_text("of an earlier experiment")
    repeat.main(2, models=["linear"], save=True, root=root)
    assert {path.name for path in (root / "metrics/repeats").iterdir()} == {"linear.csv", "summary.json"}


def test_progress_and_table_are_printed_and_nothing_is_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root)
    repeat.main(2, models=["linear"], save=False, root=root)
    assert contents(root) == before
    first, second, empty, header, _, *table = capsys.readouterr().out.splitlines()
    assert first.startswith("linear: seed 1 of 2 (7), validation accuracy 0.")
    assert second.startswith("linear: seed 2 of 2 (8), validation accuracy 0.")
    assert empty == ""
    assert header.split("  ")[0] == "model"
    accuracies = [float(line.split()[-1]) for line in (first, second)]
    (row,) = [line.split() for line in table if line.split()[1:3] == ["validation", "accuracy"]]
    assert float(row[3]) == pytest.approx(mean(accuracies), abs=1e-4)
    assert float(row[4]) == pytest.approx(stdev(accuracies), abs=1e-4)
    assert row[-1] == "2"


@pytest.mark.parametrize(
    ("call", "changes", "line"),
    [
        ({"seeds": 1}, {}, "--seeds: found 1, expected 2 or more"),
        ({"seeds": -5}, {}, "--seeds: found -5, expected 2 or more"),
        ({"models": ["linear", "cnn"]}, {}, "found no model 'cnn', expected one of linear, dnn"),
        ({}, {"steps": 0}, "params.yaml, train.dnn.steps: found 0, expected greater than 0"),
        (
            {"seeds": 3},
            {"seed": 2**31 - 2},
            "params.yaml, train.dnn.seed: found 2147483648, expected less than 2147483648",
        ),
    ],
)
def test_bad_input_is_named_before_any_training(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: dict[str, Any],
    changes: dict[str, object],
    line: str,
) -> None:
    monkeypatch.delattr(training, "train")
    settings(root, "dnn", **changes)
    arguments: dict[str, Any] = {"seeds": 2, "models": [], "save": True, "root": root}
    with pytest.raises(InputError) as caught:
        repeat.main(**(arguments | call))
    assert line in str(caught.value)
    assert not (root / "metrics").exists()


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("content", [None, b"no archive"])
def test_splits_must_be_there(
    root: Path, monkeypatch: pytest.MonkeyPatch, split: str, content: bytes | None
) -> None:
    monkeypatch.delattr(training, "train")
    path = root / f"data/splits/{split}.npz"
    path.unlink()
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{split}\.npz: found .*, expected a split; dvc repro split"):
        repeat.main(2, models=[], save=False, root=root)


def test_a_training_that_diverges_leaves_the_last_results(saved: Saved, root: Path) -> None:
    shutil.copytree(saved.root / "metrics", root / "metrics")
    settings(root, "dnn", learning_rate=1e30, clip_norm=None)
    before = contents(root)
    with pytest.raises(InputError, match="a training log loss of nan"):
        repeat.main(2, models=[], save=True, root=root)
    assert contents(root) == before
