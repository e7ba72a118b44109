"""How the split and evaluate stages grow with the rows: python -m benchmarks.scale

Each stage runs as a process of its own on 10,000, 60,000 and 600,000 rows: MNIST's training images
in gzipped IDX files, the last size with each image ten times, and no test file, so that the test
split is carved out of them. Time and peak memory count from the moment when everything is imported:
what the stage takes beyond an idle interpreter with the same imports. The time for each image, of
split and evaluate together, should stay within 30 % as the rows grow; the memory should be at most
four times the images.

Reads train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz in ../shared/mnist, or in the folder
that DIGITS_MNIST names. Linux or macOS.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import yaml

from benchmarks.mnist import MNIST

ROOT = Path(__file__).parents[1]
MNIST_ROWS = 60_000
REPEATS = {10_000: 5, 60_000: 3, 600_000: 3}  # by rows
PIXELS = 28 * 28
MODELS = ("linear", "dnn")

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
# Half of the rows is the test split and a quarter validation: evaluate reads three quarters.
FRACTIONS = {"validation_fraction": 0.5, "test_fraction": 0.5}


class Stage(NamedTuple):
    module: str
    imports_late: str  # inside a function
    words: tuple[str, ...]
    share_read: float  # of the rows


STAGES = {
    "split": Stage("stages.split", "sklearn.model_selection", (), 1.0),
    **{
        f"evaluate {model}": Stage("stages.evaluate", "ai_edge_litert.interpreter", (model,), 0.75)
        for model in MODELS
    },
}

PROGRAM = """
import resource, sys, time
import {stage.module}, {stage.imports_late}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, start = peak(), time.perf_counter()
{stage.module}.main(*sys.argv[1:])
print(time.perf_counter() - start, peak() - before)
"""


class Cost(NamedTuple):
    """What a stage takes: the whole process, and its work alone."""

    process_seconds: float
    seconds: float
    peak_bytes: float


def main() -> None:
    print(f"{'rows':>7}  {'stage':20}  seconds  µs/image  ratio (0.7–1.3)  peak memory ÷ images (≤ 4)")
    first: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for rows in REPEATS:
            lay_out(root, rows)
            if not first:
                run(root, "-m", "stages.split")
                for model in MODELS:
                    run(root, "-m", "stages.train", model)
            for_each: dict[str, float] = {}
            for name, stage in STAGES.items():
                costs = [measure(root, stage) for _ in range(REPEATS[rows])]
                cost = Cost(*map(median, zip(*costs, strict=True)))
                images = rows * stage.share_read
                for_each[name] = cost.seconds / images * 1e6
                memory = cost.peak_bytes / (images * PIXELS)
                print(
                    f"{rows:7,}  {name:20}  {cost.process_seconds:7.2f}  {for_each[name]:8.2f}"
                    f"  {for_each[name] / first.setdefault(name, for_each[name]):15.2f}  {memory:27.2f}",
                    flush=True,
                )
            for model in MODELS:
                name = f"split + evaluate {model}"
                both = for_each["split"] + for_each[f"evaluate {model}"]
                ratio = both / first.setdefault(name, both)
                print(f"{rows:7,}  {name:20}  {'':7}  {both:8.2f}  {ratio:15.2f}", flush=True)


def measure(root: Path, stage: Stage) -> Cost:
    start = time.perf_counter()
    output = run(root, "-c", PROGRAM.format(stage=stage), *stage.words)
    process_seconds = time.perf_counter() - start
    seconds, peak = output.splitlines()[-1].split()
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return Cost(process_seconds, float(seconds), int(peak) * unit)


def run(root: Path, *words: str) -> str:
    """What Python prints, run with ``words`` to a good end."""
    # A process may count the memory of the one that starts it as its own: this one stays small.
    process = subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.exit(f"{' '.join(words)}:\n{process.stdout}{process.stderr}")
    return process.stdout


def lay_out(root: Path, rows: int) -> None:
    """The split stage's inputs: files of ``rows`` rows, a catalogue entry for them, all rows asked for."""
    raw = root / "data/raw/scale"
    raw.mkdir(parents=True, exist_ok=True)
    write_idx(raw / IMAGES, rows, header_bytes=16, row_bytes=PIXELS)
    write_idx(raw / LABELS, rows, header_bytes=8, row_bytes=1)
    entry = yaml.safe_load((ROOT / "data/sources/mnist-full/source.yaml").read_text())
    entry["files"] = {"train_images": {"urls": [IMAGES]}, "train_labels": {"urls": [LABELS]}}
    (root / "data/sources/scale").mkdir(parents=True, exist_ok=True)
    (root / "data/sources/scale/source.yaml").write_text(yaml.safe_dump(entry))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= {"source": "scale", "rows": None} | FRACTIONS
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def write_idx(path: Path, rows: int, *, header_bytes: int, row_bytes: int) -> None:
    """MNIST's file of the same name with its first ``rows`` rows, over and over if it has fewer."""
    with gzip.open(path, "wb", compresslevel=6) as target:
        for done in range(0, rows, MNIST_ROWS):
            with gzip.open(MNIST / path.name) as source:
                header = source.read(header_bytes)
                if not done:
                    target.write(header[:4] + rows.to_bytes(4, "big") + header[8:])
                for _ in range(min(rows - done, MNIST_ROWS)):
                    target.write(source.read(row_bytes))


if __name__ == "__main__":
    main()
