"""Put a sweep's best trial into params.yaml: python -m digits sweep apply"""

from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.cli.output import show
from digits.cli.recipe import changes, put, read_params, write_params
from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import FOLDER, best_of, read_summary, read_trials
from digits.core.errors import InputError
from digits.core.params import FILE, Params, Recipe, load_params
from digits.core.yaml_files import read_mapping, validated


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
    current, document = read_mapping(root / FILE), read_params(root)
    load_params(root).recipe(sweep.model)
    section, settings = document["train"][sweep.model], recipe.model_dump(exclude_defaults=True)
    _prune(section, settings)
    put(settings, section)
    validated(Params, document, path=path)
    write_params(document, root)
    for line in changes(flat(current), flat(read_mapping(root / FILE))) or ["nothing to change"]:
        show(f"params.yaml: {line}")
    return 0


def _prune(section: dict[str, Any], settings: dict[str, Any]) -> None:
    """Remove what the settings lack: it has its default there."""
    for key in list(section):
        if key not in settings:
            del section[key]
        elif isinstance(section[key], dict):
            _prune(section[key], settings[key])
