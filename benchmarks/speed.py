"""How long the pipeline takes, as ratios taken in one run: python -m benchmarks.speed

Each figure is a ratio of medians: to B, the wall time of ``python -c "import tensorflow"`` in the
same environment; to ``dvc status`` in a repository with one trivial stage; to ``pandas.read_csv``
with default settings on the same files. ``python -m benchmarks.speed PYTHON`` also runs the course's
own way with that interpreter, of the environment that notebook/README.md describes. Needs git, and
real MNIST in ../shared/mnist or in the folder that DIGITS_MNIST names.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.mnist import MNIST

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DIGITS_MIRROR": str(MNIST),
}
REPEATS = 5

PYTHON = sys.executable
DVC = (PYTHON, "-m", "dvc")
#: What `make run` does before its table and page.
PARALLEL = (
    "sh",
    "-ec",
    "dvc repro split; for model in linear dnn; do dvc --wait-for-lock repro --single-item "
    'train@$model evaluate@$model plot@$model & running="$running $!"; done; '
    "for process in $running; do wait $process; done; dvc repro",
)
READ_CSV = f"""
import pandas
for name in ("mnist_train_small.csv", "mnist_test.csv"):
    pandas.read_csv({str(MNIST)!r} + "/" + name, header=None)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trivial, project = Path(folder, "trivial"), Path(folder, "project")
        make_trivial(trivial)
        clone(project)
        tensorflow = (PYTHON, "-c", "import tensorflow")
        run(tensorflow, project)  # warm
        run((*DVC, "status"), trivial)

        def report(what: str, value: float, floor: float, bound: str) -> None:
            print(f"{what:64} {value:6.2f} s   ratio {value / floor:5.2f}   {bound}", flush=True)

        def beside(floor: tuple[str, ...], cwd: Path, measure: Callable[[int], float]) -> tuple[float, float]:
            """Medians of ``measure``, and of its floor, taken in turns: machines get faster and slower."""
            pairs = [(measure(number), run(floor, cwd)) for number in range(REPEATS)]
            return median(value for value, _ in pairs), median(value for _, value in pairs)

        cold, b = beside(tensorflow, project, lambda _: cold_run(project, PARALLEL))
        print(f"B, import tensorflow: {b:.2f} s\n")
        report("everything from nothing, side by side ÷ B", cold, b, "≤ 3.0")
        if len(sys.argv) > 1:
            notebook = run((sys.argv[1], "-m", "benchmarks.notebook.notebook", folder), ROOT)
            report("the course's own way ÷ everything from nothing", notebook, cold, "≥ 10")
        report("everything from nothing, dvc repro ÷ B", cold_run(project, (*DVC, "repro")), b, "")
        changed, b = beside(tensorflow, project, lambda number: changed_run(project, number))
        report("one dnn parameter changed, side by side ÷ B", changed, b, "≤ 2.2")
        for command, name in ((PARALLEL, "side by side"), ((*DVC, "repro"), "dvc repro")):
            unchanged, status = beside((*DVC, "status"), trivial, partial(again, project, command))
            report(f"nothing changed, {name} ÷ dvc status", unchanged, status, "≤ 1.3")
        split_stage = (PYTHON, "-m", "stages.split")
        split, read_csv = beside((PYTHON, "-c", READ_CSV), project, partial(again, project, split_stage))
        report("split ÷ pandas.read_csv", split, read_csv, "≤ 1.0")


def run(words: tuple[str, ...], cwd: Path) -> float:
    """Wall time of a command that must succeed, in seconds."""
    start = time.perf_counter()
    process = subprocess.run(words, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{' '.join(words)}:\n{process.stdout}{process.stderr}")
    return time.perf_counter() - start


def cold_run(project: Path, command: tuple[str, ...]) -> float:
    """The whole pipeline with no output, no cache and no run cache."""
    for name in (
        "data/raw",
        "data/splits",
        "models",
        "predictions",
        "plots",
        "tables",
        ".dvc/cache",
        ".dvc/tmp",
    ):
        shutil.rmtree(project / name, ignore_errors=True)
    (project / "dvc.lock").unlink(missing_ok=True)
    return run(command, project)


def again(project: Path, command: tuple[str, ...], _: int) -> float:
    return run(command, project)


def changed_run(project: Path, number: int) -> float:
    """A rerun after a change that was never run before."""
    with_rate(project, f"0.04{number + 1}")
    return run(PARALLEL, project)


def with_rate(project: Path, rate: str) -> None:
    """Set the dnn's learning rate."""
    edit(project, lambda text: re.sub(r"(?s)(dnn:.*?learning_rate: )\S+", rf"\g<1>{rate}", text))


def edit(project: Path, change: Callable[[str], str]) -> None:
    path = project / "params.yaml"
    path.write_text(change(path.read_text()))


def make_trivial(folder: Path) -> None:
    folder.mkdir()
    run((*DVC, "init", "--no-scm", "--quiet"), folder)
    (folder / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo > one\n    outs: [one]\n")
    run((*DVC, "repro", "--quiet"), folder)


def clone(folder: Path) -> None:
    run(("git", "clone", "--quiet", "--no-local", str(ROOT), str(folder)), ROOT)
    edit(folder, lambda text: text.replace("source: digits ", "source: mnist "))


if __name__ == "__main__":
    main()
