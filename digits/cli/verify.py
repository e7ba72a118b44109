"""Run the commit at HEAD again in a clone and compare with its dvc.lock: digits verify"""

import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digits.cli.flattening import differing, flat, recorded_hashes
from digits.cli.git import check_owner, git
from digits.cli.json_files import read_json
from digits.cli.output import show, words
from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping
from digits.evaluate.environment import FILE, fingerprint

Run = tuple[dict[str, str], dict[str, Any]]  # hashes of outputs by path, metrics by file and key

TO_DO = {
    "identical": "nothing to do",
    "alike": "nothing to do if the environment differs, as it rounds differently; else `make run` and commit",
    "failed": "if the environment differs, `make install` and verify again; else `make run` and commit",
}


def main(*, tolerance: float, root: Path = Path()) -> int:
    """Print what differs; return 0 if the runs are identical or alike, else 1.

    ``tolerance`` is the largest allowed difference of a metric, relative or absolute; counts must be equal.
    """
    check_owner(root)
    top = git(root, "rev-parse", "--show-toplevel").decode().strip()
    folder = git(root, "rev-parse", "--show-prefix").decode().strip()
    with tempfile.TemporaryDirectory(prefix="digits-verify-", ignore_cleanup_errors=True) as temporary:
        clone = Path(temporary).resolve() / "clone" / folder
        subprocess.run(["git", "clone", "--quiet", top, f"{temporary}/clone"])  # prints its own errors
        if not (clone / "dvc.lock").is_file():
            raise InputError("dvc.lock", "not in the last commit", "Run `make run`, then commit it")
        committed, environment = read_run(clone), read_json(clone, str(FILE), dict)
        print(f"Running HEAD again in {clone}, without uncommitted changes", flush=True)
        (clone / "dvc.lock").unlink()
        config = f"[cache]\n    dir = {temporary}/cache\n[core]\n    site_cache_dir = {temporary}/site\n"
        (clone / ".dvc/config.local").write_text(config)
        status = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=clone).returncode
        if status:
            print(f"failed: dvc repro ended with exit status {status}, as above", file=sys.stderr)
            return 1
        changed, off = compare(committed, read_run(clone), tolerance)
    verdict = "failed" if off else "alike" if changed else "identical"
    found = {"Outputs with other bytes": changed, "Metrics beyond the tolerance": off}
    if verdict != "identical":
        found["Differences of the environment"] = differences(environment, fingerprint())
    for title, lines in found.items():
        show("\n  ".join([f"{title}:", *(lines or ["none"])]))
    show(f"{verdict}: {TO_DO[verdict]}")
    return int(verdict == "failed")


def read_run(folder: Path) -> Run:
    """Return what ``dvc.lock`` records and the metrics files hold."""
    hashes = recorded_hashes(read_mapping(folder / "dvc.lock"), "outs")
    files = [path for path in hashes if path.startswith("metrics/")]
    return hashes, {path: read_json(folder, path, dict) for path in files}


def compare(committed: Run, new: Run, tolerance: float) -> tuple[list[str], list[str]]:
    """Return the outputs with other bytes, and a line for each metric that differs too much."""
    changed = list(differing(committed[0], new[0]))
    # If all outputs have the same bytes, other metrics at HEAD don't belong to its dvc.lock: no tolerance.
    return changed, differences(committed[1], new[1], tolerance if changed else 0)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float = 0) -> list[str]:
    """Return a line for each value that differs; for lists, with the elements that only one of them has."""
    lines = []
    for key, (was, now) in differing(flat(old), flat(new)).items():
        if isinstance(was, list) and isinstance(now, list):
            was, now = sorted({*was} - {*now}), sorted({*now} - {*was})
        numbers = isinstance(was, float) and isinstance(now, float)
        if not (numbers and math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)):
            lines.append(f"{key}: {words(was)} → {words(now)}")
    return lines
