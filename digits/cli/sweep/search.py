"""Choose the parameters of trials and draw the figures, with Optuna."""

import json
import warnings
from typing import Any

import optuna
from optuna import distributions, samplers
from ray.tune.search.optuna import OptunaSearch

from digits.cli.flattening import flat
from digits.cli.sweep.results import Results, Trial

#: Importance (PED-ANOVA) compares the best tenth of the trials with all; of fewer, a tenth is one trial.
LEAST_FOR_IMPORTANCE = 20

optuna.logging.set_verbosity(optuna.logging.ERROR)


def optuna_search(results: Results) -> OptunaSearch:
    """Optuna as Tune's search algorithm, which knows the trials that are there."""
    # A resumed sweep gets another seed: with the same one it would draw its first trials again.
    seed = results.sweep.seed + len(results.trials)
    sampler = samplers.RandomSampler if results.sweep.search == "random" else samplers.TPESampler
    search = OptunaSearch(_space(results), "objective", results.sweep.mode, sampler=sampler(seed=seed))
    for trial in results.trials:
        search.add_evaluated_point(_point(results, trial), results.objective(trial))
    return search


def from_optuna(config: dict[str, Any]) -> dict[str, Any]:
    """Parameters as params.yaml has them; Optuna gets choices as JSON, since it doesn't accept lists."""
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in config.items()}


def draw(results: Results) -> None:
    """Draw history.png and, with enough trials, importance.png; write the importance to summary.json.

    Failed trials are left out; stopped ones count with the value that they had reached.
    """
    import optuna.visualization.matplotlib as plots
    from matplotlib import pyplot, style

    study = optuna.create_study(direction="maximize" if results.sweep.mode == "max" else "minimize")
    ended = [trial for trial in results.trials if trial["state"] != "failed"]
    for trial in ended:
        point, value = _point(results, trial), results.objective(trial)
        study.add_trial(optuna.create_trial(params=point, distributions=_space(results), value=value))
    # Optuna counts from 0, and doesn't know of the failed trials.
    names = dict(enumerate(str(trial["trial"]) for trial in ended))
    kinds: Any = {"history": plots.plot_optimization_history}
    if len(ended) >= LEAST_FOR_IMPORTANCE and len(set(map(results.objective, ended))) > 1:
        results.importance = optuna.importance.get_param_importances(study)
        kinds["importance"] = plots.plot_param_importances
    results.write()
    with style.context("default"), warnings.catch_warnings(action="ignore"):  # of experimental functions
        pyplot.rcParams.update({"figure.dpi": 150, "figure.figsize": (8, 5)})
        for kind, plot in kinds.items():
            figure = plot(study, target_name=f"{results.sweep.objective} of {len(ended)} trials").figure
            if kind == "history":
                figure.axes[0].xaxis.set_major_formatter(lambda place, _: names.get(place, ""))
                if results.sweep.mode == "min":
                    figure.axes[0].set_yscale("log")
            figure.savefig(results.folder / f"{kind}.png", bbox_inches="tight", metadata={"Software": None})
        pyplot.close("all")


def _point(results: Results, trial: Trial) -> dict[str, Any]:
    return {k: json.dumps(trial[k]) if it.choices else trial[k] for k, it in results.sweep.space.items()}


def _space(results: Results) -> dict[str, distributions.BaseDistribution]:
    space: dict[str, distributions.BaseDistribution] = {}
    for key, it in results.sweep.space.items():
        integer = isinstance(flat(results.parameters.model_dump()).get(key), int)
        kind: Any = distributions.IntDistribution if integer else distributions.FloatDistribution
        choices = [json.dumps(choice) for choice in it.choices or ()]
        log = it.log_range is not None
        space[key] = distributions.CategoricalDistribution(choices) if choices else kind(*it.ends, log=log)
    return space
