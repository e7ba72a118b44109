"""Train one experiment with several seeds, to tell what the seed does to each figure: digits repeat

Only the seed of the training varies: the order of the batches, the first weights, the dropout. The
data stay split as they are, so how much another draw of images would change is not in these figures.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from digits.cli.significance import mean_interval
from digits.cli.state import check_state
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_json
from digits.core.params import Recipe, load_params
from digits.core.yaml_files import validated
from digits.evaluate.inference import logits
from digits.evaluate.metrics import METRICS, Answers, evaluate
from digits.evaluate.scores import SPLITS

FIGURES = ["mean", "deviation", "low", "high", "seeds"]


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
    check_state(root, "--save" if save else None)
    params = load_params(root)
    recipes = {model: _seeded(model, params.recipe(model), seeds) for model in models or params.train}
    splits = {name: Examples.load(root / f"data/splits/{name}.npz") for name in ("train", *SPLITS)}

    runs = {model: pd.DataFrame(_runs(model, recipes[model], splits)) for model in recipes}
    spreads = [
        (model, split, metric, *spread(run.loc[run["split"] == split, metric].to_numpy()).values())
        for model, run in runs.items()
        for split in SPLITS
        for metric in METRICS
    ]
    header = ["model", "split", "metric", "mean", "deviation", "95 % low", "95 % high", "seeds"]
    print(f"\n{tabulate(spreads, header, floatfmt='.4f')}")
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


def _runs(model: str, recipes: list[Recipe], splits: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Train by each recipe and score, as the stages train and evaluate do; a row for each seed and split."""
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
            for split in SPLITS:
                examples = splits[split]
                figures = evaluate(Answers.from_logits(examples.labels, logits(exported, examples.images)))
                if split == "validation":
                    accuracy = f"validation accuracy {figures['accuracy']:.4f}"
                    print(f"{model}: seed {number} of {len(recipes)} ({recipe.seed}), {accuracy}", flush=True)
                yield {"seed": recipe.seed, "split": split, **figures}


def spread(figures: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The :data:`FIGURES` of at least two independent values ``[seeds]``, in their own unit.

    The deviation is the sample's (n - 1); the mean lies between low and high with 95 % confidence,
    by Student's distribution.
    """
    low, high = mean_interval(figures)
    row = (float(figures.mean()), float(figures.std(ddof=1)), low, high, len(figures))
    return dict(zip(FIGURES, row, strict=True))


def _save(runs: dict[str, pd.DataFrame], spreads: list[tuple[Any, ...]], folder: Path) -> None:
    """Write all files at once: what an earlier experiment left of another model goes."""
    summary: dict[str, Any] = {}
    for model, split, metric, *figures in spreads:
        row = dict(zip(FIGURES, figures, strict=True))
        summary.setdefault(model, {}).setdefault(split, {})[metric] = row
    with replacing_folder(folder) as partial:
        for model, run in runs.items():
            run.to_csv(partial / f"{model}.csv", index=False, lineterminator="\n")
        write_json(partial / "summary.json", summary)
    print(f"\n{folder}: {', '.join(f'{model}.csv' for model in runs)}, summary.json")
