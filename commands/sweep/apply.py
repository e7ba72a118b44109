"""Put a sweep's best trial into params.yaml: python -m digits sweep apply"""

from pathlib import Path

from commands.output import show
from commands.recipe import check, put
from commands.sweep.definition import Sweep
from commands.sweep.results import FOLDER, best_of, read_summary, read_trials
from digits.errors import InputError
from digits.recipe import Recipe
from digits.typed_yaml import validated
from stages.params import load_params


def main(name: str, *, trial: int | None, root: Path = Path()) -> int:
    """Write the parameters of the best trial, or of the named one, into params.yaml; 0.

    All of the model's parameters are written, those too that the sweep didn't search: so `dvc repro`
    trains what the trial trained.

    Raises:
        InputError: there is no such sweep or trial, none is complete, or a file is damaged.
    """
    folder = root / FOLDER / name
    summary = read_summary(folder)
    path = FOLDER / name / "summary.json"
    sweep = validated(Sweep, summary["sweep"], path=path, key="sweep")
    trials = read_trials(folder, sweep)
    chosen = best_of(trials.values(), sweep) if trial is None else trials.get(trial)
    if chosen is None:
        raise InputError(
            FOLDER / name,
            found="no complete trial" if trial is None else f"no trial {trial}",
            expected="one that is complete" if trial is None else f"one of 1 to {max(trials, default=0)}",
            do="see its trials.csv",
        )
    if chosen.state == "failed":
        raise InputError(
            f"{FOLDER / name}, trial {chosen.number}",
            found=f"one that failed ({chosen.outcome.reason})",
            expected="one that is complete",
            do="name another",
        )
    base = validated(Recipe, summary["base"], path=path, key="base")
    recipe = sweep.recipes(base, chosen.parameters, path)[0]
    settings = {"train": {sweep.model: recipe.model_dump()}}
    check(settings, load_params(root), path)
    for line in put(settings, root / "params.yaml") or ["nothing to change"]:
        show(f"params.yaml: {line}")
    return 0
