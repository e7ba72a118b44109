"""Train the trials of a sweep as Ray tasks, on the cores of this machine or of a cluster."""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports to its makers otherwise

import grpc
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import FIGURES, Results, Trial
from digits.cli.sweep.search import Search
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.history import Period
from digits.core.params import Recipe
from digits.evaluate.environment import fingerprint

#: Seconds to wait for a cluster's answer.
PATIENCE = 10.0
#: How often a trial is trained again when its worker or node is lost.
RETRIES = 3
#: Trials that one process trains: TensorFlow keeps some 3 MB of each.
TRIALS_PER_PROCESS = 50
PACKAGE = Path(__file__).parents[2]
Splits = tuple[Examples, Examples]  # train and validation


@contextmanager
def connected(address: str | None, cores: int | None = None) -> Iterator[None]:
    """Run the block with Ray on ``cores`` of this machine (None: all), or on the cluster at ``address``."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            # Ray would keep a token in the home folder otherwise.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
        else:
            _connect(address, quiet)
        yield
    finally:
        ray.shutdown()


def _connect(address: str, quiet: dict[str, Any]) -> None:
    try:
        if os.environ.get("RAY_USE_TLS") != "1":
            # Ray itself waits two minutes for a server that doesn't answer.
            with grpc.insecure_channel(address.removeprefix("ray://")) as channel:
                grpc.channel_ready_future(channel).result(timeout=PATIENCE)
        # The code travels with the job: a worker needs the libraries, and no checkout.
        code = {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"]}
        ray.init(address, runtime_env=code, **quiet)
    except (grpc.FutureTimeoutError, ConnectionError, RuntimeError, ValueError) as error:
        found = str(error).partition("\n")[0] or f"no answer of a cluster in {PATIENCE:g} seconds"
        expected = "a Ray cluster's host:6379 (on one of its nodes) or ray://host:10001 (from anywhere)"
        do = "start it, or fix the address"
        raise InputError(f"--address {address}", found=found, expected=expected, do=do) from None


def train_trials(
    results: Results, splits: Splits, workers: int | None, finished: Callable[[Trial], None]
) -> None:
    """Train the trials that ``results`` lacks, on the connected Ray; write each as it ends."""
    sweep = results.sweep
    waiting = [number for number in range(sweep.trials, 0, -1) if number not in results.trials]
    # On the driver's own node, since another may be lost.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(Search)
    search = actor.options(num_cpus=0, scheduling_strategy=here).remote(sweep, results.ordered)
    task: Any = ray.remote(num_cpus=1, max_retries=RETRIES, max_calls=TRIALS_PER_PROCESS)(_trial)
    stored, libraries = ray.put(splits), versions()
    deadline = time.monotonic() + sweep.minutes * 60 if sweep.minutes else float("inf")
    running: dict[Any, tuple[int, dict[str, Any]]] = {}
    while (waiting or running) and time.monotonic() < deadline:
        cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
        while waiting and len(running) < (workers or cores):
            number = waiting.pop()
            parameters = ray.get(search.ask.remote(number))
            begun = task.remote(search, libraries, number, parameters, sweep, results.base, stored)
            running[begun] = number, parameters
        for ended in ray.wait(list(running), timeout=1)[0]:
            number, parameters = running.pop(ended)
            try:
                trial = ray.get(ended)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayError as error:
                reason = f"its worker was lost {RETRIES + 1} times ({type(error).__name__})"
                trial = Trial(number, parameters, "failed", reason=reason)
            ray.get(search.tell.remote(trial))
            results.trials[number] = trial
            results.write()
            finished(trial)


def _trial(search: Any, expected: dict[str, str], number: int, *trial: Any) -> Trial:
    """Train one trial in a worker."""
    worker = f"{ray.util.get_node_ip_address()}:{os.getpid()}"  # type: ignore[no-untyped-call]
    check_versions(expected, worker)

    def goes_on(period: int, objective: float) -> bool:
        return bool(ray.get(search.goes_on.remote(number, period, objective)))

    return run_trial(number, *trial, goes_on=goes_on, worker=worker)


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a trial's result depends on."""
    here = fingerprint()
    return {"python": here["python"]["version"], **here["packages"]}


def check_versions(expected: dict[str, str], worker: str) -> None:
    """Raise an InputError if a worker has other libraries than the sweep was started with."""
    for name, version in versions().items():
        if version != expected.get(name):
            wanted = f"{expected.get(name, 'none')}, as where the sweep was started"
            do = "install the same requirements.txt on all nodes"
            raise InputError(f"worker {worker}", found=f"{name} {version}", expected=wanted, do=do)


class _Stopped(Exception):
    pass


def run_trial(
    number: int,
    parameters: dict[str, Any],
    sweep: Sweep,
    base: Recipe,
    splits: Splits,
    *,
    goes_on: Callable[[int, float], bool],
    worker: str,
) -> Trial:
    """Train one trial; ``goes_on(period, objective)`` is asked after each period of the first training."""
    from digits.train.backend import keras
    from digits.train.training import train

    start = time.monotonic()
    objectives: list[float] = []
    last: dict[int, Period] = {}  # by seed
    weights = hashlib.sha256()
    state, reason = "complete", ""

    def report(period: Period) -> None:
        last[recipe.seed] = period
        if recipe.seed == sweep.seeds[0]:
            # Rounded as in trials.csv: a resumed sweep then decides as one that wasn't interrupted.
            objectives.append(round(getattr(period.validation, sweep.objective), 6))
            if not goes_on(period.period, objectives[-1]) and period.step < recipe.steps:
                raise _Stopped

    try:
        for recipe in sweep.recipes(base, parameters):
            for variable in train(recipe, *splits, report=report).model.weights:
                weights.update(variable.numpy().tobytes())
    except _Stopped:
        state = "stopped"
    except Exception as error:  # a training that fails is a result, too
        state, reason = "failed", str(error) if isinstance(error, InputError) else repr(error)[:200]
    keras.backend.clear_session()  # or each network stays in memory
    figures = {}
    for name in FIGURES if state != "failed" else ():
        split, _, metric = name.partition("_")
        figures[name] = round(mean(getattr(getattr(period, split), metric) for period in last.values()), 6)
    digest = weights.hexdigest() if state == "complete" else ""
    seconds = time.monotonic() - start
    return Trial(number, parameters, state, objectives, figures, digest, seconds, worker, reason)
