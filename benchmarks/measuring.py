"""Tools that the benchmarks share: the folder of MNIST, a temporary clone, times and their ratios."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).parents[1]
MNIST = Path(os.environ.get("DIGITS_MNIST", ROOT.parent / "shared/mnist")).resolve()
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
ENVIRONMENT = os.environ | {"PATH": PATH, "DIGITS_MIRROR": str(MNIST)}
REPRO = ("dvc", "repro")
#: A function that runs something and returns its seconds.
Timer = Callable[[], float]


@contextmanager
def clone() -> Iterator[Path]:
    """Clone the last commit into a temporary folder, with MNIST as its data source."""
    with TemporaryDirectory() as folder:
        project = Path(folder, "project")
        run(("git", "clone", "--quiet", "--no-local", str(ROOT), str(project)), ROOT)
        set_param(project, "data.source", "mnist")
        yield project


def set_param(project: Path, name: str, value: object) -> None:
    """Write a value of params.yaml; the name is that of `dvc exp run -S`, such as data.source."""
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text())
    *sections, key = name.split(".")
    reduce(getitem, sections, params)[key] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def set_source(project: Path, source: str) -> None:
    """Make the split stage read a source; instead of a download, data/raw/<source> is a link to MNIST."""
    set_param(project, "data.source", source)
    raw = project / "data/raw" / source
    if source == "digits":
        run(("python", "-m", "stages.download"), project)
    elif not raw.exists():
        raw.parent.mkdir(exist_ok=True)
        raw.symlink_to(MNIST)


def run(command: tuple[str, ...], folder: Path) -> str:
    """Run a command in a folder and return its output; exit with the output if the command fails."""
    process = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{' '.join(command)}:\n{process.stdout}{process.stderr}")
    return process.stdout


def seconds(command: tuple[str, ...], folder: Path) -> float:
    """Return the wall time of a command."""
    start = time.perf_counter()
    run(command, folder)
    return time.perf_counter() - start


def time_repro(project: Path, rates: Iterator[float]) -> float:
    """Return the wall time of `dvc repro` with the next of these learning rates for the dnn."""
    set_param(project, "train.dnn.learning_rate", next(rates))
    return seconds(REPRO, project)


def compare(what: str, measure: Timer, peer: str, measure_peer: Timer, aim: str, repeats: int = 5) -> None:
    """Print the medians of two times and their ratio, measured in turns since a machine's speed changes."""
    pairs = [(measure(), measure_peer()) for _ in range(repeats)]
    ours, theirs = (median(times) for times in zip(*pairs, strict=True))
    print(f"{what} ÷ {peer}: {ours:.2f} s ÷ {theirs:.2f} s = {ours / theirs:.3f}   {aim}", flush=True)
