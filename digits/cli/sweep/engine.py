"""The loop of a sweep, and the Ray cluster that it hands its trials to: this machine's cores, or many nodes'.

A trial is a Ray task, which Ray gives to any free core, and to another when its node is lost. Ray keeps a
worker's process for the next task, so each imports TensorFlow once; the data lie in its object store, once
for each node.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # says nothing to anybody
# Of ten seconds to find its own store in, a node takes a whole one where it isn't there at the first look.
os.environ.setdefault("RAY_raylet_client_connect_timeout_milliseconds", "50")
os.environ.setdefault("RAY_raylet_client_num_connect_attempts", "200")

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from digits.cli.sweep.definition import FOLDER, Sweep
from digits.cli.sweep.results import Results, Trial
from digits.cli.sweep.study import Halving, Study
from digits.cli.sweep.trial import Outcome, check_versions, run_trial, versions
from digits.core.errors import InputError
from digits.core.examples import Examples

#: Seconds to wait for a cluster's answer.
PATIENCE = 10.0
#: How often a trial is begun anew when its worker or node is lost.
RETRIES = 3
#: Trials that a process trains before another takes its place: TensorFlow keeps the graph of each, 3 MB.
TRIALS_EACH = 50
PACKAGE = Path(__file__).parents[2]


@contextmanager
def connected(address: str | None, cores: int | None = None) -> Iterator[None]:
    """Ray while the block runs: its own processes on this machine, or a cluster that is there.

    Args:
        address: of the cluster: ``host:6379`` from one of its nodes, ``ray://host:10001`` from anywhere.
        cores: of this machine that are used without a cluster; None: all.

    Raises:
        InputError: nothing there answers as a cluster, or one of another version.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if address is None:
            # Else Ray makes a token for all clusters in the home folder, which may be nobody's to write to.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
            # Of one machine there is nothing to scale, and what would do so takes a second to end.
            node: Any = ray._private.worker._global_node
            with suppress(AttributeError):  # of a later Ray: then a second it is
                node.kill_monitor(check_alive=False)
        else:
            _connect(address, quiet)
        # Ray has put a handler of its own there, which prints a trace and leaves workers behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield
    finally:
        # It takes half a second, and leaves processes if it is cut off.
        before = {of: signal.signal(of, signal.SIG_IGN) for of in (signal.SIGINT, signal.SIGTERM)}
        ray.shutdown()
        for of, handler in before.items():
            signal.signal(of, handler)


def _connect(address: str, quiet: dict[str, Any]) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    where = f"--address {address}"
    expected = "a Ray cluster's host:6379 (on one of its nodes) or ray://host:10001 (from anywhere)"
    if not host or not port.isdecimal():
        raise InputError(where, found="no host:port", expected=expected, do="mend it")

    def refused(found: str) -> InputError:
        return InputError(where, found=found, expected=expected, do="start it, or mend the address")

    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE / 2).close()
    except OSError as error:
        raise refused(f"no answer ({error})") from None
    # The code travels with the job: a worker needs the libraries, and no checkout.
    code = {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"]}
    try:
        with _ending_within(PATIENCE, refused(f"no answer of a cluster in {PATIENCE:g} seconds")):
            ray.init(address, runtime_env=code, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise refused(str(error).splitlines()[0]) from None


@contextmanager
def _ending_within(seconds: float, error: InputError) -> Iterator[None]:
    """Unless the block ends in time, end the process with the error's line.

    Ray waits for a server that isn't one in a call that no exception gets out of.
    """

    def end() -> None:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def search(
    results: Results,
    train: Examples,
    validation: Examples,
    *,
    workers: int | None,
    finished: Callable[[Trial], None],
) -> dict[str, float]:
    """Train what the sweep still lacks, on the Ray that is connected; gives the parameters' importance.

    Args:
        results: where each trial is written down as it ends, and what is known of earlier ones.
        train: what trials learn from.
        validation: what they are judged by.
        workers: trials at a time; None: as many as the cluster has cores, now and later.
        finished: called after each trial.

    Raises:
        InputError: a worker has other libraries.
    """
    sweep = results.sweep
    waiting = deque(number for number in range(1, sweep.trials + 1) if number not in results.trials)
    begin = ray.remote(num_cpus=1)(_begin)
    for _ in range(min(workers or _cores(), len(waiting))):
        begin.remote()  # while the first trials are chosen
    study = Study(sweep, results.ordered)
    halving = _halving_here(sweep, results.ordered) if sweep.stop_early else None
    splits = ray.put(train), ray.put(validation)
    task = ray.remote(num_cpus=1, max_retries=RETRIES, max_calls=TRIALS_EACH)(_trial)
    deadline = time.monotonic() + sweep.minutes * 60 if sweep.minutes else float("inf")
    running: dict[Any, tuple[int, dict[str, Any]]] = {}
    while waiting or running:
        while waiting and len(running) < (workers or _cores()):
            number = waiting.popleft()
            parameters = study.ask(number)
            begun = task.remote(sweep, results.base, number, parameters, *splits, halving, versions())
            running[begun] = number, parameters
        done, _ = ray.wait(list(running), timeout=1)
        for of_task in done:
            trial = Trial(*running.pop(of_task), _outcome(of_task))
            study.tell(trial)
            results.add(trial)
            finished(trial)
        if time.monotonic() > deadline:
            break  # what is being trained isn't written down: the limit is one
    return study.importance()


def _cores() -> int:
    """Of all nodes that are there: they may come and go."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 0)))


def _halving_here(sweep: Sweep, known: Sequence[Trial]) -> Any:
    """An actor, which workers can ask; where the driver is, since that node must not be lost.

    If its process is, it begins anew, without the trials of this run so far.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(num_cpus=0, max_restarts=RETRIES, max_task_retries=RETRIES)(Halving)
    placed = actor.options(scheduling_strategy=here)
    return placed.remote(sweep.stop_early, known, higher_is_better=sweep.higher_is_better)


def _begin() -> None:
    """What a worker does once, and what takes a second."""
    import digits.train.training  # noqa: F401


def _trial(
    sweep: Sweep,
    base: Any,
    number: int,
    parameters: dict[str, Any],
    train: Examples,
    validation: Examples,
    halving: Any,
    expected: dict[str, str],
) -> Outcome:
    """What a worker does."""
    worker = f"{ray.util.get_node_ip_address()}:{os.getpid()}"  # type: ignore[no-untyped-call]
    check_versions(expected, worker)
    try:
        recipes = sweep.recipes(base, parameters, FOLDER)
    except InputError as error:  # each is right by itself, but not together
        return Outcome("failed", [], {}, "", 0.0, worker, str(error))

    def goes_on(period: int, value: float) -> bool:
        try:
            return halving is None or ray.get(halving.goes_on.remote(number, period, value))
        except ray.exceptions.RayActorError:  # lost RETRIES times more: nobody says no
            return True

    return run_trial(
        recipes,
        train,
        validation,
        objective=sweep.objective,
        goes_on=goes_on,
        worker=worker,
    )


def _outcome(of_task: Any) -> Outcome:
    """Of a task that ended.

    Raises:
        InputError: its worker has other libraries.
    """
    try:
        outcome: Outcome = ray.get(of_task)
        return outcome
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:  # lost RETRIES times more
        reason = f"its worker was lost {RETRIES + 1} times ({type(error).__name__}): not enough memory?"
        return Outcome("failed", [], {}, "", 0.0, "", reason)
