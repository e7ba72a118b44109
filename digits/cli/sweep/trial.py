"""One trial, as a worker trains it: through the function that the train stage calls."""

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from statistics import mean

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.params import Recipe

#: What a training's bytes depend on beside the code; of each the names that it is installed by.
LIBRARIES = [["keras"], ["numpy"], ["scipy"], ["tensorflow", "tensorflow-cpu"], ["pydantic"]]

#: What is told of a trial: a split's score, each.
FIGURES = ("validation_log_loss", "validation_accuracy", "train_log_loss", "train_accuracy")


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes:
        state: complete; stopped: not worth going on with; failed: ``reason`` says why.
        periods: the objective on validation after each period of the first training.
        figures: means over the trainings, of the last period of each; none if it failed.
        weights: SHA-256 of the trained weights, training after training; of a complete one.
        seconds: that it took.
        worker: the process that trained it.
        reason: in words.
    """

    state: str
    periods: list[float]
    figures: dict[str, float]
    weights: str
    seconds: float
    worker: str
    reason: str = ""


class _Stopped(Exception):
    pass


@cache
def versions() -> dict[str, str]:
    """What a trial's result depends on, as it is installed here; nothing is imported."""
    return {"python": platform.python_version()} | {names[0]: _version(names) for names in LIBRARIES}


def _version(names: Sequence[str]) -> str:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "none"


def check_versions(expected: dict[str, str], worker: str) -> None:
    """Refuse to train with other libraries than those that the sweep was started with.

    Raises:
        InputError: a version differs.
    """
    for name, here in versions().items():
        if here != expected[name]:
            raise InputError(
                f"worker {worker}",
                found=f"{name} {here}",
                expected=f"{expected[name]}, which the sweep was started with",
                do="install the same requirements.txt on all nodes",
            )


def run_trial(
    recipes: Sequence[Recipe],
    train_split: Examples,
    validation_split: Examples,
    *,
    objective: str,
    goes_on: Callable[[int, float], bool],
    worker: str,
) -> Outcome:
    """Train by each recipe; ``goes_on(period, objective)`` is asked after each period of the first one."""
    from digits.core.history import Period
    from digits.train.backend import keras, tf
    from digits.train.training import train

    # It warns of a step compiled again and again, which each new network needs.
    tf.get_logger().setLevel("ERROR")
    start = time.monotonic()
    periods: list[float] = []
    ends: list[Period | None] = []  # of each training, its last
    weights = hashlib.sha256()
    state, reason = "complete", ""

    def report(period: Period) -> None:
        ends[-1] = period
        if len(ends) == 1:
            periods.append(_rounded(getattr(period.validation, objective)))
            if not goes_on(period.period, periods[-1]) and period.step < recipes[0].steps:
                raise _Stopped

    try:
        for recipe in recipes:
            ends.append(None)
            trained = train(recipe, train_split, validation_split, report=report)
            for variable in trained.model.weights:
                weights.update(variable.numpy().tobytes())
    except _Stopped:
        state = "stopped"
    except Exception as error:  # a trial that can't be trained is a result like others
        state, reason = "failed", str(error) if isinstance(error, InputError) else _words(error)
    finally:
        keras.backend.clear_session()  # or each network stays in memory
    return Outcome(
        state,
        periods,
        {} if state == "failed" else _figures(ends),
        weights.hexdigest() if state == "complete" else "",
        time.monotonic() - start,
        worker,
        reason,
    )


def _figures(ends: list) -> dict[str, float]:  # type: ignore[type-arg]  # of Period, which costs an import
    return {
        name: _rounded(mean(getattr(getattr(end, split), metric) for end in ends))
        for name in FIGURES
        for split, _, metric in [name.partition("_")]
    }


def _rounded(figure: float) -> float:
    """As the table has it, so that a sweep that is resumed decides as one that wasn't interrupted."""
    return round(figure, 6)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
