"""Sweeps on Ray Tune: on this machine, on two nodes of which one is lost, and without a cluster."""

import csv
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from digits.cli.sweep import engine
from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import Results, versions
from digits.core.errors import InputError
from tests import tiny
from tests.conftest import REPOSITORY
from tests.exports import digest_of_weights
from tests.test_pipeline import clone, dvc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's"),
]

TRIALS = 16
#: A trial takes half a second, so that a sweep can be killed in the middle.
SPACE = {
    "hidden_units": {"choices": [[16], [8, 8]]},
    "learning_rate": {"log_range": [0.01, 0.2]},
    "steps": {"choices": [2000]},
}
SWEEP = {"model": "dnn", "trials": TRIALS, "search": "random", "space": SPACE}
PATIENCE = 300  # seconds, on a busy machine


def start(folder: Path, *words: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
    """``digits sweep``, in a process group of its own, with a folder for temporary files of a long name."""
    temporary = folder.parent / ("long" * 30)
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*within, sys.executable, "-m", "digits", "sweep", *words],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def output(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait until the command ends with the status, and return its output."""
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == status, printed
    assert "Traceback" not in printed
    return printed


def rows(folder: Path) -> dict[str, dict[str, str]]:
    """trials.csv, by trial."""
    path = folder / "metrics/sweeps/mine/trials.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {row["trial"]: row for row in csv.DictReader(file)}


def wait(condition: Callable[[], object], process: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def ray_folder(process: Any) -> Path:
    """The folder in which the processes of a local Ray have their files."""
    environments = [each.environ() for each in psutil.Process(process.pid).children(recursive=True)]
    return Path(next(each["RAY_TMPDIR"] for each in environments if "RAY_TMPDIR" in each))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with splits and a sweep, which nothing has run."""
    folder = clone(tmp_path_factory.mktemp("sweep") / "project")
    dvc("repro", "split", cwd=folder)
    (folder / "sweeps/mine.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def resumed(project: Path) -> Path:
    """The project after a sweep that was killed, resumed and interrupted, and resumed again.

    This tests ``--resume`` too: finished trials are not trained again, all processes end, and Ray listens on
    127.0.0.1 only.
    """
    process = start(project, "run", "mine", "--workers", "2")
    wait(lambda: len(rows(project)) >= 3, process)
    left = ray_folder(process)
    process.kill()
    process.communicate()
    killed = rows(project)
    process = start(project, "run", "mine", "--resume")
    wait(lambda: len(rows(project)) >= len(killed) + 3, process)
    family = psutil.Process(process.pid).children(recursive=True)
    folder = ray_folder(process)
    listening = {
        port.laddr.ip for each in family for port in each.net_connections() if port.status == "LISTEN"
    }
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal
    assert "to go on: digits sweep run mine --resume" in output(process, 130)
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert not folder.exists()
    shutil.rmtree(left, ignore_errors=True)
    interrupted = rows(project)
    assert "results of an earlier run that are not committed" in output(start(project, "run", "mine"), 1)
    printed = output(start(project, "run", "mine", "--resume"))
    assert f"{TRIALS} of {TRIALS} trials: {TRIALS} complete" in printed
    for earlier in (killed, interrupted):  # no finished trial was trained again
        assert earlier == {number: rows(project)[number] for number in earlier}
    return project


def test_the_best_trial_is_what_dvc_repro_trains(resumed: Path, tmp_path: Path) -> None:
    """The weights are the same, byte for byte."""
    folder = Path(shutil.copytree(resumed, tmp_path / "project"))
    assert sorted(map(int, rows(folder))) == list(range(1, TRIALS + 1))
    best = min(rows(folder).values(), key=lambda row: float(row["validation_log_loss"]))
    assert "params.yaml: train.dnn.learning_rate" in output(start(folder, "apply", "mine"))
    dvc("repro", "train@dnn", cwd=folder)
    assert digest_of_weights(folder / "models/dnn/model.keras") == best["weights_sha256"]


#: Two network namespaces, joined by a virtual cable, stand in for two machines.
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
#: Runs a command that finds the checkout, the home folder and /tmp empty, and only Python's environment.
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


ADDRESS = "10.99.0.1:6379"


def within(node: int, *words: str) -> list[str]:
    return ["ip", "netns", "exec", f"digits-{os.getpid()}-{node}", "env", "RAY_AUTH_MODE=disabled", *words]


def kill(node: psutil.Popen) -> None:
    """End all processes of a node at once, as when its machine is switched off."""
    for process in [*node.children(recursive=True), node]:
        process.kill()
    node.wait()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[psutil.Popen]]:
    """Ray nodes with a core each, which share only a network. The head is beside the driver."""
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--block"]
    head = [*ray, "--head", "--port=6379", "--include-dashboard=false"]
    other = ["unshare", "--mount", "sh", "-ec", APART, "sh", *ray, f"--address={ADDRESS}"]
    paths = os.environ | {"CHECKOUT": str(REPOSITORY), "ENVIRONMENT": sys.prefix, "PYTHON": sys.base_prefix}
    log, nodes = tmp_path / "ray.log", []
    try:
        if subprocess.run(["sh", "-ec", NETWORK, f"digits-{os.getpid()}"], capture_output=True).returncode:
            pytest.skip("network namespaces need iproute2 and root rights")
        for node, words in enumerate((head, other)):
            command = within(node, *words, f"--node-ip-address=10.99.0.{node + 1}")
            with log.open("a") as file:
                nodes.append(psutil.Popen(command, env=paths, stdout=file, stderr=subprocess.STDOUT))
            wait(lambda: "Ray runtime started" in log.read_text(), nodes[node])
        yield nodes
    finally:
        for process in nodes:
            if process.is_running():
                kill(process)
        for node in (0, 1):
            subprocess.run(["ip", "netns", "delete", f"digits-{os.getpid()}-{node}"], capture_output=True)


def test_trials_of_a_lost_node_are_trained_again(
    nodes: list[psutil.Popen], project: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    shutil.rmtree(folder / "metrics/sweeps/mine", ignore_errors=True)

    def trials_on(node: int) -> int:
        return sum(row["worker"].startswith(f"10.99.0.{node + 1}:") for row in rows(folder).values())

    process = start(folder, "run", "mine", "--address", ADDRESS, within=within(0))
    wait(lambda: trials_on(0) >= 1 and trials_on(1) >= 2, process)
    kill(nodes[1])
    assert len(rows(folder)) < TRIALS, "too late: the sweep has ended"
    printed = output(process)
    assert f"{TRIALS} of {TRIALS} trials: {TRIALS} complete" in printed
    best = min(rows(folder).values(), key=lambda row: float(row["validation_log_loss"]))
    assert f"best: trial {best['trial']}, complete" in printed
    # A trial of the other node, trained here again, gives the same bytes.
    trial = next(row for row in rows(folder).values() if row["worker"].startswith("10.99.0.2:"))
    output(start(folder, "apply", "mine", "--trial", trial["trial"]))
    dvc("repro", "train@dnn", cwd=folder)
    assert digest_of_weights(folder / "models/dnn/model.keras") == trial["weights_sha256"]


def train_tiny(folder: Path, seconds: float = math.inf, **settings: Any) -> Results:
    """The results of a sweep of a tiny network."""
    base = tiny.recipe(hidden_units=[4], steps=20, periods=10, snapshots=[])
    sweep = Sweep.model_validate({"model": "dnn", "search": "random"} | settings)
    made_of: dict[str, Any] = {"data": {}, "code": "", "versions": {}}
    results = Results(folder=folder / "mine", sweep=sweep, parameters=base, **made_of)
    splits = {"train": tiny.examples(60), "validation": tiny.examples(40, seed=1)}
    with engine.connected(None, 1) as temporary:
        engine.train_trials(results, splits, None, temporary, seconds)
    return results


def test_minutes_end_a_sweep_and_poor_trials_stop(tmp_path: Path) -> None:
    space = {"learning_rate": {"log_range": [0.001, 0.1]}}
    results = train_tiny(tmp_path, trials=8, stop_early={"periods": 1, "keep": 2}, space=space)
    assert results.counts.keys() == {"complete", "stopped"}
    assert {trial["last_period"] for trial in results.trials if trial["state"] == "stopped"} <= {1, 2, 4, 8}
    assert len(train_tiny(tmp_path, trials=10_000, seconds=10, space=space).trials) < 10_000


def test_a_node_with_other_libraries_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, real = os.getpid(), versions
    monkeypatch.setattr(
        engine, "versions", lambda: real() | ({"keras": "2.0"} if os.getpid() == driver else {})
    )
    with pytest.raises(InputError, match=r"node \S+: expected keras 2.0, as on this node, found 3"):
        engine.connected(None, 1).__enter__()


def test_a_sweep_in_which_all_trials_fail_says_why(project: Path) -> None:
    space = {"learning_rate": {"choices": [1e6]}, "optimizer": {"choices": ["sgd"]}}
    (project / "sweeps/bad.yaml").write_text(yaml.safe_dump({"model": "dnn", "trials": 2, "space": space}))
    printed = output(start(project, "run", "bad"), 1)
    assert "error: sweep bad: no trial was completed. training, period 1: expected" in printed


def test_no_answer_from_a_cluster_is_an_error_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=f"--address {address}: .*no answer"):
            engine.connected(address).__enter__()
    assert time.monotonic() - begin < 15


def test_resuming_after_a_code_change_needs_a_commit_of_the_results(resumed: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(resumed, tmp_path / "project"))
    with (folder / "digits/train/network.py").open("a") as file:
        file.write("# changed\n")
    printed = output(start(folder, "run", "mine", "--resume"), 1)
    assert "its trials were made with other code; the sweep starts again" in printed
    assert "results of an earlier run that are not committed" in printed


def test_splits_of_other_parameters_are_refused(project: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(
        params.replace("validation_fraction: 0.25", "validation_fraction: 0.5")
    )
    assert "data/splits: these were split with other parameters" in output(start(folder, "run", "mine"), 1)
