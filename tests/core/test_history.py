import re
from pathlib import Path

import pytest

from digits.core.errors import InputError
from digits.core.history import History, Period, Score

HISTORY = History(
    [
        Period(1, 50, Score(0.5, 1.5, 0.75), Score(0.625, 2.5, 0.5)),
        Period(2, 100, Score(0.25, 0.5, 0.875), Score(0.5, 1.5, 0.625)),
    ]
)


def test_a_history_reads_back(tmp_path: Path) -> None:
    HISTORY.save(tmp_path / "history.csv")
    assert History.load(tmp_path / "history.csv") == HISTORY


def test_scores_are_given_period_by_period() -> None:
    assert HISTORY.steps == [50, 100]
    assert HISTORY.scores("train", "log_loss") == [0.5, 0.25]
    assert HISTORY.scores("validation", "accuracy") == [0.5, 0.625]


@pytest.mark.parametrize(("old", "new"), [("step", "steps"), ("0.250000,", "")])
def test_a_damaged_file_is_reported(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    HISTORY.save(path)
    path.write_text(re.sub(old, new, path.read_text(), count=1, flags=re.DOTALL))
    with pytest.raises(InputError, match=r"history\.csv: damaged"):
        History.load(path)
