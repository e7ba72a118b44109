"""Train with several seeds and show how much each metric depends on the seed: digits repeat

The seed of the training sets the order of the batches, the first weights and the dropout. The data stay split
as they are: these results don't show how much other images would change.
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
from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_json
from digits.core.params import Recipe, load_params
from digits.evaluate.inference import logits
from digits.evaluate.metrics import METRICS, Answers, evaluate
from digits.evaluate.scores import SPLITS


def main(seeds: int, *, models: list[str], save: bool, root: Path = Path()) -> int:
    """Train with ``seeds`` seeds (2 or more), the recipe's own the first, and print all spreads; return 0.

    Without names all models are trained. ``save`` replaces ``metrics/repeats/``.
    """
    check_state(root, "--save" if save else "")
    params = load_params(root)
    recipes = {model: params.recipe(model) for model in models or params.train}
    splits = {name: Examples.load(root / f"data/splits/{name}.npz") for name in ("train", *SPLITS)}

    runs = {model: pd.DataFrame(_runs(model, recipes[model], seeds, splits)) for model in recipes}
    spreads = [
        {"model": model, "split": split, "metric": metric}
        | spread(run.loc[run["split"] == split, metric].to_numpy())
        for model, run in runs.items()
        for split in SPLITS
        for metric in METRICS
    ]
    print(f"\n{tabulate(spreads, 'keys', floatfmt='.4f')}")
    if save:
        folder = root / "metrics/repeats"
        with replacing_folder(folder) as partial:
            for model, run in runs.items():
                run.to_csv(partial / f"{model}.csv", index=False, lineterminator="\n")
            write_json(partial / "summary.json", spreads)
        print(f"\n{folder}: {', '.join(f'{model}.csv' for model in runs)}, summary.json")
    return 0


def _runs(model: str, recipe: Recipe, seeds: int, splits: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Train with each seed and score, as the stages train and evaluate do; a row for each seed and split."""
    # TensorFlow takes seconds to start: bad input is reported without it.
    from digits.train.backend import tf
    from digits.train.export import save_tflite
    from digits.train.training import train

    # TensorFlow warns of a step compiled many times; here each network needs its own.
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory(prefix="digits-repeat-") as folder:
        exported = Path(folder) / "model.tflite"
        for seed in range(recipe.seed, recipe.seed + seeds):
            seeded = recipe.model_copy(update={"seed": seed})
            save_tflite(train(seeded, splits["train"], splits["validation"]).model, exported)
            for split in SPLITS:
                examples = splits[split]
                metrics = evaluate(Answers.from_logits(examples.labels, logits(exported, examples.images)))
                print(f"{model}, seed {seed}: {split} accuracy {metrics['accuracy']:.4f}", flush=True)
                yield {"seed": seed, "split": split, **metrics}


def spread(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return mean, the sample's deviation and the mean's 95 % interval of two or more values ``[seeds]``."""
    low, high = mean_interval(values)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    return {"mean": mean, "deviation": deviation, "low": low, "high": high, "seeds": len(values)}
