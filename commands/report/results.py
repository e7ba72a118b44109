"""What the last run left in the workspace, read for a report."""

import csv
import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from commands.flattening import flat
from commands.report.history import SPLITS
from commands.report.wording import METRICS
from digits.errors import InputError, excerpt
from digits.examples import Examples
from digits.files import read_csv
from digits.framing import ModelInput
from digits.predictions import Predicted
from digits.typed_yaml import read_mapping

#: What reading a damaged file may end in.
DAMAGED = (
    AttributeError,
    BadZipFile,
    csv.Error,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    zlib.error,
)
#: What DVC calls the stage that trains a model, in dvc.lock.
TRAIN = "train@"


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The first layer at some steps; the units are classes where there is no hidden layer.

    Attributes:
        steps: in order, ``[k]``.
        weights: ``[k, height, width, units]``.
        hidden: whether the layer is a hidden one.
        verdicts: what plots/<model>/units.csv says of each hidden unit, by step.
    """

    steps: list[int]
    weights: NDArray[np.float32]
    hidden: bool
    verdicts: dict[int, list[str]]


@dataclass(frozen=True, eq=False)
class Model:
    """One model: its settings, what it learnt, and what came out.

    Attributes:
        name: as in params.yaml.
        folder: where its files are.
        recipe: the parameters that it was trained with, by key.
        variables: what was learnt: columns of variables.csv.
        history: a row of figures for each period: columns of history.csv.
        metrics: by split.
        classes: precision, recall, F1 and examples of each class, by split: columns.
        predicted: its answers, by split.
        takes: what it takes, and how training images were framed.
        snapshots: of its first layer.
    """

    name: str
    folder: Path
    recipe: dict[str, Any]
    variables: dict[str, list[str]]
    history: dict[str, list[float]]
    metrics: dict[str, dict[str, float]]
    classes: dict[str, dict[str, list[str]]]
    predicted: dict[str, Predicted]
    takes: ModelInput
    snapshots: Snapshots

    @property
    def numbers(self) -> int:
        """How many numbers were learnt."""
        return sum(int(number) for number in self.variables["numbers"])


@dataclass(frozen=True, eq=False)
class Results:
    """A whole run.

    Attributes:
        source: the data source's name.
        title: what the catalogue called it then.
        homepage: the same, if it had one.
        licence: the same.
        params: all other parameters of the run, by dotted key.
        data: metrics/data.json.
        environment: metrics/environment.json.
        models: in the order of dvc.lock.
        validation: the validation split.
        outputs: the paths that stages write, in the order of dvc.lock.
        altered: those of them that are not what dvc.lock records.
    """

    source: str
    title: str
    homepage: str | None
    licence: str
    params: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    models: list[Model]
    validation: Examples
    outputs: list[str]
    altered: list[str]


def read_results(root: Path) -> Results:
    """The results in the workspace, with the parameters that dvc.lock says they came from.

    Raises:
        InputError: the pipeline hasn't run, or a file of it is gone or damaged.
    """
    stages = _recorded_stages(root)
    try:
        wired = _wired(root)
        names = [name for name in _trained(stages) if wired is None or name in wired]
        if not names:
            raise InputError(root / "dvc.lock", found="no trained model", expected="some", do="make run")
        recorded = [stage.get("params") or {} for stage in stages.values()]
        params = {key: value for at in recorded for key, value in at.get("params.yaml", {}).items()}
        outs = [out for stage in stages.values() for out in stage.get("outs", ())]
        source = str(params["data.source"])
        catalogue = [at["data/sources.yaml"][source] for at in recorded if "data/sources.yaml" in at]
        entry = catalogue[0] if catalogue else {}
        validation = Examples.load(root / "data/splits/validation.npz")
        models = [
            _model(name, params.get(f"train.{name}") or {}, root, validation.class_names) for name in names
        ]
        for model in models:
            if len(model.predicted["validation"].actual) != len(validation):
                raise InputError(
                    root / f"predictions/{model.name}/validation.csv",
                    found=f"{len(model.predicted['validation'].actual)} answers",
                    expected=f"one to each of {len(validation)} images",
                    do="dvc repro evaluate",
                )
        return Results(
            source=source,
            title=str(entry.get("title") or source),
            homepage=entry.get("homepage"),
            licence=str(entry.get("licence") or "not stated"),
            params=flat({key: at for key, at in params.items() if not key.startswith("train.")}),
            data=_data(root / "metrics/data.json"),
            environment=_environment(root / "metrics/environment.json"),
            models=models,
            validation=validation,
            outputs=[out["path"] for out in outs],
            altered=_altered(outs, root),
        )
    except FileNotFoundError as error:
        raise InputError(
            error.filename, found="no such file", expected="a finished run's", do="make run"
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            root / "dvc.lock",
            found=f"a run that can't be read ({type(error).__name__}: {error})",
            expected="that of this pipeline",
            do="make run",
        ) from None


def _recorded_stages(root: Path) -> dict[str, dict[str, Any]]:
    """What dvc.lock says of each stage.

    Raises:
        InputError: there is no such file, or it isn't DVC's.
    """
    path = root / "dvc.lock"
    if not path.is_file():
        raise InputError(
            path, found="no such file", expected="a finished run's", do="make run, in the project's folder"
        )
    stages = read_mapping(path).get("stages") or {}
    if not isinstance(stages, dict) or not all(isinstance(stage, dict) for stage in stages.values()):
        raise InputError(path, found="something else than stages", expected="DVC's record", do="make run")
    return stages


def _trained(stages: dict[str, dict[str, Any]]) -> list[str]:
    """The models that were trained and then evaluated on the splits that are there now.

    dvc.lock remembers stages that dvc.yaml has lost; such a model's answers are to other images.
    """
    splits = {out["path"]: out["md5"] for out in stages.get("split", {}).get("outs", ())}
    found = []
    for stage in stages:
        if stage.startswith(TRAIN):
            name = stage.removeprefix(TRAIN)
            seen = stages.get(f"evaluate@{name}", {}).get("deps", ())
            if all(splits.get(dep["path"], dep["md5"]) == dep["md5"] for dep in seen):
                found.append(name)
    return found


def _wired(root: Path) -> list[str] | None:
    """The models that dvc.yaml names; None where it names none in this project's way."""
    if not (root / "dvc.yaml").is_file():
        return None
    for variables in read_mapping(root / "dvc.yaml").get("vars") or []:
        if isinstance(variables, dict) and isinstance(variables.get("models"), list):
            return [str(name) for name in variables["models"]]
    return None


@contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Whatever is wrong with what the file holds is said of the file.

    Raises:
        InputError: it is damaged.
        OSError: it can't be read.
    """
    try:
        yield path
    except DAMAGED as error:
        raise InputError(
            path,
            found=f"a damaged file ({type(error).__name__}: {error})",
            expected="what the pipeline writes",
            do="dvc checkout, or dvc repro",
        ) from None


def _model(name: str, recipe: dict[str, Any], root: Path, class_names: tuple[str, ...]) -> Model:
    folder, metrics = root / "models" / name, root / "metrics" / name
    with _reading(folder / "variables.csv") as path:
        variables = read_csv(path)
        sum(map(int, variables["numbers"]))
    takes = ModelInput.load(folder / "input.json")
    if takes.class_names != class_names:
        raise InputError(
            folder / "input.json",
            found=f"classes {excerpt(takes.class_names)}",
            expected=f"those of the data, {excerpt(class_names)}",
            do="dvc repro train",
        )
    return Model(
        name=name,
        folder=folder,
        recipe=dict(recipe),
        variables=variables,
        history=_history(folder / "history.csv"),
        metrics={split: _metrics(metrics / f"{split}.json") for split in SPLITS},
        classes={split: _classes(metrics / f"{split}_classes.csv") for split in SPLITS},
        predicted={
            split: Predicted.load(root / "predictions" / name / f"{split}.csv", class_names)
            for split in SPLITS
        },
        takes=takes,
        snapshots=_snapshots(folder / "snapshots.npz", root / "plots" / name / "units.csv"),
    )


def _history(path: Path) -> dict[str, list[float]]:
    with _reading(path):
        history = {column: [_number(value) for value in values] for column, values in read_csv(path).items()}
        for column in ("log_loss", "accuracy"):
            for split in ("train", "validation"):
                history[f"{split}_{column}"][-1]
        return history


def _classes(path: Path) -> dict[str, list[str]]:
    with _reading(path):
        classes = read_csv(path)
        for column in ("precision", "recall", "f1", "examples"):
            [_number(value) for value in classes[column]]
        return classes


def _metrics(path: Path) -> dict[str, Any]:
    with _reading(path):
        metrics = _json(path)
        for key in (*METRICS, "accuracy_low", "accuracy_high"):
            _number(metrics[key])
        return metrics


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not isfinite(number):
        raise ValueError(f"{value} is no finite number")
    return number


def _snapshots(path: Path, units: Path) -> Snapshots:
    with _reading(path), np.load(path, allow_pickle=False) as archive:
        steps, weights, hidden = archive["steps"].tolist(), archive["weights"], archive["layer"] != "logits"
    verdicts: dict[int, list[str]] = {}
    if units.is_file():
        with _reading(units):
            table = read_csv(units)
            for step, verdict in zip(table["step"], table["verdict"], strict=True):
                verdicts.setdefault(int(step), []).append(verdict)
    return Snapshots(steps, weights, bool(hidden), verdicts)


def _json(path: Path) -> dict[str, Any]:
    with _reading(path):
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict):
            raise ValueError("no mapping")
        return document


def _data(path: Path) -> dict[str, Any]:
    with _reading(path):
        data = _json(path)
        for split in ("train", *SPLITS):
            int(data["rows"][split])
        return data


def _environment(path: Path) -> dict[str, Any]:
    """What ``digits fingerprint`` wrote, which ``make run`` calls and ``dvc repro`` doesn't."""
    return _json(path) if path.is_file() else {}


def _altered(outs: list[dict[str, Any]], root: Path) -> list[str]:
    """Outputs that are single files, and other ones than dvc.lock records."""
    return [
        out["path"]
        for out in outs
        if (root / out["path"]).is_file() and _md5(root / out["path"]) != out.get("md5")
    ]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
