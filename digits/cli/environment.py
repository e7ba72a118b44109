"""What the bytes of a run depend on besides code, parameters and data: processor, packages, threads.

``metrics/environment.json`` says it of the machine on which the committed ``dvc.lock`` came about. It
is no output of DVC: its hash would stand in ``dvc.lock``, which would then differ between two machines
that make the same bytes.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.core.errors import InputError
from digits.core.files import write_json

FILE = Path("metrics/environment.json")

#: Whose code computes, draws or stores the outputs.
PACKAGES = (
    "ai-edge-litert",
    "dvc",
    "keras",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tensorflow-cpu",
)
#: What digits/train/backend.py settles, whatever the shell says; it isn't asked, as it starts TensorFlow.
PINNED: Mapping[str, str | int] = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "tensorflow_inter_op_threads": 1,
    "tensorflow_intra_op_threads": 1,
}
#: Variables that choose kernels and threads: a few words or a number each, and nobody's name.
VARIABLES = (
    "GLIBC_TUNABLES",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def main(*, root: Path = Path()) -> int:
    """Bring the file up to date and say in one line what was done; 0.

    Raises:
        InputError: there is no ``dvc.lock`` yet.
    """
    if record(root):
        print(f"{FILE}: describes this machine, on which dvc.lock came about")
    else:
        print(f"{FILE}: left as it is, since dvc.lock is the committed one")
    return 0


def record(root: Path = Path()) -> bool:
    """Write this machine's fingerprint if ``dvc.lock`` is another one than HEAD's; whether it was.

    If it is HEAD's, the file goes on to describe the machine that made those bytes, and a run that
    makes them again leaves nothing to commit. Where there is no file yet, it is written.
    """
    if not (root / "dvc.lock").is_file():
        raise InputError(
            root / "dvc.lock", found="no such file", expected="a finished run's", do="make run first"
        )
    written = not (root / FILE).is_file() or _changed(root, "dvc.lock")
    if written:
        write_json(root / FILE, fingerprint())
    return written


def _changed(root: Path, path: str) -> bool:
    """Whether a file isn't as HEAD has it; also where there is no git, no commit or no such file there."""
    # Not git diff: for a file that was never added, it says that nothing changed.
    process = subprocess.run(
        ["git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=all", "--", path],
        cwd=root,
        capture_output=True,
    )
    return process.returncode != 0 or bool(process.stdout)


def fingerprint() -> dict[str, Any]:
    """This machine's, as JSON has it; no host name, no user, no path."""
    return {
        "python": {
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
        },
        "system": {
            "name": platform.system(),
            "version": _system_version(),
            "machine": platform.machine(),
        },
        "processor": _processor(),
        "packages": {name: found for name in PACKAGES if (found := _installed(name))},
        "settings": {
            **PINNED,
            **{name: os.environ[name] for name in VARIABLES if name in os.environ},
        },
    }


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _system_version() -> str:
    match platform.system():
        case "Darwin":
            return f"macOS {platform.mac_ver()[0]}"
        case "Linux":  # exp and log come from libc; the kernel computes nothing
            return " ".join(platform.libc_ver())
        case _:
            return platform.version()


def _processor() -> dict[str, Any]:
    """Model, cores and, where the system tells, what libraries choose their kernels by."""
    model, flags = platform.processor(), ""
    try:
        match platform.system():
            case "Linux":
                listed = first_processor(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
                # Arm's kernel gives no name, but the numbers by which one can be looked up.
                numbers = [f"{key} {listed[key]}" for key in ("CPU implementer", "CPU part") if key in listed]
                model = listed.get("model name") or ", ".join(numbers) or model
                flags = listed.get("flags") or listed.get("Features", "")
            case "Darwin":
                command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
                model = subprocess.run(command, capture_output=True, text=True).stdout.strip() or model
    except OSError:
        pass  # a system that hides it; the rest still counts
    return {"model": model, "cores": os.cpu_count(), "flags": sorted(flags.split())}


def first_processor(cpuinfo: str) -> dict[str, str]:
    """The first paragraph of Linux' /proc/cpuinfo, by key."""
    paragraph = cpuinfo.strip().partition("\n\n")[0]
    return dict(re.findall(r"^(.*?)[ \t]*:[ \t]*(.*)$", paragraph, re.MULTILINE))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each entry that differs: ``key: old → new``, or what a list gained and lost."""
    before, after = flat(old), flat(new)
    lines = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key), after.get(key)
        if isinstance(was, list) and isinstance(now, list):
            gained = [f"+{item}" for item in now if item not in was]
            lost = [f"-{item}" for item in was if item not in now]
            if gained or lost:
                lines.append(f"{key}: {' '.join(gained + lost)}")
        elif was != now:
            lines.append(f"{key}: {_shown(was)} → {_shown(now)}")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
