"""How far recipes get on MNIST, over seeds: python -m benchmarks.accuracy [RECIPE …]

Each recipe of recipes/ trains both models on the 7,500 examples that the pipeline would take from
MNIST as the course has it, with three seeds; a row for each model gives the means of both accuracies,
the 95 % interval of the test accuracy's mean, and the seconds of a training, scoring after each period
included. The test images are looked at once for each training. Needs real MNIST in ../shared/mnist or in
the folder that DIGITS_MNIST names.
"""

import sys
import time
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from benchmarks.mnist import MNIST
from digits.catalogue import load_source
from digits.parsing import read_source
from digits.recipe import Recipe
from digits.significance import mean_interval
from digits.splitting import Splits, split
from digits.training import score, train
from digits.typed_yaml import read_mapping, validated
from stages.params import load_params

ROOT = Path(__file__).parents[1]
SEEDS = 3


def main() -> None:
    names = sys.argv[1:] or [path.stem for path in sorted((ROOT / "recipes").glob("*.yaml"))]
    splits = read_splits()
    print(f"{'recipe':8} {'model':8} {'validation':>10} {'test':>7}  95 % interval     seconds", flush=True)
    for name in names:
        path = ROOT / f"recipes/{name}.yaml"
        for model, settings in read_mapping(path).items():
            recipe = validated(Recipe, settings, path=path, key=model)
            report(name, model, [run(recipe, splits, seed) for seed in range(SEEDS)])


def read_splits() -> Splits:
    """The splits that the pipeline makes of MNIST."""
    data = load_params(ROOT).data
    return split(
        *read_source(MNIST, load_source(ROOT / "data/sources.yaml", "mnist")),
        rows=data.rows,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        seed=data.seed,
    )


def run(recipe: Recipe, splits: Splits, seed: int) -> tuple[float, float, float]:
    """Validation and test accuracy of one training, and its seconds."""
    start = time.perf_counter()
    model = train(recipe.model_copy(update={"seed": seed}), splits.train, splits.validation).model
    seconds = time.perf_counter() - start
    return score(model, splits.validation).accuracy, score(model, splits.test).accuracy, seconds


def report(name: str, model: str, runs: list[tuple[float, float, float]]) -> None:
    validation, test, seconds = (list(column) for column in zip(*runs, strict=True))
    accuracies: NDArray[np.float64] = np.array(test)
    low, high = mean_interval(accuracies)
    print(
        f"{name:8} {model:8} {mean(validation):10.4f} {mean(test):7.4f}  {low:.4f}–{high:.4f}"
        f"  {mean(seconds):8.1f}   ({', '.join(f'{value:.4f}' for value in test)})",
        flush=True,
    )


if __name__ == "__main__":
    main()
