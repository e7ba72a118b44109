"""Experiments in DVC's queue, as docs/sharing.md shows it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.test_pipeline import clone, dvc

pytestmark = pytest.mark.slow

RATES = (0.03, 0.05)
#: Few steps, since what is tried here is the queue. The linear model is trained just once, before.
SHORT = (
    "train.dnn.steps=100",
    "train.dnn.snapshots=[10,100]",
    "train.linear.steps=100",
    "train.linear.snapshots=[10,100]",
)
#: Seconds for two trials; they take half a minute, where nobody else is at work.
PATIENCE = 240.0


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A clone whose queue's workers are gone in the end, whatever has happened."""
    folder = clone(tmp_path / "project")
    yield folder
    dvc("queue", "stop", "--kill", cwd=folder)
    until = time.monotonic() + 60
    while left := left_over(str(tmp_path)):
        assert time.monotonic() < until, left
        time.sleep(0.2)


def left_over(mark: str) -> list[str]:
    """Processes that still have the mark in their environment; zombies have none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def start_worker(folder: Path) -> None:
    mark = str(folder.parent)
    subprocess.run(
        [sys.executable, "-m", "dvc", "queue", "start"],
        cwd=folder,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "MARK": mark},
        stdout=subprocess.DEVNULL,  # the worker keeps it open: a pipe would only end when that does
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    assert left_over(mark)  # else to find none in the end would say nothing


def wait_for(folder: Path, names: set[str]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        status = dvc("queue", "status", cwd=folder)
        states = {name: line.split()[-1] for line in status.splitlines() for name in names if name in line}
        if set(states.values()) <= {"Success", "Failed"}:
            break
        assert time.monotonic() < until, status
        if "0 active, 0 idle" in status:
            # A question can reach a worker half written, and end it: DVC's broker is a folder of
            # files. Its tasks stay queued for the next one.
            start_worker(folder)
        time.sleep(4)
    assert states == dict.fromkeys(names, "Success"), "\n".join(
        dvc("queue", "logs", name, cwd=folder) for name, state in states.items() if state != "Success"
    )


def experiments(folder: Path) -> dict[str, dict[str, Any]]:
    """What each experiment on the last commit left, by its name."""
    _, commit = json.loads(dvc("exp", "show", "--json", cwd=folder))
    return {trial["name"]: trial["revs"][0]["data"] for trial in commit["experiments"] or []}


def test_a_grid_of_two_trials(project: Path) -> None:
    grid = f"train.dnn.learning_rate=choice({','.join(map(str, RATES))})"
    settings = [word for setting in (grid, *SHORT) for word in ("-S", setting)]
    dvc("exp", "run", "--queue", *settings, cwd=project)
    queued = dvc("queue", "status", cwd=project)
    names = {line.split()[1] for line in queued.splitlines() if line.endswith("Queued")}
    assert len(names) == len(RATES), queued
    start_worker(project)
    wait_for(project, names)
    trials = experiments(project)
    assert set(trials) == names
    recipes = [trial["params"]["params.yaml"]["data"]["train"]["dnn"] for trial in trials.values()]
    assert sorted(recipe["learning_rate"] for recipe in recipes) == sorted(RATES)
    assert {recipe["steps"] for recipe in recipes} == {100}
    losses = {
        trial["metrics"]["metrics/dnn.json"]["data"]["validation"]["log_loss"] for trial in trials.values()
    }
    assert len(losses) == len(RATES)
    assert all(0 < loss < 1 for loss in losses)
