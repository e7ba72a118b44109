"""One experiment with several seeds: what of a figure is the seed's doing. python -m digits repeat

Only the seed of the training varies: the order of the batches, the first weights, the dropout. The
data stay split as they are, so how much another draw of images would change is not in these figures.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from digits.cli.significance import mean_interval
from digits.cli.splits import load_split
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_csv, write_json
from digits.core.params import Recipe, load_params
from digits.core.yaml_files import validated
from digits.evaluate.inference import logits
from digits.evaluate.metrics import Answers, evaluate

#: What a network is scored on, as the evaluate stage does.
SCORED = ("validation", "test")


class Run(NamedTuple):
    """One training's figures on one split, as the evaluate stage writes them."""

    seed: int
    split: str
    figures: dict[str, float]


class Spread(NamedTuple):
    """One figure over ``seeds`` trainings, in the figure's own unit.

    ``deviation`` is the sample's standard deviation (n - 1); the mean lies between ``low`` and
    ``high`` with 95 % confidence, by Student's distribution.
    """

    mean: float
    deviation: float
    low: float
    high: float
    seeds: int


#: By model, split and metric.
Spreads = dict[str, dict[str, dict[str, Spread]]]


def main(seeds: int, *, models: list[str], save: bool, root: Path = Path()) -> int:
    """Train with ``seeds`` seeds, from each recipe's own one on, and print every figure's spread; 0.

    Args:
        seeds: how many, at least two.
        models: of params.yaml; all if empty.
        save: write ``metrics/repeats/``, which then holds the results of this call and no others.
        root: where params.yaml and data/splits are; nothing else in it is written.

    Raises:
        InputError: too few seeds, a wrong params.yaml, an unknown model, no splits, or a training
            that diverged; before the first training but for the last.
    """
    if seeds < 2:
        raise InputError("--seeds", found=str(seeds), expected="2 or more: one has no spread", do="raise it")
    params = load_params(root)
    recipes = {model: _seeded(model, params.recipe(model), seeds) for model in models or params.train}
    splits = {name: load_split(root, name) for name in ("train", *SCORED)}

    runs = {model: list(_runs(model, recipes[model], splits)) for model in recipes}
    spreads = {model: _spreads(runs[model]) for model in runs}
    print(f"\n{_table(spreads)}")
    if save:
        _save(runs, spreads, root / "metrics/repeats")
    return 0


def _seeded(model: str, recipe: Recipe, seeds: int) -> list[Recipe]:
    """The recipe with its own seed, the next one, and so on."""
    return [
        validated(
            Recipe,
            recipe.model_dump() | {"seed": recipe.seed + further},
            path=Path("params.yaml"),
            key=f"train.{model}",
        )
        for further in range(seeds)
    ]


def _runs(model: str, recipes: list[Recipe], splits: dict[str, Examples]) -> Iterator[Run]:
    """Train by each recipe and score, as the stages train and evaluate do, away from their files."""
    # TensorFlow takes seconds to start: bad input is told without it.
    from digits.train.backend import tf
    from digits.train.export import save_tflite
    from digits.train.training import train

    # It warns of a step compiled again and again, which each new network needs.
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory(prefix="digits-repeat-") as folder:
        exported = Path(folder) / "model.tflite"
        for number, recipe in enumerate(recipes, start=1):
            save_tflite(train(recipe, splits["train"], splits["validation"]).model, exported)
            for split in SCORED:
                examples = splits[split]
                answers = Answers.from_logits(examples.labels, logits(exported, examples.images))
                run = Run(recipe.seed, split, evaluate(answers))
                if split == "validation":
                    accuracy = f"validation accuracy {run.figures['accuracy']:.4f}"
                    print(f"{model}: seed {number} of {len(recipes)} ({recipe.seed}), {accuracy}", flush=True)
                yield run


def _spreads(runs: list[Run]) -> dict[str, dict[str, Spread]]:
    """By split and metric."""
    return {
        split: {
            metric: spread([run.figures[metric] for run in runs if run.split == split])
            for metric in runs[0].figures
        }
        for split in SCORED
    }


def spread(figures: list[float]) -> Spread:
    """The spread of at least two independent figures."""
    values = np.array(figures, np.float64)
    return Spread(float(values.mean()), float(values.std(ddof=1)), *mean_interval(values), seeds=len(values))


def _table(spreads: Spreads) -> str:
    rows = [
        (model, split, metric, *(f"{value:.4f}" for value in found[:-1]), found.seeds)
        for model, by_split in spreads.items()
        for split, by_metric in by_split.items()
        for metric, found in by_metric.items()
    ]
    header = ["model", "split", "metric", "mean", "deviation", "95 % low", "95 % high", "seeds"]
    return tabulate(rows, header, tablefmt="simple", disable_numparse=True)


def _save(runs: dict[str, list[Run]], spreads: Spreads, folder: Path) -> None:
    """All files at once: what an earlier experiment left of another model goes."""
    with replacing_folder(folder) as partial:
        for model, of_model in runs.items():
            write_csv(
                partial / f"{model}.csv",
                ["seed", "split", *of_model[0].figures],
                [(run.seed, run.split, *run.figures.values()) for run in of_model],
            )
        document = {
            model: {
                split: {metric: found._asdict() for metric, found in by_metric.items()}
                for split, by_metric in by_split.items()
            }
            for model, by_split in spreads.items()
        }
        write_json(partial / "summary.json", document)
    print(f"\n{folder}: {', '.join(f'{model}.csv' for model in runs)}, summary.json")
