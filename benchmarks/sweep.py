"""Time of a sweep beside `dvc repro` of the same trainings: python -m benchmarks.sweep

16 trials of the course's dnn on two workers, what each takes beyond its training, and the memory of a worker.
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
        beyond: list[float] = []  # training: seconds of a worker, for each trial but its first
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
                for before, (number, trained) in pairwise(
                    zip(trials["trial"], trials["seconds"], strict=True)
                ):
                    beyond.append(ended[number] - ended[before[0]] - trained)
            return seconds

        def repro() -> float:
            return TRIALS * time_repro(project, new_rates)

        compare(f"{TRIALS} trials", sweep, f"{TRIALS} × dvc repro", repro, "≤ 0.25", repeats=3)
        trained = pd.read_csv(results / "trials.csv")["seconds"]
        print(f"a trial: {trained.median():.2f} s of training, {pd.Series(beyond).median():.2f} s beyond")
        print(
            f"a worker: {max(memory):.0f} MB at most; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )


def _memory(driver: int) -> list[float]:
    """The resident MB of each worker that trains."""
    workers = [each for each in psutil.Process(driver).children(recursive=True) if "Implicit" in each.name()]
    return [worker.memory_info().rss / 1e6 for worker in workers]


if __name__ == "__main__":
    main()
