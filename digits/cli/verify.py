"""Run the commit at HEAD again in a clone and compare with its dvc.lock: digits verify"""

import math
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from digits.cli.flattening import flat
from digits.cli.git import clone_head
from digits.cli.json_files import read_json
from digits.cli.output import show
from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping
from digits.evaluate.environment import FILE, fingerprint

Run = tuple[dict[str, str], dict[str, Any]]  # hashes of outputs by path, metrics by file and key

TO_DO = {
    "identical": "Nothing to do.",
    "alike": "Nothing to do if the environment differs: it rounds differently. "
    "If it is the same, make run and commit dvc.lock and metrics.",
    "failed": "If the environment differs, make install and verify again. "
    "If it is the same, make run and commit dvc.lock and metrics.",
}


def main(*, tolerance: float, root: Path = Path()) -> int:
    """Print what differs; return 0 if the runs are identical or alike, else 1.

    Args:
        tolerance: the largest allowed difference of a metric, relative or absolute; counts must be equal.
        root: the project's folder, in a git repository.

    Raises:
        InputError: the tolerance is no such number, or git has no commit with a ``dvc.lock``.
    """
    if not 0 <= tolerance < math.inf:
        raise InputError("--tolerance", found=str(tolerance), expected="a number from 0", do="try 1e-3")
    with tempfile.TemporaryDirectory(prefix="digits-verify-", ignore_cleanup_errors=True) as temporary:
        clone = clone_head(root, Path(temporary).resolve() / "clone")
        if not (clone / "dvc.lock").is_file():
            raise InputError("dvc.lock", found="none at HEAD", expected="one", do="make run, then commit it")
        committed = read_run(clone)
        print(f"Running HEAD again in {clone}, without uncommitted changes", flush=True)
        (clone / "dvc.lock").unlink()
        config = f"[cache]\n    dir = {temporary}/cache\n[core]\n    site_cache_dir = {temporary}/site\n"
        (clone / ".dvc/config.local").write_text(config)
        status, last_lines = _repro(clone)
        if status:
            show("\n".join(last_lines))
            print(f"failed: dvc repro ended with exit status {status}, as above", file=sys.stderr)
            return 1
        lines, verdict = compare(committed, read_run(clone), tolerance)
        if verdict != "identical" and (clone / FILE).is_file():
            found = differences(read_json(clone, str(FILE), dict), fingerprint())
            found = [f"  {line}" for line in found or ["nothing"]]
            lines = ["what differs in the environment:", *found, *lines]
    show("\n".join([*lines, TO_DO[verdict]]))
    return int(verdict == "failed")


def _repro(clone: Path) -> tuple[int, list[str]]:
    """Run the pipeline, naming each stage as it starts; return the exit status and the last lines."""
    last_lines: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            last_lines.append(line.rstrip())
            if stage := re.match("Running stage '(.+)':", line):
                show(f"  {stage[1]}")
    return process.returncode, list(last_lines)


def read_run(folder: Path) -> Run:
    """Return what ``dvc.lock`` records and the metrics files hold."""
    stages = read_mapping(folder / "dvc.lock").get("stages") or {}
    hashes = {out["path"]: out.get("md5", "") for stage in stages.values() for out in stage.get("outs", ())}
    files = [path for path in hashes if path.startswith("metrics/")]
    return hashes, flat({path: read_json(folder, path, dict) for path in files})


def compare(committed: Run, new: Run, tolerance: float) -> tuple[list[str], str]:
    """Return the lines to print, and ``identical``, ``alike`` (metrics within tolerance) or ``failed``."""
    changed = [path for path in committed[0] | new[0] if committed[0].get(path) != new[0].get(path)]
    off = []
    for name in committed[1] | new[1]:
        pair = committed[1].get(name, math.nan), new[1].get(name, math.nan)
        # With equal bytes, other metrics at HEAD are not those of its dvc.lock.
        allowed = tolerance if changed and isinstance(pair[0], float) else 0.0
        if not math.isclose(*pair, rel_tol=allowed, abs_tol=allowed):
            off.append((name, *pair))
    verdict = "failed" if off else "alike" if changed else "identical"
    table = tabulate(off, ["metric", "HEAD", "new run"], disable_numparse=True)
    counts = f"{len(changed)} of {len(committed[0] | new[0])} outputs differ in bytes, "
    counts += f"{len(off)} of {len(committed[1] | new[1])} metrics by more than the tolerance"
    lines = [*([f"other bytes: {', '.join(changed)}"] if changed else []), *([table] if off else [])]
    return [*lines, f"{verdict}: {counts}"], verdict


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
