"""The results of a sweep, small enough for git: metrics/sweeps/<name>/trials.csv and summary.json."""

import json
import textwrap
from collections import Counter
from hashlib import sha256
from importlib import metadata
from math import inf, nan
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from digits.cli.flattening import flat
from digits.cli.output import WIDTH, rounded
from digits.cli.sweep.definition import Sweep
from digits.core.errors import InputError, excerpt
from digits.core.files import read_csv, write_csv, write_json
from digits.core.params import Recipe
from digits.evaluate.environment import fingerprint

FOLDER = Path("metrics/sweeps")
PACKAGE = Path(__file__).parents[2]
#: The metrics of a trial after its last period, means over the seeds.
METRICS = ("validation_log_loss", "validation_accuracy", "train_log_loss", "train_accuracy")
Trial = dict[str, Any]  # a row of trials.csv; its state is complete, stopped or failed
#: The columns of trials.csv before those of the parameters, with the values that stand for none.
EMPTY: Trial = {"trial": 0, "state": "", **dict.fromkeys(METRICS, nan), "last_period": 0, "seconds": 0.0}
EMPTY |= {"worker": "", "weights_sha256": "", "reason": ""}


def code() -> str:
    """A digest of the code that trains."""
    paths = sorted(path for folder in ("core", "train") for path in (PACKAGE / folder).glob("*.py"))
    return sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a sweep depends on."""
    here, search = fingerprint(), {name: metadata.version(name) for name in ("optuna", "ray")}
    return {"python": here["python"]["version"], **here["packages"], **search}


class Results(BaseModel):
    """The finished trials of one sweep, with the parameters, data, code and versions that made them."""

    folder: Path = Field(exclude=True)
    sweep: Sweep
    parameters: Recipe  # the model's in params.yaml
    data: dict[str, str]
    code: str = Field(default_factory=code)
    versions: dict[str, str] = Field(default_factory=versions)
    importance: dict[str, float] | None = None
    trials: list[Trial] = Field(default_factory=list, exclude=True)

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """Read what :meth:`write` wrote; a missing or damaged file raises an InputError."""
        if not folder.is_dir():
            raise InputError(
                folder, "there are no results of this sweep", f"Run `digits sweep run {folder.name}`"
            )
        try:
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            types: dict[str, Any] = {name: type(value) for name, value in EMPTY.items()}
            types |= dict.fromkeys(summary["sweep"]["space"], json.loads)
            table = read_csv(folder / "trials.csv")
            rows = zip(*(map(convert, table[name]) for name, convert in types.items()), strict=True)
            trials = [dict(zip(types, row, strict=True)) for row in rows]
            return cls.model_validate(summary | {"folder": folder, "trials": trials})
        except (OSError, KeyError, TypeError, ValueError) as error:
            fix = f"Run `digits sweep run {folder.name}`, or restore the folder with git"
            raise InputError(folder, f"not a sweep's results ({excerpt(error, 80)})", fix) from None

    def write(self) -> None:
        """Write summary.json and trials.csv."""
        space = self.sweep.space
        best = self.best and {key: self.best[key] for key in ("trial", *METRICS, *space)}
        write_json(self.folder / "summary.json", {"counts": self.counts, "best": best} | self.model_dump())
        rows = ([trial[k] for k in EMPTY] + [json.dumps(trial[k]) for k in space] for trial in self.trials)
        write_csv(self.folder / "trials.csv", [*EMPTY, *space], rows)

    def lines(self, trial: Trial, note: str = "") -> str:
        """Return a trial's result, with a note if there is one, and below it its parameters."""
        log_loss, accuracy = (f"{trial[name]:.4f}" for name in METRICS[:2])
        result = trial["reason"] or f"validation log loss {log_loss}, accuracy {accuracy}"
        searched = ", ".join(f"{key} {rounded(value)}" for key, value in self.searched(trial).items())
        wrapped = textwrap.fill(searched, WIDTH, initial_indent="  ", subsequent_indent="  ")
        return f"trial {trial['trial']}, {trial['state']}: {result}{note}\n{wrapped}"

    def searched(self, trial: Trial) -> dict[str, Any]:
        """Return the trial's values of the searched parameters."""
        return {key: trial[key] for key in self.sweep.space}

    def objective(self, trial: Trial) -> float:
        """The value of a trial's objective; the worst of all, if it failed."""
        worst = 0.0 if self.sweep.mode == "max" else inf
        return worst if trial["state"] == "failed" else float(trial[f"validation_{self.sweep.objective}"])

    @property
    def counts(self) -> dict[str, int]:
        return Counter(trial["state"] for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best objective, the first of equal ones."""
        complete = [trial for trial in self.trials if trial["state"] == "complete"]
        return (max if self.sweep.mode == "max" else min)(complete, key=self.objective, default=None)

    @property
    def origin(self) -> dict[str, Any]:
        """Everything besides the searched parameters that a trial's result depends on."""
        parts = self.model_dump(exclude={"importance": True, "sweep": {"trials", "minutes"}})
        free = {*self.sweep.space, "seed"}
        return parts | {"parameters": {k: v for k, v in flat(parts["parameters"]).items() if k not in free}}
