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

from benchmarks.accuracy import ROOT, read_splits
from digits.cli.report.history import experiments, git
from digits.core.params import Data, Recipe
from digits.core.yaml_files import read_mapping, validated
from digits.figures.style import STYLE, TRAIN, VALIDATION, save
from digits.train.training import train

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
    """Test accuracy over seconds, both on scales that show small errors; numbered in the order of history."""
    figure = Figure(figsize=(11, 6), dpi=110, layout="constrained")
    ax, words = figure.subplots(1, 2, width_ratios=[2, 1])
    words.axis("off")
    for number, point in enumerate(points, start=1):
        colour = COLOURS[point.model]
        error = 1 - point.accuracy
        ax.scatter(point.seconds, error, color=colour, zorder=3)
        # Neighbours in history are often neighbours here: above and below in turns.
        place = {"xytext": (0, 7 if number % 2 else -15), "textcoords": "offset points", "ha": "center"}
        ax.annotate(str(number), (point.seconds, error), fontsize=10, color=colour, **place)
        height = 1 - (number - 0.5) / len(points)
        words.text(
            0, height, f"{number}  {point.model} {point.title}", fontsize=10, color=colour, va="center"
        )
    ax.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test accuracy")
    ticks = [0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995]
    ax.set_yticks([1 - tick for tick in ticks], [f"{tick:g}" for tick in ticks])
    ax.tick_params(axis="y", which="minor", left=False, labelleft=False)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.set_title("What accuracy costs: 7,500 images of MNIST")
    return figure


if __name__ == "__main__":
    main()
