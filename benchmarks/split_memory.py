"""Peak memory of the split stage on all of MNIST in IDX format: python -m benchmarks.split_memory

Reads the IDX files in ../shared/mnist, or in the folder that DIGITS_MNIST names.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.mnist import MNIST

ROOT = Path(__file__).parents[1]
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-m", "stages.split"], cwd=root, env=environment, check=True)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
        images = 70_000 * 28 * 28
        print(f"peak memory: {peak / 1e6:.0f} MB, {peak / images:.1f} × the bytes of the images")


def lay_out(root: Path) -> None:
    """The split stage's inputs: the files, a catalogue entry for them, all rows asked for."""
    raw, source = root / "data/raw/mnist-here", root / "data/sources/mnist-here"
    raw.mkdir(parents=True)
    source.mkdir(parents=True)
    for name in FILES.values():
        (raw / name).symlink_to(MNIST / name)
    entry = yaml.safe_load((ROOT / "data/sources/mnist-full/source.yaml").read_text())
    entry["files"] = {key: {"urls": [name]} for key, name in FILES.items()}
    (source / "source.yaml").write_text(yaml.safe_dump(entry))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= {"source": "mnist-here", "rows": None}
    (root / "params.yaml").write_text(yaml.safe_dump(params))


if __name__ == "__main__":
    main()
