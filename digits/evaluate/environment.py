"""The processor, packages and settings that the bytes of a run depend on: metrics/environment.json.

The file is rewritten only when the metrics change. It isn't an output of DVC: if it were, its hash in
``dvc.lock`` would differ between two machines that make the same bytes.
"""

import hashlib
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

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


def note_environment(metrics: Path, root: Path) -> None:
    """Write :data:`FILE` if the MD5 of the file ``metrics`` isn't in ``dvc.lock``: the metrics are new."""
    lock = root / "dvc.lock"
    md5 = hashlib.md5(metrics.read_bytes(), usedforsecurity=False).hexdigest()
    if not lock.is_file() or md5 not in lock.read_text(encoding="utf-8"):
        write_json(root / FILE, fingerprint())


def fingerprint() -> dict[str, Any]:
    """Describe this machine, without host, user or path names."""
    proc = Path("/proc/cpuinfo")  # Linux
    cpu = dict(re.findall(r"(?m)^(.*?)\s*: (.*)$", proc.read_text() if proc.is_file() else ""))
    model = cpu.get("model name") or platform.processor() or platform.machine()
    flags = sorted((cpu.get("flags") or cpu.get("Features", "")).split())
    installed = {dist.name.replace("_", "-").lower(): dist.version for dist in metadata.distributions()}
    # The version of libc, not of the kernel, because exp and log come from libc.
    system = " ".join(platform.libc_ver()).strip() or platform.release()
    return {
        "python": {"implementation": platform.python_implementation(), "version": platform.python_version()},
        "system": {"name": platform.system(), "version": system, "machine": platform.machine()},
        "processor": {"model": model, "cores": os.cpu_count(), "flags": flags},
        "packages": {name: installed[name] for name in sorted(installed) if PACKAGE.fullmatch(name)},
        "settings": FIXED | THREADS | {k: v for k, v in os.environ.items() if VARIABLE.fullmatch(k)},
    }
