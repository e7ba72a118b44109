import csv
import shutil
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
import yaml

from digits.cli import repeat
from digits.evaluate.scores import load_scores
from digits.train.framing import measure_framing
from stages import evaluate, train
from tests import tiny
from tests.conftest import REPOSITORY

SHORT = {"steps": 10, "periods": 2, "snapshots": [5], "batch_size": 5}


def test_a_spread_by_hand() -> None:
    found = repeat.spread(np.array([0.9, 0.92, 0.97]))  # deviations from 0.93: -0.03, -0.01, 0.04
    deviation = ((0.0009 + 0.0001 + 0.0016) / 2) ** 0.5
    expected = [0.93, deviation, 0.93 - 0.08957, 0.93 + 0.08957, 3]
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_each_seed_gives_what_the_stages_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For dnn, where the seed sets first weights and dropout too."""
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    for seed, split in enumerate(("train", "validation", "test")):
        tiny.examples(50, seed=seed).save(tmp_path / f"data/splits/{split}.npz")
    measure_framing(tiny.examples(50)).save(tmp_path / "data/splits/input.json")
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())

    def set_seed(seed: int) -> None:
        params["train"]["dnn"] |= SHORT | {"hidden_units": [4], "dropout": 0.3, "seed": seed}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))

    set_seed(3)
    train.main("dnn", tmp_path)
    evaluate.main("dnn", tmp_path)
    set_seed(1)
    capsys.readouterr()

    assert repeat.main(3, models=["dnn"], save=True, root=tmp_path) == 0
    with (tmp_path / "metrics/repeats/dnn.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["split"]) for row in rows] == [
        (seed, split) for seed in "123" for split in ("validation", "test")
    ]
    assert len({row["log_loss"] for row in rows}) == len(rows)
    scores = load_scores(tmp_path / "predictions/dnn/scores.json")
    for row, split in zip(rows[4:], ("validation", "test"), strict=True):
        expected = {"seed": 3, "split": split, **scores[split].metrics}
        assert row == {key: str(value) for key, value in expected.items()}

    lines = capsys.readouterr().out.splitlines()
    accuracies = [float(line.split()[-1]) for line in lines if line.startswith("dnn, seed ")]
    (shown,) = [line.split() for line in lines if line.split()[1:3] == ["validation", "accuracy"]]
    spread = mean(accuracies[::2]), stdev(accuracies[::2])
    assert (float(shown[3]), float(shown[4])) == pytest.approx(spread, abs=1e-4)
