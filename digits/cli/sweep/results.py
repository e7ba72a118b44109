"""The results of a sweep, small enough for git: metrics/sweeps/<name>/trials.csv and summary.json."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.cli.sweep.definition import Sweep
from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples
from digits.core.files import write_csv, write_json
from digits.core.params import Recipe

FOLDER = Path("metrics/sweeps")
#: The figures of a trial: split and metric.
FIGURES = ("validation_log_loss", "validation_accuracy", "train_log_loss", "train_accuracy")
STATES = ("complete", "stopped", "failed")
COLUMNS = ["trial", "state", *FIGURES, "seconds", "worker", "weights_sha256", "objectives", "reason"]


@dataclass(frozen=True)
class Trial:
    """A finished trial."""

    number: int  # counted from 1
    parameters: dict[str, Any]  # of the space, by their dotted keys
    state: str  # complete, stopped (early) or failed
    objectives: list[float] = field(default_factory=list)  # after each period of the first training
    figures: dict[str, float] = field(default_factory=dict)  # after the last period, means over the seeds
    weights: str = ""  # SHA-256 of the trained weights, if it is complete
    seconds: float = 0.0
    worker: str = ""
    reason: str = ""  # why it failed

    def objective(self, sweep: Sweep) -> float:
        return self.figures[f"validation_{sweep.objective}"]


@dataclass
class Results:
    """The finished trials of one sweep, in a folder."""

    folder: Path
    sweep: Sweep
    base: Recipe  # the model's parameters in params.yaml
    data: str  # name of the data source
    key: str  # what results_key() gives
    trials: dict[int, Trial] = field(default_factory=dict)  # by number

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """Read what :meth:`write` wrote; a missing or damaged file raises an InputError."""
        expected = "a sweep's results"
        try:
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            sweep, base = Sweep.model_validate(summary["sweep"]), Recipe.model_validate(summary["base"])
            results = cls(folder, sweep, base, summary["data"], summary["key"])
            with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    results.trials[int(row["trial"])] = _trial(row, sweep)
            return results
        except FileNotFoundError as error:
            do = f"digits sweep run {folder.name}"
            raise InputError(error.filename, found="no such file", expected=expected, do=do) from None
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            found = f"a damaged file ({excerpt(error, 80)})"
            raise InputError(folder, found=found, expected=expected, do="git checkout it") from None

    def write(self, importance: dict[str, float] | None = None) -> None:
        """Write summary.json and trials.csv."""
        best = self.best
        summary = {
            "key": self.key,
            "data": self.data,
            "sweep": self.sweep.model_dump(exclude_unset=True),
            "base": self.base.model_dump(),
            "trials": self.counts,
            "best": {"trial": best.number, **best.figures, "parameters": best.parameters} if best else None,
            "importance": importance or {},
            "training_seconds": round(sum(trial.seconds for trial in self.ordered), 1),
        }
        write_json(self.folder / "summary.json", summary)
        rows = [_row(trial) for trial in self.ordered]
        write_csv(self.folder / "trials.csv", [*COLUMNS, *self.sweep.space], rows)

    @property
    def ordered(self) -> list[Trial]:
        return [self.trials[number] for number in sorted(self.trials)]

    @property
    def counts(self) -> dict[str, int]:
        return {state: sum(trial.state == state for trial in self.ordered) for state in STATES}

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best objective, the first of equal ones."""
        complete = [trial for trial in self.ordered if trial.state == "complete"]
        best = max if self.sweep.higher_is_better else min
        return best(complete, key=lambda trial: trial.objective(self.sweep), default=None)


def results_key(sweep: Sweep, base: Recipe, splits: Sequence[Examples]) -> str:
    """A digest of a sweep's settings, of the parameters that it doesn't search, and of the data."""
    # The number of trials and the minutes may change between two runs of a sweep.
    settings = sweep.model_dump_json(exclude={"trials", "minutes"}, exclude_defaults=True)
    parameters = flat(base.model_dump(exclude={"seed"}))
    fixed = {key: value for key, value in parameters.items() if key not in sweep.space}
    digest = hashlib.sha256((settings + json.dumps(fixed)).encode())
    for examples in splits:
        digest.update(examples.digest())
    return digest.hexdigest()


def _row(trial: Trial) -> list[object]:
    figures = [f"{value:.6f}" for value in trial.figures.values()] or [""] * len(FIGURES)
    objectives = " ".join(f"{value:.6f}" for value in trial.objectives)
    reason = " ".join(trial.reason.split())  # on one line
    texts = [f"{trial.seconds:.1f}", trial.worker, trial.weights, objectives, reason]
    return [trial.number, trial.state, *figures, *texts, *map(json.dumps, trial.parameters.values())]


def _trial(row: dict[str, str], sweep: Sweep) -> Trial:
    number, state, weights, seconds = int(row["trial"]), row["state"], row["weights_sha256"], row["seconds"]
    parameters = {key: json.loads(row[key]) for key in sweep.space}
    objectives = [float(value) for value in row["objectives"].split()]
    figures = {name: float(row[name]) for name in FIGURES if state != "failed"}
    outcome = state, objectives, figures, weights, float(seconds), row["worker"], row["reason"]
    return Trial(number, parameters, *outcome)
