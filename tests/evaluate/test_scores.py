import json
from pathlib import Path

import numpy as np
import pytest

from digits.core.errors import InputError
from digits.evaluate.metrics import METRICS, Answers, evaluate, wilson_interval
from digits.evaluate.scores import SPLITS, Scores, load_scores, save_metrics, save_scores

#: Two of three are right.
ANSWERS = Answers(np.array([0, 1, 1], np.uint8), np.array([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]))
SCORES = {split: Scores.of(ANSWERS, ("a", "b")) for split in SPLITS}


def test_scores_read_back(tmp_path: Path) -> None:
    save_scores(SCORES, tmp_path / "scores.json")
    assert load_scores(tmp_path / "scores.json") == SCORES
    found = SCORES["test"]
    assert found.metrics == evaluate(ANSWERS)
    assert (found.examples, found.accuracy_interval) == (3, wilson_interval(2, 3))
    assert [(each.name, each.examples) for each in found.classes] == [("a", 1), ("b", 2)]


def test_only_the_main_metrics_go_into_git(tmp_path: Path) -> None:
    save_metrics(SCORES, tmp_path / "m.json")
    figures = {name: value for name, value in evaluate(ANSWERS).items() if METRICS[name].in_git}
    assert list(figures) == ["accuracy", "log_loss"]
    assert json.loads((tmp_path / "m.json").read_text()) == {"validation": figures, "test": figures}


@pytest.mark.parametrize(("old", "new"), [('"test"', '"tested"'), ('"log_loss"', '"loss"')])
def test_other_splits_or_metrics_are_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    save_scores(SCORES, path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"scores\.json: damaged .*\. Run `dvc repro evaluate`"):
        load_scores(path)
