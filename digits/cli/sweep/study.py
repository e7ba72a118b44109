"""What a sweep tries next, and what it gives up: Optuna's search and halving, over trials by number."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from digits.cli.sweep.definition import Dimension, StopEarly, Sweep
from digits.cli.sweep.results import Trial
from digits.train.hiding import hidden

#: Trials drawn at random before the search learns from them.
STARTUP = 10
#: Complete trials without which nothing is said of what matters.
TELLING = 5


class Study:
    """A search in the space of ``sweep``, that knows the ``finished`` trials of an earlier run.

    A trial's parameters depend on the sweep's seed and its number, and but for the first trials and for a
    random search on those that are known by then: on one worker a sweep is the same each time; on more,
    the order in which trials finish plays a part.
    """

    def __init__(self, sweep: Sweep, finished: Iterable[Trial]) -> None:
        self.sweep = sweep
        self.distributions = {
            key: _distribution(dimension, whole=sweep.of_whole_numbers(key))
            for key, dimension in sweep.space.items()
        }
        self.study = _study(sweep.higher_is_better)
        self.running: dict[int, optuna.Trial] = {}
        for trial in finished:
            self.study.add_trial(self._frozen(trial))

    def ask(self, number: int) -> dict[str, Any]:
        """The parameters of the trial of that number."""
        seed = int(np.random.SeedSequence([self.sweep.seed, number]).generate_state(1)[0])
        self.study.sampler = (
            optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
            if self.sweep.search == "tpe"
            else optuna.samplers.RandomSampler(seed)
        )
        self.running[number] = trial = self.study.ask(self.distributions)
        return {key: self._value(key, trial.params[key]) for key in self.sweep.space}

    def tell(self, trial: Trial) -> None:
        """Learn what a trial came to. One that failed counts as worse than all others."""
        running = self.running.pop(trial.number)
        for period, objective in enumerate(trial.periods, start=1):
            running.report(objective, period)
        if trial.state == "complete":
            self.study.tell(running, trial.objective(self.sweep.objective))
        else:
            self.study.tell(running, state=TrialState.PRUNED)

    def importance(self) -> dict[str, float]:
        """How much each parameter matters to be among the best: shares that add up to 1 (PED-ANOVA).

        Empty where complete trials are too few to say.
        """
        complete = self.study.get_trials(states=[TrialState.COMPLETE])
        if len(complete) < TELLING or len({trial.value for trial in complete}) == 1:
            return {}
        with hidden("sklearn"):  # which other ways of telling need, and which takes a second to import
            shares = optuna.importance.get_param_importances(self.study)
        return {key: float(share) for key, share in shares.items()} if any(shares.values()) else {}

    def _frozen(self, trial: Trial) -> optuna.trial.FrozenTrial:
        parameters = {key: self._known(key, value) for key, value in trial.parameters.items()}
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED,
            value=trial.objective(self.sweep.objective) if trial.state == "complete" else None,
            params=parameters,
            distributions=self.distributions,
            intermediate_values=dict(enumerate(trial.periods, start=1)),
        )

    def _value(self, key: str, known: Any) -> Any:
        choices = self.sweep.space[key].choices
        return known if choices is None else choices[known]

    def _known(self, key: str, value: Any) -> Any:
        choices = self.sweep.space[key].choices
        return value if choices is None else choices.index(value)


class Halving:
    """Which of the trials that have come so far go on: asynchronous successive halving (Li et al. 2020).

    After the rule's ``periods``, ``keep`` times as many, … a trial is held against all that came there
    before it, the ``finished`` ones of an earlier run among them.
    """

    def __init__(self, rule: StopEarly, finished: Iterable[Trial], *, higher_is_better: bool) -> None:
        pruner = optuna.pruners.SuccessiveHalvingPruner(rule.periods, rule.keep)
        self.study = _study(higher_is_better, pruner)
        self.trials: dict[int, optuna.Trial] = {}
        self.said: dict[tuple[int, int], bool] = {}
        for trial in finished:
            for period, objective in enumerate(trial.periods, start=1):
                self.goes_on(trial.number, period, objective)

    def goes_on(self, number: int, period: int, objective: float) -> bool:
        """Whether a trial that has come to this after ``period`` is worth going on with."""
        if (number, period) not in self.said:  # else it is trained once more, its first worker being lost
            if number not in self.trials:
                self.trials[number] = self.study.ask()
            self.trials[number].report(objective, period)
            self.said[number, period] = not self.trials[number].should_prune()
        return self.said[number, period]


def _study(higher_is_better: bool, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize" if higher_is_better else "minimize", pruner=pruner)


def _distribution(dimension: Dimension, *, whole: bool) -> BaseDistribution:
    if dimension.choices is not None:
        # Their places: Optuna takes no lists.
        return CategoricalDistribution(range(len(dimension.choices)))
    low, high = dimension.ends
    log = dimension.log_range is not None
    if whole:
        return IntDistribution(low, high, log=log, step=int(dimension.step or 1))
    return FloatDistribution(low, high, log=log, step=dimension.step)
