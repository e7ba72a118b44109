"""Time and memory of the pipeline on MNIST, as ratios taken in one run: python -m benchmarks.speed [PYTHON]

PYTHON is the interpreter of the environment that notebook/README.md describes; with it, the course's own way
is timed too. Needs git, and real MNIST in ../shared/mnist or in the folder that DIGITS_MNIST names. Linux.
"""

import itertools
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import MNIST, REPRO, clone, compare, run, seconds, set_param, set_source, time_repro

#: The commands of `make run` up to the table of metrics.
MAKE_RUN = (
    "sh",
    "-ec",
    "dvc repro split; repro='dvc --wait-for-lock repro --single-item'; "
    "for model in linear dnn; do "
    '$repro train@$model evaluate@$model plot@$model & running="$running $!"; done; '
    "$repro explore & for process in $running $!; do wait $process; done; dvc repro",
)
READ_CSV = "import sys, pandas; [pandas.read_csv(path, header=None) for path in sys.argv[1:]]"
CSV_FILES = (str(MNIST / "mnist_train_small.csv"), str(MNIST / "mnist_test.csv"))

#: Prints the kilobytes that the split stage holds at most, Python and NumPy included.
SPLIT_MEMORY = "import resource, stages.split; stages.split.main(); print(resource.getrusage(0).ru_maxrss)"
ALL_IMAGES = 70_000 * 28 * 28  # bytes


def main() -> None:
    with clone() as project, TemporaryDirectory() as folder:
        import_tensorflow = partial(seconds, ("python", "-c", "import tensorflow"), project)
        make_one_stage_repository(Path(folder))
        status = partial(seconds, ("dvc", "status"), Path(folder))
        read_csv = partial(seconds, ("python", "-c", READ_CSV, *CSV_FILES), project)
        split = partial(seconds, ("python", "-m", "stages.split"), project)
        from_nothing = partial(run_from_nothing, project)
        new_rates, earlier_rates = itertools.count(0.041, 0.001), itertools.cycle((0.05, 0.041))
        import_tensorflow()  # the first import of a day reads from the disk

        compare("from nothing", from_nothing, "import tensorflow", import_tensorflow, "≤ 3.0")
        changed = partial(time_repro, project, new_rates)
        compare("dnn's rate changed", changed, "import tensorflow", import_tensorflow, "≤ 2.2")
        compare("nothing changed", partial(seconds, REPRO, project), "dvc status", status, "≤ 1.3")
        back = partial(time_repro, project, earlier_rates)
        compare("back to an earlier rate", back, "dvc status", status, "")
        compare("split", split, "pandas.read_csv", read_csv, "≤ 1.0")
        if len(sys.argv) > 1:
            notebook = (sys.argv[1], "benchmarks/notebook/notebook.py", str(MNIST), f"{folder}/figures")
            course = partial(seconds, notebook, project)
            compare("the course's own way", course, "from nothing", from_nothing, "≥ 10", repeats=1)
        set_param(project, "data.rows", None)
        set_source(project, "mnist-full")
        peak = int(run(("python", "-c", SPLIT_MEMORY), project).splitlines()[-1]) * 1024
        print(f"peak memory of split ÷ bytes of images: {peak / 1e6:.0f} MB, {peak / ALL_IMAGES:.1f}   ≤ 4")
        run(("python", "-m", "digits", "recipe", "course-keras"), project)
        run(("python", "-m", "stages.split"), project)
        script = partial(seconds, ("python", "benchmarks/notebook/keras_notebook.py", str(MNIST)), project)
        train = partial(seconds, ("python", "-m", "stages.train", "dnn"), project)
        compare("present exercise as a plain Keras script", script, "train", train, "≥ 1", repeats=3)


def make_one_stage_repository(folder: Path) -> None:
    run(("dvc", "init", "--no-scm", "--quiet"), folder)
    (folder / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo > one\n    outs: [one]\n")
    run(REPRO, folder)


def run_from_nothing(project: Path) -> float:
    """Time the commands of `make run` without outputs, cache and dvc.lock."""
    run(("git", "clean", "-dffxq", "--exclude=__pycache__"), project)
    (project / "dvc.lock").unlink()
    return seconds(MAKE_RUN, project)


if __name__ == "__main__":
    main()
