"""Train the trials of a sweep with Ray Tune, on the cores of this machine or of a cluster."""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray reports to its makers otherwise
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a table even with verbose=0
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no files of each trial
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "600",  # if a trial takes longer to end, Tune drops the next one
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends at once
}

import grpc
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits.cli.output import show
from digits.cli.sweep.results import EMPTY, METRICS, PACKAGE, Results, Trial, versions
from digits.cli.sweep.search import from_optuna, optuna_search
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.history import Period

Splits = dict[str, Examples]  # train and validation
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}


@contextmanager
def connected(address: str | None, cores: int | None = None) -> Iterator[str]:
    """Run the block with Ray on ``cores`` of this machine (None: all) or at ``address``; yield a folder."""
    # The names of Ray's sockets, of 107 letters at most, have no room for a long TMPDIR.
    short = "/tmp" if os.name == "posix" else None  # noqa: S108
    with TemporaryDirectory(prefix="digits-sweep-", dir=short, ignore_cleanup_errors=True) as folder:
        try:
            if address:
                _join(address)
            else:
                os.environ["RAY_TMPDIR"] = folder
                # Ray would keep a token in the home folder otherwise.
                os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
                ray.init("local", num_cpus=cores, include_dashboard=False, **QUIET)
            here, fix = versions(), "Install the same requirements/sweep.txt on all nodes"
            for node in (node for node in ray.nodes() if node["Alive"]):
                place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                there = ray.get(ray.remote(num_cpus=0, scheduling_strategy=place)(versions).remote())
                for name in (name for name in here if here[name] != there.get(name)):
                    problem = f"expected {name} {here[name]}, as on this node, found {there.get(name)}"
                    raise InputError(f"node {node['NodeManagerAddress']}", problem, fix)
            yield folder
        finally:
            ray.shutdown()


def _join(address: str) -> None:
    try:
        if os.environ.get("RAY_USE_TLS") != "1":
            # Ray itself waits two minutes for a server that doesn't answer.
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=10)
        # The code travels with the job: a worker needs the libraries, and no checkout.
        job: dict[str, Any] = {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"]}
        job["env_vars"] = {name: value for name, value in os.environ.items() if name.startswith("TUNE_")}
        ray.init(address, runtime_env=job, **QUIET)
    except (grpc.FutureTimeoutError, ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "no answer in 10 seconds"
        problem = f"expected the host:6379 of a Ray cluster, on one of its nodes ({reason})"
        raise InputError(f"--address {address}", problem, "Start it, or correct the address") from None


class _Writer(tune.Callback):  # type: ignore[misc]  # Ray has few types
    """Writes and prints each trial as it ends."""

    def __init__(self, results: Results) -> None:
        self.results = results

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if trial.last_result.get("done"):  # else the time limit cut it off
            self._add(trial, trial.last_result["row"])

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if trial.num_failures > 3:  # else a node was lost between two trials: no row
            self._add(trial, {"state": "failed", "reason": "its worker was lost 4 times"})

    def _add(self, trial: Any, row: Trial) -> None:
        trials, number = self.results.trials, len(self.results.trials) + 1
        trials.append(EMPTY | row | {"trial": number} | from_optuna(trial.config))
        self.results.write()
        best = trials[-1] is self.results.best
        show(self.results.lines(trials[-1], ", best so far" if best else ""))


def train_trials(results: Results, splits: Splits, workers: int | None, folder: str, seconds: float) -> None:
    """Train trials that ``results`` lacks, at most 50 for each worker, and write each as it ends."""
    sweep, rule, missing = results.sweep, results.sweep.stop_early, results.sweep.trials - len(results.trials)
    at_a_time = workers or int(ray.cluster_resources().get("CPU", 1))
    halving = rule and ASHAScheduler(
        "period", "objective", sweep.mode, 100_000, grace_period=rule.periods, reduction_factor=rule.keep
    )
    retry, writer = tune.FailureConfig(max_failures=3), _Writer(results)
    tuner = tune.Tuner(
        tune.with_parameters(run_trial, results=results, splits=splits),
        run_config=tune.RunConfig(None, folder, failure_config=retry, callbacks=[writer], verbose=0),
        tune_config=tune.TuneConfig(
            search_alg=optuna_search(results),
            scheduler=halving,
            num_samples=min(missing, 50 * at_a_time),  # TensorFlow keeps some 15 MB of each trial
            max_concurrent_trials=at_a_time,
            time_budget_s=seconds,
            reuse_actors=True,  # TensorFlow starts once in each
        ),
    )
    tuner.fit()


def run_trial(config: Trial, results: Results, splits: Splits, report: Any = tune.report) -> None:
    """Train one trial; report each period of the first training, and how it ended."""
    from digits.train.backend import keras
    from digits.train.training import train

    start, weights = time.monotonic(), hashlib.sha256()
    last: dict[int, Period] = {}  # by seed

    def tell(state: str, **more: str) -> None:
        row: Trial = {"state": state, "seconds": round(time.monotonic() - start, 2), **more}
        row["last_period"] = max((period.period for period in last.values()), default=0)
        row["worker"] = f"{ray.util.get_node_ip_address()}:{os.getpid()}"
        for name in METRICS if state != "failed" else ():
            row[name] = round(mean(map(attrgetter(name.replace("_", ".", 1)), last.values())), 6)
        report({"row": row, "objective": results.objective(row), "period": row["last_period"]})

    def after_period(period: Period) -> None:
        last[recipe.seed] = period
        if recipe.seed == results.sweep.seeds[0] and period.step < recipe.steps:
            tell("stopped")  # if it is stopped after this report, this is its row

    try:
        for recipe in results.sweep.recipes(results.parameters, from_optuna(config)):
            for variable in train(recipe, *splits.values(), report=after_period).model.weights:
                weights.update(variable.numpy().tobytes())
        tell("complete", weights_sha256=weights.hexdigest())
    except Exception as error:  # a failed training is a result; what Tune stops a trial with is no Exception
        tell("failed", reason=str(error) if isinstance(error, InputError) else repr(error)[:200])
    finally:
        keras.backend.clear_session()  # or each network stays in memory
