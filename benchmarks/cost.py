"""Accuracy over cost, of each experiment on MNIST that git holds: python -m benchmarks.cost

Trains again what each such commit trained: the model that its title begins with, by its params.yaml.
Prints the seconds of each training, one after another on one core and what distorts images on a second, and
the test accuracy that the commit recorded; draws both into docs/images/cost.png. Needs real MNIST in
../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from benchmarks.accuracy import ROOT, read_splits
from commands.report.history import experiments, git
from digits.figures import STYLE, TRAIN, VALIDATION, save
from digits.recipe import Recipe
from digits.training import train
from digits.typed_yaml import read_mapping, validated
from stages.params import Data

FIGURE = ROOT / "docs/images/cost.png"
COLOURS = {"dnn": TRAIN, "linear": VALIDATION}


class Point(NamedTuple):
    """One experiment: its title, the seconds of its training, its test accuracy."""

    model: str
    title: str
    seconds: float
    accuracy: float


def main() -> None:
    course = read_mapping(ROOT / "recipes/course.yaml")["train"]
    points = []
    for at in reversed(experiments(ROOT)):
        model, _, words = at.title.partition(" ")
        if at.params.get("data.source") != "mnist" or model not in course:
            continue
        params = yaml.safe_load(git(ROOT, "show", f"{at.commit}:params.yaml"))
        splits = read_splits("mnist", validated(Data, params["data"], path=Path("params.yaml"), key="data"))
        # A setting that the commit doesn't know yet is off, as it is in the course's recipe.
        settings: dict[str, Any] = course[model] | params["train"][model]
        recipe = validated(Recipe, settings, path=Path("params.yaml"), key=model)
        start = time.perf_counter()
        train(recipe, splits.train, splits.validation)
        seconds = time.perf_counter() - start
        points.append(Point(model, words, seconds, at.metrics[model, "test", "accuracy"]))
        print(f"{model:7} {seconds:7.1f} s  {points[-1].accuracy:.4f}  {words}", flush=True)
    with style.context(["default", STYLE]):
        save(draw(points), FIGURE)
    print(FIGURE.relative_to(ROOT))


def draw(points: list[Point]) -> Figure:
    """Error rate, on a scale that shows small ones, over seconds, both logarithmic; a row for each model."""
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    ax = figure.subplots()
    for model, colour in COLOURS.items():
        own = [point for point in points if point.model == model]
        errors = [1 - point.accuracy for point in own]
        ax.scatter([point.seconds for point in own], errors, color=colour, label=model, zorder=3)
        for point, error in zip(own, errors, strict=True):
            ax.annotate(
                point.title,
                (point.seconds, error),
                (6, 4),
                textcoords="offset points",
                fontsize=9,
                color=colour,
            )
    ax.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test accuracy")
    ticks = [0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995]
    ax.set_yticks([1 - tick for tick in ticks], [f"{tick:.3f}".rstrip("0") for tick in ticks], minor=False)
    ax.tick_params(axis="y", which="minor", left=False, labelleft=False)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.legend(loc="lower right", frameon=False)
    ax.set_title("What accuracy costs: the experiments on MNIST, 7,500 training images")
    return figure


if __name__ == "__main__":
    main()
