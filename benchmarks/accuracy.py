"""Accuracy and time of each recipe, over three seeds: python -m benchmarks.accuracy [RECIPE …]

Trains both models of each recipe of recipes/, or of those named, on the data that it is made for: the
course's sample of MNIST, all of MNIST (full, course-keras), or the bundled digits (small). Prints mean
accuracies; 95 % intervals of the test accuracy's mean over seeds (Student's) and over other test images
(Wilson's); the seconds of a training with the scoring after each period, and their ratio to those of recipe
course; and images per second. Needs real MNIST, in both formats, in ../shared/mnist or in the folder that
DIGITS_MNIST names.
"""

import sys
import time
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np

from benchmarks.measuring import ROOT, clone, run, set_source
from digits.cli.significance import mean_interval
from digits.core.examples import Examples
from digits.core.params import Recipe, load_params
from digits.evaluate.metrics import wilson_interval
from digits.train.training import scorer, train

SEEDS = range(3)
#: The data source of each recipe that isn't for mnist, the course's sample.
SOURCES = {"course-keras": "mnist-full", "full": "mnist-full", "small": "digits"}


class Result(NamedTuple):
    """Scores of one training; accuracies are shares of examples, log losses are in nats."""

    validation_accuracy: float
    test_accuracy: float
    test_log_loss: float
    test_log_loss_of_predicted_classes: float
    seconds: float


def main() -> None:
    recipes = sys.argv[1:] or sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
    course_seconds: dict[str, float] = {}
    with clone() as project:
        for name in ("course", *(name for name in recipes if name != "course")):
            run(("python", "-m", "digits", "recipe", name), project)
            set_source(project, SOURCES.get(name, "mnist"))
            splits = make_splits(project)
            for model, recipe in load_params(project).train.items():
                results = [train_and_test(recipe, seed, splits) for seed in SEEDS]
                seconds = mean(result.seconds for result in results)
                ratio = seconds / course_seconds.setdefault(model, seconds)
                speed = recipe.steps * recipe.batch_size / seconds
                cost = f"{seconds:.1f} s, ÷ course = {ratio:.1f}, {speed:,.0f} images per second"
                print(f"{name} {model}: {accuracies(results, len(splits['test']))}, {cost}", flush=True)


def make_splits(project: Path) -> dict[str, Examples]:
    run(("python", "-m", "stages.split"), project)
    return {path.stem: Examples.load(path) for path in (project / "data/splits").glob("*.npz")}


def train_and_test(recipe: Recipe, seed: int, splits: dict[str, Examples]) -> Result:
    start = time.perf_counter()
    trained = train(recipe.model_copy(update={"seed": seed}), splits["train"], splits["validation"])
    seconds = time.perf_counter() - start
    test = scorer(trained.model)(splits["test"])
    validation = trained.history.periods[-1].validation.accuracy
    return Result(validation, test.accuracy, test.log_loss, test.log_loss_of_predicted_classes, seconds)


def accuracies(results: list[Result], images: int) -> str:
    """Return mean accuracies, and the test accuracy's intervals over seeds and over other test images."""
    validation = mean(result.validation_accuracy for result in results)
    test = mean(result.test_accuracy for result in results)
    low, high = mean_interval(np.array([result.test_accuracy for result in results]))
    lowest, highest = wilson_interval(round(test * images), images)
    return (
        f"validation {validation:.4f}, test {test:.4f},"
        f" over seeds {low:.4f}–{high:.4f}, over images {lowest:.4f}–{highest:.4f}"
    )


if __name__ == "__main__":
    main()
