"""How far recipes get, over seeds: python -m benchmarks.accuracy [RECIPE …] [--models M …] [--jobs N]

Each recipe of recipes/ trains the models with three seeds, on the splits that the pipeline would make: of
MNIST as the course has it, of all MNIST for `full`, of the bundled digits for `small`. A row for each model
gives the means of both accuracies, the 95 % interval of the test accuracy's mean over seeds (Student's) and
over other test images (Wilson's), and the seconds of a training, scoring after each period included. The test
images are looked at once for each training. Needs real MNIST, in both formats, in ../shared/mnist or in the
folder that DIGITS_MNIST names.
"""

import argparse
import multiprocessing
import time
from functools import cache
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.mnist import MNIST
from digits.cli.recipe import read_recipe
from digits.cli.significance import mean_interval
from digits.core.params import Data, Params
from digits.core.sources import FOLDER, load_source, source_files
from digits.core.yaml_files import validated
from digits.download.fetch import fetch
from digits.evaluate.metrics import wilson_interval
from digits.split.parsing import read_source
from digits.split.splitting import Splits, split
from digits.train.training import scorer, train

ROOT = Path(__file__).parents[1]
SEEDS = 3
#: What a recipe is made for, where that isn't the course's MNIST.
SOURCES = {"full": "mnist-full", "small": "digits"}


class Result(NamedTuple):
    """One training: both accuracies, its seconds, and how many test images there were."""

    validation: float
    test: float
    seconds: float
    images: int


def main() -> None:
    parser = argparse.ArgumentParser(description="How far recipes get, over seeds")
    known = [path.stem for path in sorted((ROOT / "recipes").glob("*.yaml"))]
    parser.add_argument("recipes", nargs="*", default=known, help="of recipes/; all by default")
    models = ["linear", "dnn"]
    parser.add_argument("--models", nargs="+", default=models, choices=models, help="both by default")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side; more make each slower")
    arguments = parser.parse_args()
    print("recipe   model    validation    test  over seeds     over images    seconds", flush=True)
    tasks = [
        (name, model, seed)
        for name in arguments.recipes
        for model in arguments.models
        for seed in range(SEEDS)
    ]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        results = pool.imap(run, tasks)
        for name, model, _ in tasks[::SEEDS]:
            report(name, model, [next(results) for _ in range(SEEDS)])


def run(task: tuple[str, str, int]) -> Result:
    """Train a recipe's model with a seed."""
    name, model, seed = task
    params = validated(Params, read_recipe(name, ROOT), path=Path(f"recipes/{name}.yaml"))
    splits = read_splits(SOURCES.get(name, "mnist"), params.data)
    recipe = params.recipe(model).model_copy(update={"seed": seed})
    start = time.perf_counter()
    trained = train(recipe, splits.train, splits.validation)
    seconds = time.perf_counter() - start
    test = scorer(trained.model)(splits.test)
    return Result(trained.history.periods[-1].validation.accuracy, test.accuracy, seconds, len(splits.test))


@cache
def read_splits(name: str, data: Data) -> Splits:
    """The splits that the pipeline makes of a source; MNIST's files are taken as they lie in their folder."""
    source = load_source(ROOT, name)
    with TemporaryDirectory() as fetched:
        folder = MNIST
        if name == "digits":
            folder = Path(fetched) / "raw"
            fetch(source_files(source), folder, local=ROOT / FOLDER / name)
        return split(
            *read_source(folder, source),
            rows=data.rows,
            validation_fraction=data.validation_fraction,
            test_fraction=data.test_fraction,
            seed=data.seed,
        )


def report(name: str, model: str, runs: list[Result]) -> None:
    tests = [run.test for run in runs]
    low, high = mean_interval(np.array(tests))
    images = runs[0].images
    lowest, highest = wilson_interval(round(mean(tests) * images), images)
    validation, seconds = mean(run.validation for run in runs), mean(run.seconds for run in runs)
    each = ", ".join(f"{value:.4f}" for value in tests)
    print(
        f"{name:8} {model:8} {validation:10.4f} {mean(tests):7.4f}  {low:.4f}–{high:.4f}"
        f"  {lowest:.4f}–{highest:.4f} {seconds:8.0f}   ({each})",
        flush=True,
    )


if __name__ == "__main__":
    main()
