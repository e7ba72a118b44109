"""The processor, packages and settings that the bytes of a run depend on: metrics/environment.json.

The file describes the machine on which the committed ``dvc.lock`` was made. It is no output of DVC: its
hash in ``dvc.lock`` would then differ between two machines that make the same bytes.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.core.files import write_json

FILE = Path("metrics/environment.json")
PACKAGE = re.compile(
    "ai-edge-litert|dvc|keras|matplotlib|numpy|pandas|pillow|scikit-learn|scipy|tensorflow.*"
)
# Set by digits/train/backend.py, which isn't imported here, as it starts TensorFlow.
FIXED = {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"}
THREADS = {"tensorflow_inter_op_threads": 1, "tensorflow_intra_op_threads": 1}
# Variables of the shell that choose kernels and threads.
VARIABLE = re.compile("GLIBC_TUNABLES|NPY_.*_CPU_FEATURES|OPENBLAS_CORETYPE|.*_(NUM|MAXIMUM)_THREADS")


def main(*, root: Path = Path()) -> int:
    """Write the file if it is missing or ``dvc.lock`` is not the one at HEAD; print what was done."""
    # git diff would say that a file that was never added has not changed.
    git = subprocess.run(["git", "status", "--porcelain", "dvc.lock"], cwd=root, capture_output=True)
    if git.stdout or git.returncode or not (root / FILE).is_file():
        write_json(root / FILE, fingerprint())
        print(f"{FILE}: describes this machine, on which dvc.lock was made")
    else:
        print(f"{FILE}: unchanged, since dvc.lock is the committed one")
    return 0


def fingerprint() -> dict[str, Any]:
    """Describe this machine, without host, user or path names."""
    proc = Path("/proc/cpuinfo")  # Linux
    cpu = dict(re.findall(r"(?m)^(.*?)\s*: (.*)$", proc.read_text() if proc.is_file() else ""))
    model = cpu.get("model name") or platform.processor() or platform.machine()
    flags = sorted((cpu.get("flags") or cpu.get("Features", "")).split())
    installed = {dist.name.replace("_", "-").lower(): dist.version for dist in metadata.distributions()}
    # exp and log come from libc, not from the kernel.
    system = " ".join(platform.libc_ver()).strip() or platform.release()
    return {
        "python": {"implementation": platform.python_implementation(), "version": platform.python_version()},
        "system": {"name": platform.system(), "version": system, "machine": platform.machine()},
        "processor": {"model": model, "cores": os.cpu_count(), "flags": flags},
        "packages": {name: installed[name] for name in sorted(installed) if PACKAGE.fullmatch(name)},
        "settings": FIXED | THREADS | {k: v for k, v in os.environ.items() if VARIABLE.fullmatch(k)},
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each entry that differs: ``key: old → new``; of lists, what differs."""
    before, after = flat(old), flat(new)
    lines = []
    for key in before | after:
        was, now = before.get(key), after.get(key)
        if isinstance(was, list) and isinstance(now, list):
            was, now = sorted({*was} - {*now}), sorted({*now} - {*was})
        if was != now:
            lines.append(f"{key}: {was} → {now}")
    return lines
