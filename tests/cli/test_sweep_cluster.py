"""Sweeps on Ray: on this machine, on two nodes of which one is lost, and what is said where there is none."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from digits.cli.sweep import engine
from digits.cli.sweep import run as command
from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import Results, Trial
from digits.cli.sweep.trial import versions
from digits.core.errors import InputError
from tests import tiny
from tests.cli.test_sweep import SPLITS
from tests.conftest import REPOSITORY
from tests.exports import digest_of_weights
from tests.test_pipeline import clone, dvc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's"),
]

TRIALS = 16
#: Each takes half a second: time to be killed in. Random: the same trials, however many workers there are.
SWEEP = {
    "model": "dnn",
    "trials": TRIALS,
    "search": "random",
    "space": {
        "hidden_units": {"choices": [[16], [8, 8]]},
        "learning_rate": {"log_range": [0.01, 0.2]},
        "steps": {"choices": [2000]},
    },
}

#: What is still there after a driver was killed.
AGENTS: list[psutil.Process] = []


def sweep(folder: Path, *words: str, within: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
    """``digits sweep``, in a process group of its own."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "digits", "sweep", *words],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    with process:
        output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


def rows(folder: Path) -> dict[str, dict[str, str]]:
    """trials.csv, by trial."""
    path = folder / "metrics/sweeps/mine/trials.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["trial"]: row for row in csv.DictReader(file)}


def results(folder: Path) -> dict[str, tuple[str, ...]]:
    """What must not depend on where and when a trial was trained."""
    told = ("state", "validation_log_loss", "weights_sha256", "hidden_units", "learning_rate")
    return {number: tuple(row[name] for name in told) for number, row in rows(folder).items()}


