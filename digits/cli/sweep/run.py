"""Search better parameters: python -m digits sweep run"""

import shlex
import shutil
import sys
from pathlib import Path

from dvc.repo import Repo
from tqdm import tqdm

from digits.cli.git import git
from digits.cli.output import show
from digits.cli.sweep.definition import load_sweep
from digits.cli.sweep.results import FOLDER, Results, Trial, results_key
from digits.core.errors import InputError
from digits.core.examples import Examples
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
    """Train the trials of sweeps/<name>.yaml, write metrics/sweeps/<name>/, and print the best trial.

    The exit status is 1 if no trial is complete, 130 if it was interrupted.
    """
    params = load_params(root)
    sweep = load_sweep(name, params, root)
    if trials:
        sweep = sweep.model_copy(update={"trials": trials})
    data = root / "data/splits"
    splits = Examples.load(data / "train.npz"), Examples.load(data / "validation.npz")
    _check_splits(root)
    folder, base = root / FOLDER / name, params.recipe(sweep.model)
    results = Results(folder, sweep, base, params.data.source, results_key(sweep, base, splits))
    try:
        from digits.cli.sweep import engine
        from digits.cli.sweep.search import Search
    except ModuleNotFoundError as error:
        do = "pip install '.[sweep]', or make install"
        raise InputError("sweep", found=f"no {error.name}", expected="Ray and Optuna", do=do) from None
    if not resume:
        _check_committed(folder)
    elif folder.exists():
        earlier = Results.load(folder)
        if earlier.key != results.key:
            found = "trials of another space, other parameters or other data"
            expected, do = "those of this sweep", "take another sweep's name"
            raise InputError(folder, found=found, expected=expected, do=do)
        results.trials = earlier.trials

    bar = tqdm(total=sweep.trials, initial=len(results.trials), unit="trial", disable=None, leave=False)

    def finished(trial: Trial) -> None:
        with bar.external_write_mode():
            show(_line(trial) + (", best so far" if trial == results.best else ""))
        bar.update()

    interrupted = False
    try:
        with bar, engine.connected(address, workers if address is None else None):
            if not resume:
                shutil.rmtree(folder, ignore_errors=True)
            engine.train_trials(results, splits, workers, finished)
    except KeyboardInterrupt:
        interrupted = True
    if results.trials:
        search = Search(sweep, results.ordered)
        results.write(search.importance())
        if results.best:
            search.draw(folder)
    return _show_end(name, results, interrupted=interrupted, options=f" --trials {trials}" if trials else "")


def _check_splits(root: Path) -> None:
    with Repo(str(root)) as repo:
        if repo.status(targets=["split"], with_deps=True):
            found, expected = "splits of other parameters or code", "those that dvc repro would train on"
            raise InputError("data/splits", found=found, expected=expected, do="dvc repro split")


def _check_committed(folder: Path) -> None:
    """Refuse to replace results that git can't bring back."""
    committed = git(folder.parent, "ls-files", folder.name)
    changed = git(folder.parent, "status", "--porcelain", "--ignored", folder.name)
    if folder.exists() and (changed or not committed):
        found, do = "uncommitted results of an earlier run", "add --resume; or commit or remove the folder"
        raise InputError(folder, found=found, expected="none, or committed ones", do=do)


def _line(trial: Trial) -> str:
    figures = ", ".join(f"{name} {value:.4f}" for name, value in trial.figures.items() if name[0] == "v")
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in trial.parameters.items()}
    return f"trial {trial.number}, {trial.state}: {figures or trial.reason}; {rounded}; {trial.seconds:.1f} s"


def _show_end(name: str, results: Results, *, interrupted: bool, options: str) -> int:
    sweep, trials = results.sweep, results.ordered
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items() if count) or "none"
    show(f"\n{len(trials)} of {max(len(trials), sweep.trials)} trials: {counts}; {results.folder}")
    if len(trials) < sweep.trials:
        why = "interrupted" if interrupted else f"the {sweep.minutes:g} minutes are over"
        show(f"{why}; to go on: digits sweep run {shlex.quote(name)} --resume{options}")
    if best := results.best:
        show(f"best: {_line(best)}\nto use it: digits sweep apply {shlex.quote(name)} && dvc repro")
    elif not interrupted:
        reasons = [f"; trial {trial.number}: {trial.reason}" for trial in trials if trial.reason]
        print(f"error: sweep {name}: no trial is complete{''.join(reasons[:1])}", file=sys.stderr)
        return 1
    return 130 if interrupted else 0
