"""Search better parameters: python -m digits sweep run"""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

from dvc.repo import Repo
from tqdm import tqdm

from digits.cli.output import show
from digits.cli.report.history import git
from digits.cli.splits import load_split
from digits.cli.sweep.definition import in_words, load_sweep
from digits.cli.sweep.results import FOLDER, Results, Trial
from digits.core.errors import InputError
from digits.core.params import load_params


def main(
    name: str,
    *,
    trials: int | None,
    workers: int | None,
    address: str | None,
    resume: bool,
    root: Path = Path(),
) -> int:
    """Train the trials of sweeps/<name>.yaml, write metrics/sweeps/<name>/, and say which was best.

    Args:
        name: of the sweep.
        trials: how many in all; None: as the sweep says.
        workers: trials at a time; None: one for each core.
        address: of a Ray cluster; None: this machine alone.
        resume: go on with what an earlier run left.
        root: where params.yaml, sweeps and data/splits are.

    Returns:
        0; 1 if no trial came to its end; 130 if it was interrupted.

    Raises:
        InputError: something is wrong with the sweep, the data or the cluster; nothing was trained.
    """
    params = load_params(root)
    sweep = load_sweep(name, params, root)
    if trials:
        sweep = sweep.model_copy(update={"trials": trials})
    splits = [load_split(root, part) for part in ("train", "validation")]
    _check_splits(root)
    results = Results(
        root / FOLDER / name, sweep, params.recipe(sweep.model), splits, data=params.data.source
    )
    try:
        from digits.cli.sweep import engine
    except ModuleNotFoundError as error:
        raise InputError(
            "digits sweep",
            found=f"no {error.name}",
            expected="Ray and Optuna",
            do="pip install '.[sweep]', or make install",
        ) from None

    interrupted = False
    importance: dict[str, float] = {}
    with alone(root, name):
        if resume:
            results.resume()
        elif results.begun and not _in_git(results.folder):
            raise InputError(
                FOLDER / name,
                found="the results of an earlier run, which git doesn't have",
                expected="none, or committed ones",
                do="go on with it: --resume; or commit or remove the folder",
            )
        results.check_folder()
        with engine.connected(address, workers if address is None else None):
            if not resume:
                results.begin()
            table = _Table(results)
            try:
                importance = engine.search(results, *splits, workers=workers, finished=table.show)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                table.close()
                # While Ray waits for its processes to end.
                Thread(target=import_module, args=["digits.cli.sweep.figures"]).start()
        if results.trials:
            from digits.cli.sweep import figures

            results.finish(importance)
            figures.draw(results, importance)
    again = f"digits sweep run {shlex.quote(name)} --resume" + (f" --trials {trials}" if trials else "")
    return _say_end(name, results, interrupted=interrupted, again=again)


@contextmanager
def alone(root: Path, name: str) -> Iterator[None]:
    """Keep other runs of the sweep off its results while the block runs.

    Raises:
        InputError: there is one.
    """
    import filelock  # of the same option as Ray

    notes = root / ".dvc/tmp"  # which git doesn't see
    notes.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(notes / f"sweep-{name}.lock")  # goes with its process, whatever ends it
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise InputError(
            f"sweep {name}",
            found="another run of it in this checkout",
            expected="one at a time",
            do="wait for it, or stop it",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _in_git(folder: Path) -> bool:
    """Whether all that is in a folder is committed, and could be brought back."""
    return bool(git(folder, "ls-files")) and not git(folder, "status", "--porcelain", "--ignored", ".")


def _check_splits(root: Path) -> None:
    with Repo(str(root)) as repo:
        if repo.status(targets=["split"], with_deps=True):
            raise InputError(
                "data/splits",
                found="splits that params.yaml or the code have changed since",
                expected="those that dvc repro would train on",
                do="dvc repro split",
            )


class _Table:
    """A line for each trial as it ends, and under them how far the sweep has come."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.keys = list(results.sweep.space)
        total = results.sweep.trials
        self.bar = tqdm(total=total, initial=len(results.trials), unit="trial", disable=None, leave=False)
        self.widths = [max(len(key), 9) for key in self.keys]
        self._print(["trial", "state", "log loss", "accuracy", "periods", "seconds"], self.keys)

    def show(self, trial: Trial) -> None:
        outcome = trial.outcome
        losses = [outcome.figures.get(f"validation_{metric}") for metric in ("log_loss", "accuracy")]
        cells = [
            str(trial.number),
            trial.state,
            *("" if loss is None else f"{loss:.4f}" for loss in losses),
            str(len(outcome.periods)),
            f"{outcome.seconds:.1f}",
        ]
        best = self.results.best
        mark = "  best so far" if trial == best else f"  {outcome.reason}" if outcome.reason else ""
        self._print(cells, [in_words(trial.parameters[key], 4) for key in self.keys], mark)
        if best:
            figure = best.objective(self.results.sweep.objective)
            self.bar.set_postfix_str(f"best {figure:.4f}, trial {best.number}")
        self.bar.update()

    def close(self) -> None:
        self.bar.close()

    def _print(self, cells: list[str], parameters: list[str], mark: str = "") -> None:
        fixed = "{:>5}  {:8} {:>9} {:>9} {:>8} {:>8}".format(*cells)
        searched = "  ".join(
            f"{value:>{width}}" for value, width in zip(parameters, self.widths, strict=True)
        )
        with tqdm.external_write_mode():
            show(f"{fixed}  {searched}{mark}")


def _say_end(name: str, results: Results, *, interrupted: bool, again: str) -> int:
    sweep, counts = results.sweep, results.counts
    total = sum(counts.values())
    parts = ", ".join(f"{counts[state]} {state}" for state in counts)
    show(f"\n{total} of {max(total, sweep.trials)} trials: {parts or 'none'}; {results.folder}")
    if total < sweep.trials:
        why = "interrupted" if interrupted else f"the {sweep.minutes:g} minutes are over"
        show(f"{why}; to go on: {again}")
    if best := results.best:
        figures_of = best.outcome.figures
        show(
            f"best: trial {best.number}, validation log loss {figures_of['validation_log_loss']:.4f}, "
            f"accuracy {figures_of['validation_accuracy']:.4f}; "
            f"to take it: digits sweep apply {shlex.quote(name)} && dvc repro"
        )
    elif not interrupted:
        reasons = [trial.outcome.reason for trial in results.ordered if trial.outcome.reason]
        print(
            f"error: sweep {name}: no trial of {total} came to its end"
            + (f"; trial {results.ordered[0].number}: {reasons[0]}" if reasons else ""),
            file=sys.stderr,
        )
        return 1
    return 130 if interrupted else 0
