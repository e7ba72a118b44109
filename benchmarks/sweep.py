"""Time of a sweep beside `dvc repro` of the same trainings: python -m benchmarks.sweep

16 trials of the course's dnn on two workers, and the seconds of a trial's training. Needs git, and real MNIST
in ../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import itertools
import shutil

import pandas as pd
import yaml

from benchmarks.measuring import REPRO, clone, compare, run, seconds, time_repro

TRIALS = 16
SWEEP = ("python", "-m", "digits", "sweep", "run", "bench", "--workers", "2")
SETTINGS = {"model": "dnn", "trials": TRIALS, "space": {"learning_rate": {"range": [0.045, 0.055]}}}


def main() -> None:
    with clone() as project:
        run(REPRO, project)
        (project / "sweeps/bench.yaml").write_text(yaml.safe_dump(SETTINGS))
        new_rates = itertools.count(0.051, 0.001)

        def sweep() -> float:
            shutil.rmtree(project / "metrics/sweeps", ignore_errors=True)
            return seconds(SWEEP, project)

        def repro() -> float:
            return TRIALS * time_repro(project, new_rates)

        compare(f"{TRIALS} trials", sweep, f"{TRIALS} × dvc repro", repro, "≤ 0.15", repeats=3)
        trials = pd.read_csv(project / "metrics/sweeps/bench/trials.csv")
        print(f"a trial's training, two side by side: {trials['seconds'].mean():.2f} s")


if __name__ == "__main__":
    main()
