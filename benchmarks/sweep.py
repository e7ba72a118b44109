"""Compare the time of a sweep with `dvc repro` of the same trainings: python -m benchmarks.sweep

Runs 16 trials of the course's dnn on two workers. Prints the time that a trial takes beyond its training too,
and the memory of a worker.
Needs git, and real MNIST in ../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import itertools
import os
import re
import shutil
import subprocess
import time
from itertools import pairwise

import pandas as pd
import psutil
import yaml

from benchmarks.measuring import ENVIRONMENT, REPRO, clone, compare, run, time_repro

TRIALS = 16
SWEEP = ("python", "-m", "digits", "sweep", "run", "bench", "--workers", "2")
SETTINGS = {"model": "dnn", "trials": TRIALS, "space": {"learning_rate": {"range": [0.045, 0.055]}}}


def main() -> None:
    with clone() as project:
        run(REPRO, project)
        (project / "sweeps/bench.yaml").write_text(yaml.safe_dump(SETTINGS))
        results = project / "metrics/sweeps/bench"
        new_rates = itertools.count(0.051, 0.001)
        overheads: list[float] = []  # seconds from one trial of a worker to its next, without the training
        memory: list[float] = []  # MB of a worker

        def sweep() -> float:
            shutil.rmtree(results, ignore_errors=True)
            start = time.perf_counter()
            ended: dict[int, float] = {}
            with subprocess.Popen(
                SWEEP, cwd=project, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
            ) as process:
                for line in process.stdout or ():
                    if trial := re.match(r"trial (\d+)", line):
                        ended[int(trial[1])] = time.perf_counter()
                        memory.extend(_memory(process.pid))
            seconds = time.perf_counter() - start
            for _, trials in pd.read_csv(results / "trials.csv").groupby("worker"):
                for (previous, _), (number, trained) in pairwise(
                    zip(trials["trial"], trials["seconds"], strict=True)
                ):
                    overheads.append(ended[number] - ended[previous] - trained)
            return seconds

        def repro() -> float:
            return TRIALS * time_repro(project, new_rates)

        compare(f"{TRIALS} trials", sweep, f"{TRIALS} × dvc repro", repro, "≤ 0.25", repeats=3)
        trained = pd.read_csv(results / "trials.csv")["seconds"]
        print(
            f"a trial: {trained.median():.2f} s of training, {pd.Series(overheads).median():.2f} s beyond it"
        )
        print(
            f"a worker: {max(memory):.0f} MB at most; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )


def _memory(driver: int) -> list[float]:
    """Return the resident MB of each worker that trains; Ray calls its process ImplicitFunc."""
    workers = [each for each in psutil.Process(driver).children(recursive=True) if "Implicit" in each.name()]
    return [worker.memory_info().rss / 1e6 for worker in workers]


if __name__ == "__main__":
    main()
