"""Search better parameters, and put them into params.yaml: digits sweep run, digits sweep apply"""

import os
import shutil
import time
from pathlib import Path

from dvc.repo import Repo

from digits.cli.git import git
from digits.cli.output import show
from digits.cli.recipe import put, read_params, write_and_show
from digits.cli.sweep.definition import load_sweep
from digits.cli.sweep.results import FOLDER, Results
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.params import load_params


def run(name: str, trials: int | None, workers: int | None, address: str | None, resume: bool) -> int:
    """Train the trials of a sweep; the exit status is 1 if none is complete, 130 if it was interrupted."""
    params, folder = load_params(Path()), FOLDER / name
    sweep = load_sweep(name, params, Path()).model_copy(update={"trials": trials} if trials else {})
    splits = {split: Examples.load(Path(f"data/splits/{split}.npz")) for split in ("train", "validation")}
    with Repo() as repo:
        if repo.status(targets=["split"], with_deps=True):
            problem = "these were split with other parameters or code"
            raise InputError("data/splits", problem, "Run `dvc repro split`")
    if not address:  # without it Ray listens on the loopback interface alone, as on Windows and macOS
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    from digits.cli.sweep.engine import connected, train_trials
    from digits.cli.sweep.search import draw

    data = {"source": params.data.source} | {name: split.digest().hex() for name, split in splits.items()}
    results = Results(folder=folder, sweep=sweep, parameters=params.recipe(sweep.model), data=data)
    if resume and folder.exists():
        earlier = Results.load(folder)
        changed = [part for part, now in results.origin.items() if now != earlier.origin[part]]
        if changed:
            show(f"{folder}: its trials were made with other {', '.join(changed)}; the sweep starts again")
        results.trials = [] if changed else earlier.trials
    if not results.trials and git(folder.parent, "status", "--porcelain", "--ignored", name):
        problem = "holds results of an earlier run that are not committed"
        raise InputError(folder, problem, "Add --resume to go on with it, or commit or remove the folder")
    before, status, end = (
        len(results.trials),
        0,
        time.monotonic() + 60 * (sweep.minutes or 1e6),
    )  # 1e6: no limit
    try:
        with connected(address, workers) as temporary:
            if not results.trials:
                shutil.rmtree(folder, ignore_errors=True)
            while len(results.trials) < sweep.trials and (left := end - time.monotonic()) > 0:
                train_trials(results, splits, workers, temporary, left)
    except KeyboardInterrupt:
        status = 130
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items()) or "none"
    show(f"\n{len(results.trials)} of {sweep.trials} trials: {counts}; {folder}")
    if len(results.trials) < sweep.trials:
        show(f"to go on: digits sweep run {name} --resume" + (f" --trials {trials}" if trials else ""))
    if len(results.trials) > before and results.best:
        draw(results)
    if results.best:
        use = f".venv/bin/digits sweep apply {name} && .venv/bin/dvc repro"
        show(f"best: {results.lines(results.best)}\nto use it: {use}")
    elif not status:
        reason = "".join(trial["reason"] for trial in results.trials[:1]).removesuffix(".")
        raise InputError(f"sweep {name}", "no trial was completed", reason or "Give it more time")
    return status


def apply(name: str, trial: int | None, root: Path = Path()) -> int:
    """Write the model's parameters of the best trial, or of trial number ``trial``, into params.yaml."""
    results, document = Results.load(root / FOLDER / name), read_params(root)
    model = results.sweep.model
    chosen = results.best if trial is None else dict(enumerate(results.trials, 1)).get(trial)
    if chosen is None or chosen["state"] == "failed":
        problem = "no trial was completed" if trial is None else f"there is no trial {trial}, or it failed"
        raise InputError(FOLDER / name, problem, "Choose a completed trial of its trials.csv")
    load_params(root).recipe(model)  # an InputError if params.yaml has no such model
    recipe = results.sweep.recipes(results.parameters, results.searched(chosen))[0]
    # Written is what params.yaml has already, and what isn't a default.
    needed = {*document["train"][model], *recipe.model_dump(exclude_defaults=True)}
    put({key: value for key, value in recipe.model_dump().items() if key in needed}, document["train"][model])
    write_and_show(document, root)
    return 0
