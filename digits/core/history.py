"""The course of a training: a row of figures for each period, in history.csv."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from digits.core.files import read_csv, reading, write_csv

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Score:
    """The figures of a network on one split; losses are means over examples, in nats.

    ``log_loss_of_predicted_classes`` is the figure that the course's notebook prints: the log loss of one-hot
    predicted classes, as if the network were sure of each. It is the error rate times a constant,
    ``-ln(2.2e-16) = 36.04``, at which scikit-learn clips.
    """

    log_loss: float
    log_loss_of_predicted_classes: float
    accuracy: float


FIGURES = [field.name for field in fields(Score)]
#: The columns of figures in history.csv: each on train and on validation, in turns.
COLUMNS = ["period", "step", *(f"{split}_{name}" for name in FIGURES for split in ("train", "validation"))]


@dataclass(frozen=True)
class Period:
    """The network after one of the training's equal parts; ``period`` and ``step`` count from 1."""

    period: int
    step: int
    train: Score
    validation: Score

    def figures(self) -> list[float]:
        """The figures in the order of :data:`COLUMNS`."""
        pairs = zip(astuple(self.train), astuple(self.validation), strict=True)
        return [figure for pair in pairs for figure in pair]


@dataclass(frozen=True)
class History:
    """All periods of a training, in order."""

    periods: Sequence[Period]

    @property
    def steps(self) -> list[int]:
        return [period.step for period in self.periods]

    def figures(self, split: Split, name: str) -> list[float]:
        """One figure of :class:`Score` on one split, period by period."""
        return [getattr(getattr(period, split), name) for period in self.periods]

    def save(self, path: Path) -> None:
        """Write a CSV file that :meth:`load` reads."""
        rows = [
            [period.period, period.step, *(f"{figure:.6f}" for figure in period.figures())]
            for period in self.periods
        ]
        write_csv(path, COLUMNS, rows)

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what :meth:`save` wrote."""
        with reading(path, "train"):
            table = read_csv(path)
            rows = zip(*(map(float, table[name]) for name in COLUMNS), strict=True)
            return cls([Period(int(a), int(b), Score(*c[::2]), Score(*c[1::2])) for a, b, *c in rows])
