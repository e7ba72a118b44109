"""Measure how long people wait, as ratios taken in one run: python -m benchmarks.speed [ROW …]

Without a name, all rows are measured; with --notebook PYTHON also the course's own code, in the environment
that notebook/README.md describes. B is `python -c "import tensorflow"`. Needs Linux, git, make, and real
MNIST in ../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import argparse
import itertools
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measuring import (
    MNIST,
    REPRO,
    ROOT,
    clone,
    compare,
    run,
    seconds,
    set_param,
    set_source,
    time_repro,
)
from digits.core.examples import Examples
from tests.tiny import idx_bytes

#: The commands of `make run` after the environment is made; $! is the process started last.
MAKE_RUN = (
    "sh",
    "-ec",
    "dvc repro split; repro='dvc --wait-for-lock repro --single-item'; "
    "for model in linear dnn; do "
    '$repro train@$model evaluate@$model plot@$model & running="$running $!"; done; '
    "$repro explore & for process in $running $!; do wait $process; done; dvc repro; "
    "python -m digits metrics; python -m digits report",
)
BIG = """title: MNIST's images over and over
format: idx
height: 28
width: 28
class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
files: {train_images: images, train_labels: labels}
"""
#: Print the peak memory of a stage in kilobytes, with Python and its libraries.
PEAK = """import importlib, resource, sys
importlib.import_module(f"stages.{sys.argv[1]}").main(*sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"""

#: A measurement, which gets a clone of the project and an empty folder.
Row = Callable[[Path, Path], None]


def newcomer(project: Path, folder: Path) -> None:
    """Time from a fresh clone to pictures; both sides have their downloads in a cache."""

    def from_a_clone() -> float:
        shutil.rmtree(folder / "clone", ignore_errors=True)
        run(("git", "clone", "--quiet", "--no-local", str(ROOT), "clone"), folder)
        return seconds(("make", "run"), folder / "clone")

    def tensorflow_alone() -> float:
        pip = f"alone/bin/python -m pip install --quiet tensorflow-cpu=={version('tensorflow-cpu')}"
        return seconds(("sh", "-ec", f"python3 -m venv --clear alone; {pip}"), folder)

    from_a_clone()
    tensorflow_alone()
    compare("fresh clone to pictures", from_a_clone, "pip install", tensorflow_alone, "≤ 1.6", repeats=3)
    print(run(("du", "-sm", ".venv"), folder / "clone").split()[0], "MB of environment   ≤ 2,048")


def developer(project: Path, folder: Path) -> None:
    from_nothing = partial(run_from_nothing, project)
    test = partial(seconds, ("make", "test"), ROOT)
    compare("make test", test, "from nothing", from_nothing, "≤ 25", repeats=1)


def student(project: Path, folder: Path) -> None:
    compare("from nothing", partial(run_from_nothing, project), "B", import_timer(project), "≤ 3.0")


def notebook(project: Path, folder: Path, python: str = "") -> None:
    own_code = partial(
        seconds, (python, "benchmarks/notebook/notebook.py", str(MNIST), f"{folder}/f"), project
    )
    from_nothing = partial(run_from_nothing, project)
    compare("the course's own code", own_code, "from nothing", from_nothing, "≥ 10", repeats=1)


def experimenter(project: Path, folder: Path) -> None:
    run(("dvc", "init", "--no-scm", "--quiet"), folder)
    (folder / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo > one\n    outs: [one]\n")
    run(REPRO, folder)
    run(REPRO, project)
    status = partial(seconds, ("dvc", "status"), project)
    new_rates, earlier_rates = itertools.count(0.041, 0.001), itertools.cycle((0.05, 0.041))
    compare(
        "dnn's rate changed", partial(time_repro, project, new_rates), "B", import_timer(project), "≤ 2.0"
    )
    compare(
        "back to an earlier rate", partial(time_repro, project, earlier_rates), "dvc status", status, "≤ 3"
    )
    one = partial(seconds, ("dvc", "status"), folder)
    compare("nothing changed", partial(seconds, REPRO, project), "dvc status of one stage", one, "≤ 1.8")
    for number in range(30):
        set_param(project, "train.dnn.learning_rate", 0.1 + number / 1000)
        run(("dvc", "exp", "save", "--name", f"rate-{number}"), project)
    experiments = partial(seconds, ("python", "-m", "digits", "experiments"), project)
    compare("digits experiments", experiments, "dvc status", status, "≤ 2")
    exp_show = partial(seconds, ("dvc", "exp", "show"), project)
    compare("dvc exp show, 30 experiments", exp_show, "dvc status", status, "≤ 5")


def present_exercise(project: Path, folder: Path) -> None:
    set_source(project, "mnist-full")
    run(("python", "-m", "digits", "recipe", "course-keras"), project)
    run(("python", "-m", "stages.split"), project)
    script = partial(seconds, ("python", "benchmarks/notebook/keras_notebook.py", str(MNIST)), project)
    train = partial(seconds, ("python", "-m", "stages.train", "dnn"), project)
    compare("present exercise as a plain Keras script", script, "train", train, "≥ 1.0", repeats=3)


def long_training(project: Path, folder: Path) -> None:
    """Time of 1,500 steps without the start: the difference of a long and a short training."""
    run(("python", "-m", "digits", "recipe", "quick"), project)
    set_source(project, "mnist")
    set_param(project, "train.dnn.augmentation.elastic", 0.0)
    set_param(project, "train.dnn.snapshots", [])
    run(("python", "-m", "stages.split"), project)

    def seconds_of_1500_steps(seconds_of: Callable[[int], float]) -> float:
        return seconds_of(2000) - seconds_of(500)

    def train(steps: int) -> float:
        set_param(project, "train.dnn.steps", steps)
        return seconds(("python", "-m", "stages.train", "dnn"), project)

    def plain(steps: int) -> float:
        script = ("python", "benchmarks/notebook/keras_augmented.py", "data/splits/train.npz", str(steps))
        return seconds(script, project)

    theirs, ours = partial(seconds_of_1500_steps, plain), partial(seconds_of_1500_steps, train)
    compare("1,500 steps of plain Keras", theirs, "of recipe quick without elastic", ours, "≥ 1.5", repeats=3)


def predict(project: Path, folder: Path) -> None:
    run(REPRO, project)
    picture = ("python", "-m", "digits", "predict", "plots/data/example.png")
    compare("digits predict", partial(seconds, picture, project), "B", import_timer(project), "≤ 0.12")


def own_data(project: Path, folder: Path) -> None:
    """Time per image without the start of the processes, and peak memory, with few and many images."""
    stages = (("split",), ("evaluate", "linear"))
    source = project / "data/sources/big"
    source.mkdir()
    (source / "source.yaml").write_text(BIG)
    run(("dvc", "repro", "train@linear"), project)
    some = Examples.load(project / "data/splits/train.npz")
    set_param(project, "data.rows", None)
    set_param(project, "data.source", "big")

    def split_and_evaluate(rows: int) -> float:
        which = np.arange(rows) % len(some)
        (source / "images").write_bytes(idx_bytes(some.images[which]))
        (source / "labels").write_bytes(idx_bytes(some.labels[which]))
        return sum(seconds(("python", "-m", f"stages.{name}", *model), project) for name, *model in stages)

    def median_of_3(rows: int) -> float:
        return median(split_and_evaluate(rows) for _ in range(3))

    start, few, many = (median_of_3(rows) for rows in (100, 60_000, 600_000))
    ratio = (many - start) / (few - start) / 10  # 1 if the time grows as the images
    print(f"split and evaluate: {many:.1f} s; an image of 600,000 ÷ of 60,000: {ratio:.2f}   ≤ 1.3")
    peak = max(int(run(("python", "-c", PEAK, *stage), project).splitlines()[-1]) * 1024 for stage in stages)
    print(f"peak memory ÷ bytes of images: {peak / 1e6:.0f} MB, {peak / (600_000 * 28 * 28):.2f}   ≤ 4")


def import_timer(project: Path) -> Callable[[], float]:
    return partial(seconds, ("python", "-c", "import tensorflow"), project)


def run_from_nothing(project: Path) -> float:
    """Return the time of the commands of `make run` without outputs, cache and dvc.lock."""
    run(("git", "clean", "-dffxq", "--exclude=__pycache__"), project)
    (project / "dvc.lock").unlink(missing_ok=True)
    return seconds(MAKE_RUN, project)


ROWS: tuple[Row, ...] = (
    newcomer, student, present_exercise, experimenter, long_training, predict, own_data, developer
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(row.__name__ for row in ROWS))
    parser.add_argument("--notebook", metavar="PYTHON", help="time the course's own code too")
    given = parser.parse_args()
    rows = [row for row in ROWS if not given.rows or row.__name__ in given.rows]
    if given.notebook:
        rows.append(partial(notebook, python=given.notebook))
    for row in rows:
        with clone() as project, TemporaryDirectory() as folder:
            import_timer(project)()  # the first import of a day reads from the disk
            row(project, Path(folder))


if __name__ == "__main__":
    main()
