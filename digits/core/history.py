"""The history of a training: a row of scores for each period, in history.csv."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from digits.core.files import read_csv, reading, write_csv

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Score:
    """The scores of a network on one split; losses are means over examples, in nats.

    ``log_loss_of_predicted_classes`` is the score that the course's notebook prints: the log loss of one-hot
    predicted classes, as if the network were sure of each. scikit-learn clips probabilities at 2.2e-16, so it
    is the error rate times ``-ln(2.2e-16) = 36.04``.
    """

    log_loss: float
    log_loss_of_predicted_classes: float
    accuracy: float


SCORES = [field.name for field in fields(Score)]
#: The columns of history.csv: period and step, then each score on train and on validation.
COLUMNS = ["period", "step", *(f"{split}_{name}" for name in SCORES for split in ("train", "validation"))]


@dataclass(frozen=True)
class Period:
    """The scores after one of the equal parts of a training; ``period`` and ``step`` count from 1."""

    period: int
    step: int
    train: Score
    validation: Score

    def scores(self) -> list[float]:
        """All scores in the order of :data:`COLUMNS`."""
        pairs = zip(astuple(self.train), astuple(self.validation), strict=True)
        return [score for pair in pairs for score in pair]


@dataclass(frozen=True)
class History:
    """All periods of a training, in order."""

    periods: Sequence[Period]

    @property
    def steps(self) -> list[int]:
        return [period.step for period in self.periods]

    def scores(self, split: Split, name: str) -> list[float]:
        """One field of :class:`Score` on one split, period by period."""
        return [getattr(getattr(period, split), name) for period in self.periods]

    def save(self, path: Path) -> None:
        """Write a CSV file that :meth:`load` reads."""
        rows = [
            [period.period, period.step, *(f"{score:.6f}" for score in period.scores())]
            for period in self.periods
        ]
        write_csv(path, COLUMNS, rows)

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what :meth:`save` wrote."""
        with reading(path, "train"):
            table = read_csv(path)
            rows = zip(*(map(float, table[name]) for name in COLUMNS), strict=True)
            # Train and validation alternate, as in COLUMNS.
            return cls([Period(int(n), int(step), Score(*c[::2]), Score(*c[1::2])) for n, step, *c in rows])
