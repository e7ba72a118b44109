"""A sweep's figures: how the best came about, how parameters go together, which of them matter."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from digits.cli.sweep.definition import Dimension, Sweep, in_words
from digits.cli.sweep.results import Results, Trial
from digits.figures.style import TRAIN, VALIDATION, blank, save, styled

NAMES = {"log_loss": "validation log loss, nats", "accuracy": "validation accuracy"}
#: Over so many times the best log loss a trial is drawn at the edge: those near the best are what matters.
EDGE = 5.0

#: So that a tick's label can be read where lines cross it.
BEHIND: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}


def draw(results: Results, importance: Mapping[str, float]) -> None:
    """Write history.png, parallel.png and importance.png into its folder, if there is a best."""
    if results.best is None:
        return
    sweep, trials = results.sweep, results.ordered
    save(history(sweep, trials), results.folder / "history.png")
    save(parallel(sweep, trials), results.folder / "parallel.png")
    (results.folder / "importance.png").unlink(missing_ok=True)
    if importance:
        save(bars(importance, f"What matters in {sweep.model}'s sweep"), results.folder / "importance.png")


@styled
def history(sweep: Sweep, trials: Sequence[Trial]) -> Figure:
    """Each trial's objective by its number, and the best so far."""
    figure = blank(8, 4.5)
    ax = figure.subplots()
    shown = {state: _points(sweep, trials, state) for state in ("complete", "stopped")}
    ax.scatter(*shown["complete"], color=TRAIN, label="complete", zorder=3)
    if len(shown["stopped"][0]):
        ax.scatter(
            *shown["stopped"], color=TRAIN, marker="x", alpha=0.5, label="stopped early, as it was then"
        )
    numbers, values = shown["complete"]
    best = np.maximum.accumulate(values) if sweep.higher_is_better else np.minimum.accumulate(values)
    ax.step(numbers, best, color=VALIDATION, where="post", label="best so far")
    if failed := [trial.number for trial in trials if trial.state == "failed"]:
        ax.scatter(
            failed,
            np.full(len(failed), 0.02),
            color="grey",
            marker="v",
            transform=ax.get_xaxis_transform(),
            label="failed",
        )
    if not sweep.higher_is_better and max(values) > EDGE * best[-1]:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="trial", ylabel=NAMES[sweep.objective], title=f"The sweep of {sweep.model}, trial by trial")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    return figure


@styled
def parallel(sweep: Sweep, trials: Sequence[Trial]) -> Figure:
    """A line for each complete trial across an axis for each parameter, and the objective's at the right."""
    complete = [trial for trial in trials if trial.state == "complete"]
    objective = np.array([trial.objective(sweep.objective) for trial in complete])
    order = np.argsort(objective if sweep.higher_is_better else -objective, kind="stable")  # the best on top
    worst, best = objective[order[0]], objective[order[-1]]
    beyond = not sweep.higher_is_better and worst > EDGE * best
    if beyond:
        worst = EDGE * best
    objective_axis = np.clip((objective - worst) / (best - worst or 1.0), 0.0, 1.0)
    axes = [_places(sweep.space[key], [trial.parameters[key] for trial in complete]) for key in sweep.space]
    across = np.array([*axes, objective_axis])

    figure = blank(max(8, 1.6 * len(across) + 1), 5)
    ax = figure.subplots()
    colours = colormaps["Blues"]
    for at in order:
        is_best = at == order[-1]
        ax.plot(
            across[:, at],
            color=VALIDATION if is_best else colours(0.3 + 0.7 * objective_axis[at]),
            linewidth=3 if is_best else 1.2,
            alpha=1 if is_best else 0.7,
        )
    for at, (key, dimension) in enumerate(sweep.space.items()):
        ax.vlines(at, 0, 1, color="black", linewidth=0.8)
        for place, text in _ticks(dimension):
            ax.text(at - 0.05, place, text, fontsize=9, ha="right", va="center", bbox=BEHIND, zorder=4)
        ax.text(at, 1.06, key.replace(".", ".\n"), ha="center", va="bottom")
    last = len(sweep.space)
    ax.vlines(last, 0, 1, color="black", linewidth=0.8)
    for place, text in ((0.0, f"{worst:.4f}{' or more' if beyond else ''}"), (1.0, f"{best:.4f}")):
        ax.text(last + 0.04, place, text, fontsize=9, ha="left", va="center")
    ax.text(last, 1.06, NAMES[sweep.objective].replace(", ", ",\n"), ha="center", va="bottom")
    ax.set(xlim=(-0.6, last + 0.6), ylim=(-0.04, 1.2))
    ax.set_axis_off()
    ax.set_title(f"{len(complete)} complete trials of {sweep.model}; the best is drawn bold")
    return figure


@styled
def bars(importance: Mapping[str, float], title: str) -> Figure:
    """How much each parameter matters to be among the best (PED-ANOVA), the most important first."""
    figure = blank(8, 1.6 + 0.4 * len(importance))
    ax = figure.subplots()
    ordered = sorted(importance.items(), key=lambda item: item[1])
    names, shares = zip(*ordered, strict=True)
    ax.barh(names, shares, color=TRAIN)
    for at, share in enumerate(shares):
        ax.text(share + 0.01, at, f"{share:.0%}", va="center")
    ax.set(
        xlim=(0, max(shares) * 1.15), xlabel="share of what sets the best complete trials apart", title=title
    )
    return figure


def _points(
    sweep: Sweep, trials: Sequence[Trial], state: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    chosen = [trial for trial in trials if trial.state == state]
    return (
        np.array([trial.number for trial in chosen], np.int64),
        np.array([trial.objective(sweep.objective) for trial in chosen], np.float64),
    )


def _places(dimension: Dimension, values: Sequence[Any]) -> NDArray[np.float64]:
    """Where values stand on an axis from 0 to 1."""
    if dimension.choices is not None:
        last = max(len(dimension.choices) - 1, 1)
        return np.array([dimension.choices.index(value) / last for value in values])
    scale = np.log if dimension.log_range else np.asarray
    low, high = scale(np.array(dimension.ends, np.float64))
    return np.asarray((scale(np.array(values, np.float64)) - low) / (high - low))


def _ticks(dimension: Dimension) -> list[tuple[float, str]]:
    values = dimension.ends
    if dimension.choices is None:
        low, high = values
        values = [low, float(np.sqrt(low * high)) if dimension.log_range else (low + high) / 2, high]
    places = _places(dimension, values).tolist()
    return list(zip(places, (in_words(value, 3) for value in values), strict=True))
