"""What a sweep costs beside its trainings, as ratios taken in one run: python -m benchmarks.sweep

16 trials of the course's dnn on two workers, against ``dvc repro`` of the same training, in turns: with
the evaluation and the figures that follow a training, and of the train stage alone; the seconds of a sweep
for each trial beyond its training; the memory that its processes hold at most over hundreds of trials; how
long Optuna takes to choose among ten thousand. Needs git, and real MNIST in ../shared/mnist or in the
folder that DIGITS_MNIST names.
"""

import csv
import shutil
import tempfile
import threading
import time
from pathlib import Path
from statistics import mean, median

import numpy as np
import psutil
import yaml

from benchmarks.speed import DVC, PYTHON, clone, run, with_rate
from digits.cli.sweep.definition import Sweep
from digits.cli.sweep.results import Trial
from digits.cli.sweep.study import Study
from digits.cli.sweep.trial import Outcome

REPEATS = 3
TRIALS = 16
SPACE = {"learning_rate": {"range": [0.045, 0.055]}}
MANY = 300
ASKED = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        clone(project)
        run((*DVC, "repro"), project)
        sweep = (PYTHON, "-m", "digits", "sweep", "run", "bench", "--workers", "2")
        write_sweep(project, trials=TRIALS)
        pairs = []
        for number in range(REPEATS):
            shutil.rmtree(project / "metrics/sweeps", ignore_errors=True)
            pairs.append(
                (run(sweep, project), repro(project, 2 * number), repro(project, 2 * number + 1, "train@dnn"))
            )
        whole, one, stage = (median(times) for times in zip(*pairs, strict=True))
        trainings = seconds(project)
        print(f"{TRIALS} trials on two workers: {whole:.1f} s")
        for what, taken in (("dvc repro", one), ("dvc repro train@dnn", stage)):
            print(f"÷ {TRIALS} × {what}, {taken:.1f} s: {whole / TRIALS / taken:.3f}   ≤ 0.15")
        beyond = (whole - sum(trainings) / 2) / TRIALS
        print(f"for each trial: training {mean(trainings):.2f} s, of the sweep beyond it {beyond:.2f} s")

        write_sweep(project, trials=MANY)
        shutil.rmtree(project / "metrics/sweeps")
        watch = Watch()
        whole = run(sweep, project)
        memory = watch.end()
        beyond = (whole - sum(seconds(project)) / 2) / MANY
        print(f"{MANY} trials: {whole:.0f} s, beyond the trainings {beyond * 1000:.0f} ms for each trial")
        for name, most in memory.items():
            print(f"a process of {name}: at most {most / 1e6:.0f} MB of its own")
    ask()


def write_sweep(project: Path, *, trials: int) -> None:
    settings = {"model": "dnn", "trials": trials, "space": SPACE}
    (project / "sweeps/bench.yaml").write_text(yaml.safe_dump(settings))


def repro(project: Path, number: int, *targets: str) -> float:
    """Seconds of a training that was not done before."""
    with_rate(project, f"0.05{number + 1}")
    taken = run((*DVC, "repro", *targets), project)
    with_rate(project, "0.05")
    return taken


def seconds(project: Path) -> list[float]:
    with (project / "metrics/sweeps/bench/trials.csv").open(newline="") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


class Watch:
    """The memory of the processes that a sweep starts: each one's own, without what is shared."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def _look(self) -> None:
        while not self.over.wait(1):
            for process in psutil.Process().children(recursive=True):
                try:
                    name, held = process.name(), process.memory_full_info().uss
                except psutil.Error:
                    continue
                if name.startswith("ray::_trial"):
                    self.most[name] = max(held, self.most.get(name, 0))

    def end(self) -> dict[str, int]:
        """Bytes that any process of a name held at most."""
        self.over.set()
        self.thread.join()
        return self.most


def ask() -> None:
    """How the choice of a trial's parameters grows with the trials that are known."""
    space = {key: {"range": [0.0, 0.5]} for key in ("dropout", "input_dropout", "momentum", "averaging")}
    study = Study(Sweep.model_validate({"model": "dnn", "space": space}), [])
    random = np.random.default_rng(0)
    taken, before = [], psutil.Process().memory_info().rss
    for number in range(1, ASKED + 1):
        start = time.perf_counter()
        parameters = study.ask(number)
        taken.append(time.perf_counter() - start)
        figures = {"validation_log_loss": float(random.random())}
        study.tell(Trial(number, parameters, Outcome("complete", [], figures, "", 0, "")))
        if number in (100, 1_000, ASKED):
            print(f"choosing trial {number:,} of a space of {len(space)}: {mean(taken[-50:]) * 1000:.0f} ms")
    held = psutil.Process().memory_info().rss - before
    print(f"choosing all {ASKED:,}: {sum(taken):.0f} s, {held / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
