"""What the last run left in the workspace, read for a report."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.cli.environment import FILE as ENVIRONMENT
from digits.cli.flattening import flat
from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples
from digits.core.model_input import ModelInput
from digits.core.predictions import Predictions
from digits.core.snapshots import Snapshots
from digits.core.sources import Source, load_source
from digits.core.variables import Variable, load_variables
from digits.core.yaml_files import read_mapping
from digits.evaluate.scores import SPLITS, Scores, load_scores
from digits.plot.units import load_verdicts


@dataclass(frozen=True, eq=False)
class Model:
    """One model: its settings, what it learnt, and what came out.

    Attributes:
        name: as in params.yaml.
        folder: where its files are.
        plots: where its figures are.
        recipe: the parameters that it was trained with, by key.
        variables: what was learnt.
        scores: by split.
        predictions: by split.
        model_input: what it takes, and how training images were framed.
        snapshots: of its first layer.
        verdicts: what is said of each hidden unit, by step.
    """

    name: str
    folder: Path
    plots: Path
    recipe: dict[str, Any]
    variables: list[Variable]
    scores: dict[str, Scores]
    predictions: dict[str, Predictions]
    model_input: ModelInput
    snapshots: Snapshots
    verdicts: dict[int, list[str]]

    @property
    def numbers(self) -> int:
        """How many numbers were learnt."""
        return sum(variable.numbers for variable in self.variables)


@dataclass(frozen=True, eq=False)
class Results:
    """A whole run.

    Attributes:
        source: the data source's name.
        entry: its description; None where the source is gone since.
        params: all other parameters of the run, by dotted key.
        rows: how many images each split holds.
        environment: metrics/environment.json.
        models: in the order of dvc.yaml.
        validation: the validation split.
        outputs: the paths that stages write, in the order of dvc.lock.
        altered: files that are not what dvc.lock records.
    """

    source: str
    entry: Source | None
    params: dict[str, Any]
    rows: dict[str, int]
    environment: dict[str, Any]
    models: list[Model]
    validation: Examples
    outputs: list[str]
    altered: list[str]

    @property
    def title(self) -> str:
        return self.entry.title if self.entry else self.source

    @property
    def homepage(self) -> str | None:
        return self.entry.homepage if self.entry else None

    @property
    def licence(self) -> str:
        return (self.entry and self.entry.licence) or "not stated"


def read_results(root: Path) -> Results:
    """The results in the workspace, with the parameters that dvc.lock says they came from.

    Raises:
        InputError: the pipeline hasn't run, or a file of it is gone or damaged.
    """
    stages = _recorded_stages(root)
    names = [name for name in _models(root) if {f"train@{name}", f"evaluate@{name}"} <= stages.keys()]
    if not names:
        raise InputError("dvc.lock", found="no trained model", expected="some", do="make run")
    params = {
        key: value
        for stage in stages.values()
        for key, value in flat(stage.get("params", {}).get("params.yaml", {})).items()
    }
    try:
        validation = Examples.load(root / "data/splits/validation.npz")
        source = str(params.get("data.source"))
        return Results(
            source=source,
            entry=_entry(root, source),
            params={key: value for key, value in params.items() if not key.startswith("train.")},
            rows=_rows(root),
            environment=_json(root, str(ENVIRONMENT)) if (root / ENVIRONMENT).is_file() else {},
            models=[_model(name, params, root, validation) for name in names],
            validation=validation,
            outputs=[out["path"] for stage in stages.values() for out in stage.get("outs", ())],
            altered=sorted(set(_altered(stages, root))),
        )
    except FileNotFoundError as error:
        raise InputError(
            error.filename, found="no such file", expected="a finished run's", do="make run"
        ) from None


def _recorded_stages(root: Path) -> dict[str, dict[str, Any]]:
    """What dvc.lock says of each stage.

    Raises:
        InputError: there is no such file, or it isn't DVC's.
    """
    if not (root / "dvc.lock").is_file():
        raise InputError(
            "dvc.lock",
            found="no such file",
            expected="a finished run's",
            do="make run, in the project's folder",
        )
    stages = read_mapping(root / "dvc.lock").get("stages")
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise InputError("dvc.lock", found=excerpt(stages), expected="stages", do="git restore dvc.lock")
    return stages


def _models(root: Path) -> list[str]:
    """The models that dvc.yaml names."""
    variables = read_mapping(root / "dvc.yaml").get("vars") or []
    return next((list(found["models"]) for found in variables if "models" in found), [])


def _entry(root: Path, source: str) -> Source | None:
    try:
        return load_source(root, source)
    except InputError:
        return None


def _model(name: str, params: dict[str, Any], root: Path, validation: Examples) -> Model:
    folder, names = root / "models" / name, validation.class_names
    model_input = ModelInput.load(folder / "input.json")
    if model_input.class_names != names:
        raise InputError(
            folder / "input.json",
            found=f"classes {excerpt(model_input.class_names)}",
            expected=f"those of the data, {excerpt(names)}",
            do="dvc repro train",
        )
    predictions = {
        split: Predictions.load(root / f"predictions/{name}/{split}.csv", names) for split in SPLITS
    }
    if len(predictions["validation"].actual) != len(validation):
        raise InputError(
            root / f"predictions/{name}/validation.csv",
            found=f"{len(predictions['validation'].actual)} answers",
            expected=f"one to each of {len(validation)} images",
            do="dvc repro evaluate",
        )
    prefix = f"train.{name}."
    return Model(
        name=name,
        folder=folder,
        plots=root / "plots" / name,
        recipe={key.removeprefix(prefix): params[key] for key in params if key.startswith(prefix)},
        variables=load_variables(folder / "variables.csv"),
        scores=load_scores(root / f"predictions/{name}/scores.json"),
        predictions=predictions,
        model_input=model_input,
        snapshots=Snapshots.load(folder / "snapshots.npz"),
        verdicts=load_verdicts(root / f"tables/{name}/units.csv"),
    )


def _rows(root: Path) -> dict[str, int]:
    rows = _json(root, "metrics/data.json")
    if not all(isinstance(rows.get(split), int) for split in ("train", *SPLITS)):
        raise InputError(
            "metrics/data.json",
            found=excerpt(rows),
            expected="how many images each split holds",
            do="dvc repro split",
        )
    return rows


def _json(root: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads((root / name).read_bytes())
        if not isinstance(document, dict):
            raise ValueError("no mapping")
        return document
    except ValueError as error:
        raise InputError(name, found=str(error), expected="JSON", do=f"git restore {name}") from None


def _altered(stages: dict[str, dict[str, Any]], root: Path) -> Iterator[str]:
    """The data files that another version of is recorded in dvc.lock, as something made or read."""
    for stage in stages.values():
        for each in [*stage.get("deps", ()), *stage.get("outs", ())]:
            path = root / each["path"]
            if path.suffix != ".py" and path.is_file() and _md5(path) != each.get("md5"):
                yield each["path"]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
