"""The results of the last run, read for the page and the cards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.cli.flattening import recorded_params
from digits.cli.json_files import read_json
from digits.cli.state import outdated
from digits.core.examples import Examples
from digits.core.files import read_csv, reading
from digits.core.model_input import ModelInput
from digits.core.predictions import Predictions
from digits.core.sources import Source, load_source
from digits.core.yaml_files import read_mapping
from digits.evaluate.environment import FILE as ENVIRONMENT
from digits.evaluate.scores import SPLITS, Scores, load_scores


@dataclass(frozen=True, eq=False)
class Model:
    """One model; a variable is a tensor's name, its shape as ``64 × 100``, and its number of weights."""

    name: str
    recipe: dict[str, Any]
    variables: list[tuple[str, str, int]]
    scores: dict[str, Scores]
    predictions: dict[str, Predictions]
    model_input: ModelInput

    @property
    def weight_count(self) -> int:
        return sum(count for _, _, count in self.variables)

    @property
    def kind(self) -> str:
        """The kind of network, in words."""
        if units := self.recipe["hidden_units"]:
            return f"a dense network of {' and '.join(map(str, units))} hidden units (ReLU)"
        return "a linear classifier (multinomial logistic regression)"


@dataclass(frozen=True, eq=False)
class Results:
    """A whole run: ``params`` by dotted key, ``rows`` by split; ``outdated`` is a warning, or empty."""

    source: Source
    params: dict[str, Any]
    rows: dict[str, int]
    environment: dict[str, Any]
    models: list[Model]
    validation: Examples
    outdated: str


def read_results(root: Path) -> Results:
    """The results in the workspace, with the parameters that dvc.lock says they came from."""
    lock = read_mapping(root / "dvc.lock")
    params, stages = recorded_params(lock), lock["stages"]
    (names,) = [entry["models"] for entry in read_mapping(root / "dvc.yaml")["vars"] if "models" in entry]
    validation = Examples.load(root / "data/splits/validation.npz")
    return Results(
        source=load_source(root, params["data.source"]),
        params=params,
        rows=read_json(root, "metrics/data.json", dict),
        environment=read_json(root, str(ENVIRONMENT), dict) if (root / ENVIRONMENT).exists() else {},
        models=[_model(name, params, root, validation) for name in names if f"evaluate@{name}" in stages],
        validation=validation,
        outdated=outdated(root),
    )


def _model(name: str, params: dict[str, Any], root: Path, validation: Examples) -> Model:
    names, prefix = validation.class_names, f"train.{name}."
    folder = root / "predictions" / name
    path = root / "models" / name / "variables.csv"
    with reading(path, "train"):
        table = read_csv(path)
        numbers = map(int, table["numbers"])
        variables = list(zip(table["name"], table["shape"], numbers, strict=True))
    return Model(
        name=name,
        recipe={key.removeprefix(prefix): params[key] for key in params if key.startswith(prefix)},
        variables=variables,
        scores=load_scores(folder / "scores.json"),
        predictions={split: Predictions.load(folder / f"{split}.csv", names) for split in SPLITS},
        model_input=ModelInput.load(path.with_name("input.json")),
    )
