"""What the experiments on MNIST cost and gave: python -m benchmarks.cost

Trains again, by the recipe in each ``experiment: `` commit whose data source is mnist, the model that its
title begins with, takes the seconds, and draws the test accuracy that the commit records over them into
docs/images/cost.png. Needs real MNIST in ../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import time
from typing import Any

from matplotlib.figure import Figure

from benchmarks.accuracy import ROOT, read_splits
from commands.report.history import Experiment, experiments
from digits.figures import TRAIN, VALIDATION, save
from digits.recipe import Recipe
from digits.training import train
from digits.typed_yaml import read_mapping

FIGURE = ROOT / "docs/images/cost.png"


def main() -> None:
    splits = read_splits()
    points: dict[str, dict[str, tuple[float, float]]] = {}
    for model, title, recipe, accuracy in trainings(experiments(ROOT)):
        start = time.perf_counter()
        train(recipe, splits.train, splits.validation)
        seconds = time.perf_counter() - start
        points.setdefault(model, {})[title] = seconds, accuracy
        print(f"{model:8} {seconds:7.1f} s   test accuracy {accuracy:.4f}   {title}", flush=True)
    save(draw(points), FIGURE)
    print(FIGURE)


def draw(points: dict[str, dict[str, tuple[float, float]]]) -> Figure:
    """A panel for each model, an experiment a mark with its title: test accuracy over seconds."""
    figure = Figure(figsize=(15, 5.5), layout="constrained")
    figure.suptitle("Experiments on 7,500 images of MNIST: test accuracy over seconds of training")
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    for ax, (model, found), colour in zip(panels, points.items(), (VALIDATION, TRAIN), strict=False):
        for number, (title, (seconds, accuracy)) in enumerate(found.items(), start=1):
            ax.plot(
                seconds, accuracy, "o", color=colour, label=f"{number}  {title.removeprefix(model).strip()}"
            )
            ax.annotate(str(number), (seconds, accuracy), xytext=(6, -4), textcoords="offset points")
        ax.set(title=model, xlabel="seconds of training, two cores", ylabel="test accuracy", xscale="log")
        ax.grid(alpha=0.3)
        ax.legend(frameon=False, loc="lower right", handlelength=0, markerscale=0, fontsize=9)
    return figure


def trainings(history: list[Experiment]) -> list[tuple[str, str, Recipe, float]]:
    """Model, title, recipe and test accuracy of each experiment on the model of its title, oldest first."""
    course = read_mapping(ROOT / "recipes/course.yaml")
    found = []
    for at in reversed(history):
        for model in course:
            if at.params.get("data.source") == "mnist" and at.title.startswith(f"{model} "):
                # Settings that are younger than the experiment are off, as in the course's recipe.
                settings = course[model] | _nested(at.params, f"train.{model}.")
                accuracy = at.metrics[model, "test", "accuracy"]
                found.append((model, at.title, Recipe.model_validate(settings), accuracy))
    return found


def _nested(params: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The parameters under a prefix, with ``a.b`` as ``{"a": {"b": …}}``."""
    settings: dict[str, Any] = {}
    for key, value in params.items():
        if key.startswith(prefix):
            *sections, name = key.removeprefix(prefix).split(".")
            place = settings
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = value
    return settings


if __name__ == "__main__":
    main()
