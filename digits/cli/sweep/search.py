"""Choose the parameters of trials, stop poor ones early, and draw the figures, with Optuna."""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna import distributions, pruners, samplers
from optuna.trial import TrialState

from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import Trial
from digits.core.files import replacing

#: Fewer complete trials than this say nothing about importance.
LEAST_COMPLETE = 5


class Search:
    """Optuna's study of a sweep, whose trials go by their number.

    A trial's parameters depend on the sweep's seed, on its number and, but for the first ten trials and
    for a random search, on the trials known by then: at first the ``finished`` ones of an earlier run.
    """

    def __init__(self, sweep: Sweep, finished: Iterable[Trial] = ()) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        rule = sweep.stop_early
        pruner = pruners.SuccessiveHalvingPruner(rule.periods, rule.keep) if rule else pruners.NopPruner()
        self.sweep = sweep
        self.study = optuna.create_study(
            direction="maximize" if sweep.higher_is_better else "minimize", pruner=pruner
        )
        self.distributions = {key: _distribution(sweep, key) for key in sweep.space}
        self.running: dict[int, optuna.Trial] = {}
        for trial in finished:
            known = trial.parameters.items()
            self.study.enqueue_trial(
                {key: json.dumps(value) if sweep.space[key].choices else value for key, value in known}
            )
            self.ask(trial.number)
            for period, objective in enumerate(trial.objectives, start=1):
                self.goes_on(trial.number, period, objective)
            self.tell(trial)

    def ask(self, number: int) -> dict[str, Any]:
        """The parameters of the trial of that number."""
        seed = int(np.random.SeedSequence([self.sweep.seed, number]).generate_state(1)[0])
        sampler = samplers.RandomSampler if self.sweep.search == "random" else samplers.TPESampler
        self.study.sampler = sampler(seed=seed)
        self.running[number] = self.study.ask(self.distributions)
        chosen = {key: self.running[number].params[key] for key in self.sweep.space}
        return {key: json.loads(value) if isinstance(value, str) else value for key, value in chosen.items()}

    def goes_on(self, number: int, period: int, objective: float) -> bool:
        """Whether a trial with this objective after ``period`` is worth going on with."""
        self.running[number].report(objective, period)
        return not self.running[number].should_prune()

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial. One that failed counts as worse than all others."""
        complete = trial.state == "complete"
        value = trial.objective(self.sweep) if complete else None
        state = TrialState.COMPLETE if complete else TrialState.PRUNED
        self.study.tell(self.running.pop(trial.number), value, state)

    def importance(self) -> dict[str, float]:
        """Each parameter's share in being among the best (PED-ANOVA); empty if too few are complete."""
        complete = self.study.get_trials(states=[TrialState.COMPLETE])
        if len(complete) < LEAST_COMPLETE or len({trial.value for trial in complete}) == 1:
            return {}
        return {
            key: float(share) for key, share in optuna.importance.get_param_importances(self.study).items()
        }

    def draw(self, folder: Path) -> None:
        """Write history.png, parallel.png and, where enough trials are complete, importance.png."""
        import matplotlib
        import optuna.visualization.matplotlib as plots
        from matplotlib import pyplot, style

        matplotlib.use("agg")  # pyplot opens windows otherwise
        name = f"validation {self.sweep.objective}"
        (folder / "importance.png").unlink(missing_ok=True)
        with style.context("default"), warnings.catch_warnings(action="ignore"):  # of experimental functions
            axes: dict[str, Any] = {"history": plots.plot_optimization_history(self.study, target_name=name)}
            axes["history"].set(
                xlabel="trials before", yscale="linear" if self.sweep.higher_is_better else "log"
            )
            axes["parallel"] = plots.plot_parallel_coordinate(self.study, target_name=name)
            if self.importance():
                axes["importance"] = plots.plot_param_importances(self.study, target_name=name)
            for kind, ax in axes.items():
                ax.figure.set_size_inches(12, 6)
                with replacing(folder / f"{kind}.png") as partial:
                    ax.figure.savefig(partial, bbox_inches="tight", metadata={"Software": None})
            pyplot.close("all")


def _distribution(sweep: Sweep, key: str) -> distributions.BaseDistribution:
    dimension = sweep.space[key]
    if dimension.choices:  # as JSON, since Optuna's choices can't be lists
        return distributions.CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    (low, high), log, step = dimension.ends, dimension.log_range is not None, dimension.step
    if sweep.is_integer(key):
        return distributions.IntDistribution(low, high, log=log, step=int(step or 1))
    return distributions.FloatDistribution(low, high, log=log, step=step)
