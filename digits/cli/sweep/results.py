"""A sweep's results in files that git can show: metrics/sweeps/<name>/trials.csv and summary.json.

The table is all that a sweep knows. A trial's row is written when it ends, so whatever stops the sweep costs
the trials that were being trained, and no others.
"""

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.trial import FIGURES, Outcome
from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples
from digits.core.files import write_csv, write_json
from digits.core.params import Recipe

FOLDER = Path("metrics/sweeps")
#: The table first, without which nothing is taken over by a later run.
FILES = ("trials.csv", "summary.json", "history.png", "parallel.png", "importance.png")
STATES = ("complete", "stopped", "failed")
COLUMNS = ["trial", "state", *FIGURES, "seconds", "worker", "weights_sha256", "objectives", "reason"]


@dataclass(frozen=True)
class Trial:
    """A finished trial: its parameters, by their dotted keys, and what it came to."""

    number: int
    parameters: dict[str, Any]
    outcome: Outcome

    @property
    def state(self) -> str:
        return self.outcome.state

    @property
    def periods(self) -> list[float]:
        return self.outcome.periods

    def objective(self, metric: str) -> float:
        """What the search looks at."""
        return self.outcome.figures[f"validation_{metric}"]


class Results:
    """The finished trials of one sweep, in a folder.

    Attributes:
        data: the name of the data source, for readers.
        key: a digest of the sweep's settings, of the parameters that it doesn't search, and of the data.
        trials: by number.
    """

    def __init__(
        self, folder: Path, sweep: Sweep, base: Recipe, splits: Sequence[Examples], *, data: str
    ) -> None:
        self.folder = folder
        self.data = data
        self.sweep = sweep
        self.base = base
        self.key = _key(sweep, base, splits)
        self.trials: dict[int, Trial] = {}
        self.appending = False  # to a table that this process has begun

    def check_folder(self) -> None:
        """See whether the folder can be made, and leave nothing.

        Raises:
            OSError: it can't.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # it isn't empty
            self.folder.rmdir()

    def begin(self) -> None:
        """Put away what an earlier run left; to be called where git has it."""
        for name in FILES:
            (self.folder / name).unlink(missing_ok=True)

    def resume(self) -> None:
        """Take over what an earlier run of the same sweep finished, if there is anything.

        Raises:
            InputError: it was another sweep, or a file is damaged.
        """
        if not self.begun:
            return
        summary = read_summary(self.folder)
        if summary["key"] != self.key:
            raise InputError(
                self.folder,
                found="trials of another space, other parameters or other data",
                expected="those of this sweep",
                do="go back to its commit, or begin anew without --resume in another sweep's name",
            )
        self.trials = read_trials(self.folder, self.sweep)

    @property
    def begun(self) -> bool:
        """Whether an earlier run left results."""
        return (self.folder / "trials.csv").exists()

    def add(self, *trials: Trial) -> None:
        """Write down trials that have just finished."""
        self.trials |= {trial.number: trial for trial in trials}
        self.summarise({})  # first: a table is never without the key of what it belongs to
        if self.appending:
            # Of ten thousand trials, a tenth of a second less each time than to write all anew.
            with (self.folder / "trials.csv").open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(_row(trial, self.sweep) for trial in trials)
        else:
            self._write()

    def finish(self, importance: dict[str, float]) -> None:
        """Put the table in order, and write down what matters."""
        self._write()
        self.summarise(importance)

    def _write(self) -> None:
        rows = [_row(trial, self.sweep) for trial in self.ordered]
        write_csv(self.folder / "trials.csv", [*COLUMNS, *self.sweep.space], rows)
        self.appending = True

    def summarise(self, importance: dict[str, float]) -> None:
        """Write summary.json: the sweep, what it began from, how many trials there are, and the best."""
        best, counts = self.best, self.counts
        write_json(
            self.folder / "summary.json",
            {
                "key": self.key,
                "data": self.data,
                "sweep": self.sweep.model_dump(exclude_unset=True),
                "base": self.base.model_dump(),
                "trials": {state: counts[state] for state in STATES},
                "best": {"trial": best.number, **best.outcome.figures, "parameters": best.parameters}
                if best
                else None,
                "importance": importance,
                "training_seconds": round(sum(trial.outcome.seconds for trial in self.ordered), 1),
            },
        )

    @property
    def ordered(self) -> list[Trial]:
        return [self.trials[number] for number in sorted(self.trials)]

    @property
    def counts(self) -> Counter[str]:
        return Counter(trial.state for trial in self.trials.values())

    @property
    def best(self) -> Trial | None:
        return best_of(self.ordered, self.sweep)


def best_of(trials: Iterable[Trial], sweep: Sweep) -> Trial | None:
    """The complete trial with the best objective, the first of equal ones."""
    sign = -1 if sweep.higher_is_better else 1
    complete = [trial for trial in trials if trial.state == "complete"]
    return min(complete, key=lambda trial: sign * trial.objective(sweep.objective), default=None)


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json as :meth:`Results.summarise` wrote it.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        if (
            not isinstance(summary, dict)
            or {"key", "data", "sweep", "base", "trials", "best"} - summary.keys()
        ):
            raise ValueError("no summary of a sweep")
        return summary
    except FileNotFoundError:
        begun = (folder / "trials.csv").exists()
        raise InputError(
            path,
            found="no such file" + (" beside trials.csv" if begun else ""),
            expected="a sweep's results",
            do="restore it, or remove the folder" if begun else f"digits sweep run {folder.name}",
        ) from None
    except ValueError as error:
        raise _damaged(path, str(error)) from None


def read_trials(folder: Path, sweep: Sweep) -> dict[int, Trial]:
    """trials.csv as :meth:`Results.add` wrote it, by number.

    Raises:
        InputError: it is damaged.
    """
    path = folder / "trials.csv"
    try:
        text = path.read_bytes().decode()
        whole = text[: text.rfind("\n") + 1]  # without a row that was being written when the sweep was killed
        rows = list(csv.DictReader(io.StringIO(whole, newline=""), strict=True))
    except FileNotFoundError:
        raise _damaged(path, "no such file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None
    trials: dict[int, Trial] = {}
    for at, row in enumerate(rows, start=2):
        try:
            trial = _trial(row, sweep)
            if trial.number < 1 or trial.number in trials:
                raise ValueError(f"trial {trial.number}, once more or below 1")
            trials[trial.number] = trial
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(f"{path}, row {at}", excerpt(str(error), 80)) from None
    return trials


def _damaged(where: object, found: str) -> InputError:
    return InputError(where, found=found, expected="what the sweep wrote", do="restore it: git checkout it")


def _row(trial: Trial, sweep: Sweep) -> list[object]:
    found = trial.outcome
    figures = [f"{found.figures[name]:.6f}" if found.figures else "" for name in FIGURES]
    return [
        trial.number,
        found.state,
        *figures,
        f"{found.seconds:.1f}",
        found.worker,
        found.weights,
        " ".join(f"{value:.6f}" for value in found.periods),
        " ".join(found.reason.split()),  # on a line of its own
        *(json.dumps(trial.parameters[key]) for key in sweep.space),
    ]


def _trial(row: dict[str, str], sweep: Sweep) -> Trial:
    if row["state"] not in STATES:
        raise ValueError(f"state {row['state']!r}")
    parameters = {key: json.loads(row[key]) for key in sweep.space}
    for key, value in parameters.items():
        if not sweep.may_be(key, value):
            raise ValueError(f"{key} {value!r}")
    figures = {name: float(row[name]) for name in FIGURES} if row["state"] != "failed" else {}
    if not all(map(math.isfinite, figures.values())):
        raise ValueError("a figure that is no finite number")
    return Trial(
        int(row["trial"]),
        parameters,
        Outcome(
            row["state"],
            [float(value) for value in row["objectives"].split()],
            figures,
            row["weights_sha256"],
            float(row["seconds"]),
            row["worker"],
            row["reason"],
        ),
    )


def _key(sweep: Sweep, base: Recipe, splits: Sequence[Examples]) -> str:
    # How many trials, and in what time, may change between two runs of a sweep.
    digest = hashlib.sha256(
        sweep.model_dump_json(exclude={"trials", "minutes"}, exclude_defaults=True).encode()
    )
    digest.update(json.dumps(sweep.fixed(base)).encode())
    for examples in splits:
        digest.update(examples.digest())
    return digest.hexdigest()
