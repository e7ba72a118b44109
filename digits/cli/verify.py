"""Run what is committed at HEAD anew, elsewhere, and compare with its dvc.lock: digits verify"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from digits.cli import environment
from digits.cli.flattening import flat
from digits.cli.output import show
from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping

Hashes = dict[str, str]


def main(*, tolerance: float, root: Path = Path()) -> int:
    """Print what differs; 0 if nothing does or each metric is within the tolerance, else 1.

    Args:
        tolerance: the largest allowed difference of a metric, relative or absolute. Whole numbers,
            which count something, must be equal.
        root: in a git repository, with the pipeline.

    Raises:
        InputError: the tolerance is no such number, or HEAD holds no ``dvc.lock``.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise InputError(
            "--tolerance", found=str(tolerance), expected="a finite number from 0", do="name one, as 1e-3"
        )
    top, inside = _git(root, "rev-parse", "--show-toplevel", "--show-prefix").split("\n")
    with tempfile.TemporaryDirectory(prefix="digits-verify-", ignore_cleanup_errors=True) as temporary:
        # Resolved, since git and DVC resolve what they say about it; macOS' is behind a link.
        clone = Path(temporary).resolve() / "clone"
        _git(root, "clone", "--quiet", "--depth=1", "--no-tags", Path(top).resolve().as_uri(), str(clone))
        folder = clone / inside
        if not (folder / "dvc.lock").is_file():
            raise InputError(
                "dvc.lock", found="none at HEAD", expected="a committed run", do="make run, then commit it"
            )
        committed, committed_metrics = outputs(folder), metrics(folder)
        show(f"Running {_git(root, 'log', '-1', '--format=%h (%s)')} from nothing, in {folder}")
        if _git(root, "status", "--porcelain"):
            print("What isn't committed is left out.", flush=True)
        status = _reproduce(folder, root, Path(temporary))
        if status:
            print(f"failed: the fresh run ended with exit status {status}; see above", file=sys.stderr)
            return 1
        lines, good = compare(
            committed, outputs(folder), committed_metrics, metrics(folder), tolerance=tolerance
        )
        print()
        show("\n".join(lines if good is True else [*lines, *_environment(folder)]))
    return 0 if good is not False else 1


def outputs(folder: Path) -> Hashes:
    """The hash of each output that dvc.lock records, by path."""
    stages = read_mapping(folder / "dvc.lock").get("stages") or {}
    return {out["path"]: out.get("md5", "") for stage in stages.values() for out in stage.get("outs", ())}


def metrics(folder: Path) -> dict[str, Any]:
    """Each number in the metrics files, by file and key."""
    files = {path for path in outputs(folder) if path.startswith("metrics/")}
    return flat({name: json.loads((folder / name).read_bytes()) for name in sorted(files)})


def compare(
    committed: Hashes,
    fresh: Hashes,
    committed_metrics: Mapping[str, Any],
    fresh_metrics: Mapping[str, Any],
    *,
    tolerance: float,
) -> tuple[list[str], bool | None]:
    """The lines to print, and whether the fresh run is the same: True, near enough: None, or not: False."""
    changed = sorted(
        path for path in committed.keys() | fresh.keys() if committed.get(path) != fresh.get(path)
    )
    off = [
        (key, committed_metrics.get(key), fresh_metrics.get(key))
        for key in dict.fromkeys([*committed_metrics, *fresh_metrics])
        if not _near(committed_metrics.get(key), fresh_metrics.get(key), tolerance if changed else 0.0)
    ]
    table = [tabulate(off, ["metric", "HEAD", "fresh run"], disable_numparse=True)] if off else []
    if not changed and not off:
        return [f"identical: all {len(fresh)} outputs have the bytes of dvc.lock"], True
    if not changed:  # git keeps metrics beside dvc.lock, and either may be committed alone
        return [*table, "failed: the metrics at HEAD are not those of its dvc.lock"], False
    lines = ["other bytes than dvc.lock says:", *(f"  {path}" for path in changed), *table]
    count = f"{len(changed)} of {len(committed | fresh)} outputs differ in bytes"
    if off:
        return [*lines, f"failed: {count}, {len(off)} metrics by more than {tolerance:g}"], False
    return [*lines, f"alike: {count}, all {len(fresh_metrics)} metrics are within {tolerance:g}"], None


def _near(before: Any, after: Any, tolerance: float) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=tolerance, abs_tol=tolerance)
    return bool(before == after)


def _reproduce(folder: Path, root: Path, temporary: Path) -> int:
    """Run all stages in ``folder``, with a cache that holds nothing; the exit status."""
    (folder / "dvc.lock").unlink()
    (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {temporary / 'cache'}\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    # As after `make install`: the environment's own programs come first.
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
    environ["PYTHONPATH"] = str(folder)  # the code at HEAD, not that of the workspace
    environ["DVC_SITE_CACHE_DIR"] = str(temporary / "site")
    if (root / environ.get("DIGITS_MIRROR", "")).is_dir() and "DIGITS_MIRROR" in environ:
        environ["DIGITS_MIRROR"] = str((root / environ["DIGITS_MIRROR"]).resolve())
    return subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=folder, env=environ).returncode


def _environment(folder: Path) -> list[str]:
    path = folder / environment.FILE
    if not path.is_file():
        return [f"what differs in the environment: unknown, since HEAD has no {environment.FILE}"]
    found = environment.differences(json.loads(path.read_bytes()), environment.fingerprint())
    return [
        "what differs in the environment:",
        *(f"  {line}" for line in found or ["nothing that is recorded"]),
    ]


def _git(folder: Path, *words: str) -> str:
    """What git says, without the last line's end.

    Raises:
        InputError: it fails.
    """
    process = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    if process.returncode:
        raise InputError(
            f"git {words[0]}",
            found=process.stderr.strip() or f"exit status {process.returncode}",
            expected="a git repository with a commit",
            do="run this in a clone of the project, or commit first",
        )
    return process.stdout.removesuffix("\n")