def wait(condition: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with splits and a sweep, which nothing has run."""
    folder = clone(tmp_path_factory.mktemp("sweep") / "project")
    dvc("repro", "split", cwd=folder)
    (folder / "sweeps/mine.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def alone(project: Path) -> dict[str, tuple[str, ...]]:
    """The results of a sweep on this machine, whose driver is killed, interrupted and terminated."""
    interrupted: list[dict[str, dict[str, str]]] = []
    for number, how in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)):
        process = sweep(project, "run", "mine", *(["--resume"] if number else []))
        reached = 3 * (number + 1)
        wait(lambda reached=reached: len(rows(project)) >= reached, process)  # type: ignore[misc]
        family = psutil.Process(process.pid).children(recursive=True)
        agents = {
            member for member in family if "Agent" in member.name()
        }  # look for Ray's server a minute long
        (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)  # Ctrl-C goes to all
        output = process.communicate()[0]
        if how != signal.SIGKILL:
            assert process.returncode == 130, output
            assert "interrupted; to go on: digits sweep run mine --resume" in output
            assert "Traceback" not in output
        assert not psutil.wait_procs(set(family) - agents, timeout=20)[1]
        AGENTS.extend(agents)
        interrupted.append(rows(project))
    refused = sweep(project, "run", "mine")
    assert "which git doesn't have" in refused.communicate()[0]
    assert refused.returncode == 1
    output = finish(sweep(project, "run", "mine", "--resume"))
    assert f"{TRIALS} of {TRIALS} trials: {TRIALS} complete" in output
    end = rows(project)
    for earlier in interrupted:  # nothing that was finished was trained again
        assert earlier == {number: end[number] for number in earlier}
    return results(project)


def test_a_sweep_goes_on_after_whatever_stops_it(alone: dict[str, tuple[str, ...]]) -> None:
    assert sorted(map(int, alone)) == list(range(1, TRIALS + 1))


def test_its_best_trial_is_what_dvc_repro_trains(alone: dict[str, Any], project: Path) -> None:
    """Every byte of the weights."""
    best = min(rows(project).values(), key=lambda row: float(row["validation_log_loss"]))
    kept = {name: (project / name).read_bytes() for name in ("params.yaml", "dvc.lock")}
    assert "params.yaml: train.dnn.learning_rate" in finish(sweep(project, "apply", "mine"))
    dvc("repro", "train@dnn", cwd=project)
    assert digest_of_weights(project / "models/dnn/model.keras") == best["weights_sha256"]
    for name, content in kept.items():
        (project / name).write_bytes(content)


#: Two machines that share a network, as far as one machine can be two.
NETWORK = """
ip netns add $0-0
ip netns add $0-1
ip link add v0 netns $0-0 type veth peer name v1 netns $0-1
for node in 0 1; do
    ip -n $0-$node addr add 10.99.0.$((node + 1))/24 dev v$node
    ip -n $0-$node link set lo up
    ip -n $0-$node link set v$node up
done
"""
#: Runs a command where there is no checkout, no home and no /tmp of the other's: only the environment.
APART = """
mount --make-rprivate /
kept=$(mktemp -d /var/tmp/digits-XXXXXX)
trap 'rmdir "$kept"' EXIT
mount -t tmpfs none "$kept"
mkdir "$kept/environment" "$kept/python"
mount --bind "$ENVIRONMENT" "$kept/environment"
mount --bind "$PYTHON" "$kept/python"
for hidden in "$CHECKOUT" "$HOME" /tmp; do mount -t tmpfs none "$hidden"; done
mkdir -p "$ENVIRONMENT" "$PYTHON"
mount --bind "$kept/environment" "$ENVIRONMENT"
mount --bind "$kept/python" "$PYTHON"
cd /
test ! -e "$CHECKOUT/digits"
"$@"
"""


class Nodes:
    """A Ray cluster of two nodes with a core each, which share nothing but a network."""

    def __init__(self, log: Path) -> None:
        self.log = log.open("w")
        self.name = f"digits-{os.getpid()}"
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            subprocess.run(["sh", "-ec", NETWORK, self.name], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            pytest.skip(f"two networks on one machine take iproute2 and more rights: {error}")

    def start(self, node: int) -> None:
        """The first is the head, beside the driver; the other has the environment and no checkout."""
        words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--block"]
        if node == 0:
            words += ["--head", "--port=6379", "--include-dashboard=false"]
        else:
            words = ["unshare", "--mount", "sh", "-ec", APART, "sh", *words, f"--address={self.address}"]
        self.processes.append(
            subprocess.Popen(
                self.within(node, *words, f"--node-ip-address=10.99.0.{node + 1}"),
                env=os.environ
                | {
                    "RAY_AUTH_MODE": "disabled",
                    "RAY_USAGE_STATS_ENABLED": "0",
                    "CHECKOUT": str(REPOSITORY),
                    "ENVIRONMENT": sys.prefix,
                    "PYTHON": sys.base_prefix,
                },
                stdout=self.log,
                stderr=subprocess.STDOUT,
            )
        )
        if node == 0:
            wait(lambda: "Ray runtime started" in Path(self.log.name).read_text(), self.processes[0])

    address = "10.99.0.1:6379"

    def within(self, node: int, *words: str) -> list[str]:
        return ["ip", "netns", "exec", f"{self.name}-{node}", *words]

    def kill(self, node: int) -> None:
        """As when the machine is switched off."""
        process = self.processes[node]
        for member in psutil.Process(process.pid).children(recursive=True):
            member.kill()
        process.kill()
        process.wait()

    def close(self) -> None:
        for node, process in enumerate(self.processes):
            if process.poll() is None:
                self.kill(node)
        for node in (0, 1):
            subprocess.run(["ip", "netns", "delete", f"{self.name}-{node}"], capture_output=True)
        self.log.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path / "ray.log")
    try:
        yield nodes
    finally:
        nodes.close()


def test_a_node_is_lost_and_the_sweep_ends_as_if_it_were_not(
    nodes: Nodes, project: Path, alone: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    shutil.rmtree(folder / "metrics/sweeps/mine")
    nodes.start(0)
    nodes.start(1)

    def on(node: int) -> int:
        return sum(row["worker"].startswith(f"10.99.0.{node + 1}:") for row in rows(folder).values())

    words = ["run", "mine", "--address", nodes.address]
    process = sweep(folder, *words, within=nodes.within(0), RAY_AUTH_MODE="disabled")
    wait(lambda: on(0) >= 1 and on(1) >= 2, process)
    nodes.kill(1)
    lost, before = on(1), len(rows(folder))
    assert before < TRIALS, "too late: the sweep has ended"
    assert f"{TRIALS} of {TRIALS} trials: {TRIALS} complete" in finish(process)
    assert results(folder) == alone  # the best among them
    assert on(1) in (lost, lost + 1)  # one may have ended as the node was lost
    assert len({row["worker"] for row in rows(folder).values()}) == 2  # a process for each core, throughout


@pytest.fixture(scope="module")
def one_worker() -> Iterator[None]:
    with engine.connected(None, 1):
        yield


def tiny_results(folder: Path, **settings: Any) -> Results:
    """An empty sweep of a tiny network."""
    base = tiny.recipe(hidden_units=[4], steps=20, periods=10, snapshots=[])
    sweep = Sweep.model_validate({"model": "dnn", "trials": 3, "search": "random"} | settings)
    return Results(folder / "mine", sweep, base, SPLITS, data="tiny")


DIVERGING = {"learning_rate": {"choices": [0.01, 1e6]}}


def test_trials_that_diverge_are_counted(one_worker: None, tmp_path: Path) -> None:
    results = tiny_results(tmp_path, trials=6, space=DIVERGING)
    told: list[Trial] = []
    engine.search(results, *SPLITS, workers=None, finished=told.append)
    assert told == results.ordered
    states = {trial.parameters["learning_rate"]: trial.state for trial in told}
    assert states == {0.01: "complete", 1e6: "failed"}
    assert results.best is not None


def test_the_limit_of_time_ends_a_sweep(one_worker: None, tmp_path: Path) -> None:
    results = tiny_results(tmp_path, trials=10_000, minutes=0.02, space={"dropout": {"range": [0.1, 0.5]}})
    engine.search(results, *SPLITS, workers=None, finished=lambda trial: None)
    assert len(results.trials) < 10_000


def test_who_says_which_trials_go_on_may_be_lost(one_worker: None, tmp_path: Path) -> None:
    space = {"learning_rate": {"log_range": [0.001, 0.1]}}
    results = tiny_results(tmp_path, trials=12, stop_early={"periods": 1, "keep": 2}, space=space)
    lost = []

    def lose(trial: Trial) -> None:
        if len(results.trials) in (2, 4, 6, 8, 10):  # once more than it begins anew
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if process.name().startswith("ray::Halving"):
                        process.kill()
                        lost.append(process.pid)

    engine.search(results, *SPLITS, workers=None, finished=lose)
    assert len(set(lost)) == engine.RETRIES + 1
    assert {trial.state for trial in results.ordered} == {"complete", "stopped"}
    assert {results.trials[number].state for number in (11, 12)} == {"complete"}  # nobody said no


def test_a_worker_with_other_libraries_ends_it(
    one_worker: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tiny_results(tmp_path, space=DIVERGING)
    started_with = versions() | {"keras": "2.0"}
    monkeypatch.setattr(engine, "versions", lambda: started_with)
    with pytest.raises(InputError, match=r"worker \S+: found keras 3\S+, expected 2.0, which the sweep"):
        engine.search(results, *SPLITS, workers=None, finished=lambda trial: None)
    assert not (tmp_path / "mine").exists()


def test_a_sweep_in_which_all_trials_fail_says_why(project: Path) -> None:
    space = {"learning_rate": {"choices": [1e6]}, "optimizer": {"choices": ["sgd"]}}
    settings = {"model": "dnn", "trials": 2, "space": space}
    (project / "sweeps/bad.yaml").write_text(yaml.safe_dump(settings))
    process = sweep(project, "run", "bad")
    output = process.communicate()[0]
    assert process.returncode == 1, output
    assert "error: sweep bad: no trial of 2 came to its end; trial 1: training, period 1: found" in output
    assert "Traceback" not in output
    assert len((project / "metrics/sweeps/bad/trials.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{silent}", "ray://127.0.0.1:{silent}", "127.0.0.1:{closed}", "me"]
)
def test_where_there_is_no_cluster_it_says_so_in_time(address: str, project: Path) -> None:
    shutil.copy(project / "sweeps/mine.yaml", project / "sweeps/nowhere.yaml")
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as closed:
        ports = {"silent": silent.getsockname()[1], "closed": closed.getsockname()[1]}
        closed.close()
        start = time.monotonic()
        process = sweep(project, "run", "nowhere", "--address", address.format(**ports))
        output = process.communicate()[0]
    assert time.monotonic() - start < engine.PATIENCE + 20  # of which it takes some two to start
    assert process.returncode == 1
    last = output.splitlines()[-1]
    assert last.startswith(f"error: --address {address.format(**ports)}: found no ")
    assert "Traceback" not in output
    assert not (project / "metrics/sweeps/nowhere").exists()


def test_splits_that_are_not_those_of_params_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    path = project / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("validation_fraction: 0.25", "validation_fraction: 0.5"))
    try:
        with pytest.raises(InputError, match=r"data/splits: found splits that .*; dvc repro split"):
            command.main("mine", trials=None, workers=None, address=None, resume=False)
    finally:
        path.write_text(before)


def test_in_the_end_nothing_is_left_running(alone: dict[str, Any]) -> None:
    """Ray's agents, which look a minute long for the server of a driver that was killed."""
    assert not psutil.wait_procs(AGENTS, timeout=90)[1]
