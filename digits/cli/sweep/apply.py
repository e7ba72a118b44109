"""Put a sweep's best trial into params.yaml: python -m digits sweep apply"""

from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.cli.output import show
from digits.cli.recipe import changes, put, read_params, write_params
from digits.cli.sweep.results import FOLDER, Results
from digits.core.errors import InputError
from digits.core.params import FILE, Params, load_params
from digits.core.yaml_files import read_mapping, validated


def main(name: str, *, trial: int | None, root: Path = Path()) -> int:
    """Write the parameters of the best trial, or of the named one, into params.yaml; 0.

    All of the model's parameters are written, also those that the sweep didn't search, so that
    `dvc repro` trains what the trial trained.

    Raises:
        InputError: there is no such sweep or trial, it failed, or a file is damaged.
    """
    results = Results.load(root / FOLDER / name)
    chosen = results.best if trial is None else results.trials.get(trial)
    if chosen is None or chosen.state == "failed":
        found = "no complete trial" if trial is None else f"no trial {trial}, or one that failed"
        expected = f"a complete one of {len(results.trials)}"
        raise InputError(FOLDER / name, found=found, expected=expected, do="choose one in its trials.csv")
    model = results.sweep.model
    recipe = results.sweep.recipes(results.base, chosen.parameters)[0]
    current, document = read_mapping(root / FILE), read_params(root)
    load_params(root).recipe(model)
    section, settings = document["train"][model], recipe.model_dump(exclude_defaults=True)
    _remove_missing(section, settings)
    put(settings, section)
    validated(Params, document, path=FILE)
    write_params(document, root)
    for line in changes(flat(current), flat(read_mapping(root / FILE))) or ["nothing to change"]:
        show(f"params.yaml: {line}")
    return 0


def _remove_missing(section: dict[str, Any], settings: dict[str, Any]) -> None:
    """Remove the keys of ``section`` that the settings lack, which have their defaults there."""
    for key in list(section):
        if key not in settings:
            del section[key]
        elif isinstance(section[key], dict):
            _remove_missing(section[key], settings[key])
