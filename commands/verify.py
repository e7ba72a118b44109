"""Run what is committed at HEAD anew, away from the workspace, and hold it against its dvc.lock."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tabulate import tabulate

from commands import fingerprint
from commands.output import show
from digits.errors import InputError, excerpt
from digits.typed_yaml import read_mapping

#: The root of this code, which has the runner for repositories that have none of their own.
HOME = Path(__file__).parents[1]
#: Seconds that an interrupted run has to end its stages before it is made to; the runner takes five.
GRACE = 10.0


def main(*, tolerance: float, jobs: int | None, root: Path = Path()) -> int:
    """Print what differs; 0 if nothing does or each metric is within the tolerance, else 1.

    Args:
        tolerance: how far a metric may be off, as a share of it or in itself. Whole numbers, which
            count something, must be equal.
        jobs: stages at a time; None: as many as there are cores.
        root: in a git repository, with the pipeline.

    Raises:
        InputError: the tolerance is no such number; HEAD holds no ``dvc.lock``, or a damaged file.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise InputError(
            "--tolerance", found=str(tolerance), expected="a finite number from 0", do="name one, as 1e-3"
        )
    top, inside = _repository(root)
    with _interruptible(), tempfile.TemporaryDirectory(prefix="digits-verify-") as temporary:
        # Resolved, since git and DVC resolve what they say about it; macOS' is behind a link.
        folder = _clone(top, Path(temporary).resolve()) / inside
        if not (folder / "dvc.lock").is_file():
            raise InputError(
                "dvc.lock", found="none at HEAD", expected="a committed run", do="make run, then commit it"
            )
        try:
            committed = Run.read(folder)
            recorded = _json(folder / fingerprint.FILE) if (folder / fingerprint.FILE).is_file() else None
        except InputError as error:  # it names a copy that will be gone
            error.args = (str(error).replace(f"{folder}{os.sep}", "HEAD's "),)
            raise
        show(f"Running {_git(top, 'log', '-1', '--format=%h (%s)')} from nothing, in {folder}")
        if _git(top, "status", "--porcelain"):
            print("What isn't committed is left out.", flush=True)
        forget(folder, committed)
        status = reproduce(folder, jobs, _environment(Path(temporary), root))
        if status:
            print(f"failed: the fresh run ended with exit status {status}; see above", file=sys.stderr)
            return 1
        fresh = Run.read(folder)
    print()
    lines, good = report(committed, fresh, tolerance, _environment_lines(recorded))
    show("\n".join(lines))
    return 0 if good else 1


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        lock: the document of ``dvc.lock``.
        metrics: what stands in each JSON file of ``metrics``, by the file's path; of those that a
            stage makes, since others are the same in every run.
    """

    lock: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        run = cls(read_mapping(folder / "dvc.lock"), {})
        names = [name for name in run.outputs if name.startswith("metrics/") and name.endswith(".json")]
        metrics = {name: _json(folder / name) for name in names if (folder / name).is_file()}
        return cls(run.lock, metrics)

    @property
    def outputs(self) -> dict[str, str | None]:
        """The hash of each output, by path."""
        return {
            out["path"]: out.get(out.get("hash", "md5"))
            for stage in self.lock.get("stages", {}).values()
            for out in stage.get("outs", [])
        }

    @property
    def inputs(self) -> dict[str, Any]:
        """What the stages were given and no stage made: files' hashes, parameters, commands."""
        found: dict[str, Any] = {}
        for name, stage in self.lock.get("stages", {}).items():
            found[f"the command of {name}"] = stage.get("cmd")
            found |= {dep["path"]: dep.get(dep.get("hash", "md5")) for dep in stage.get("deps", [])}
            for file, params in stage.get("params", {}).items():
                found |= {f"{key} of {file}": value for key, value in params.items()}
        return {path: value for path, value in found.items() if path not in self.outputs}


def report(committed: Run, fresh: Run, tolerance: float, environment: list[str]) -> tuple[list[str], bool]:
    """The lines to print about two runs of one commit, and whether the fresh one will do."""
    lines = []
    if stale := _differing(committed.inputs, fresh.inputs):
        lines.append("dvc.lock records other inputs than this commit has:")
        lines += [*(f"  {name}" for name in stale), ""]
    outputs = _differing(committed.outputs, fresh.outputs)
    if not outputs:
        _, other = compare_metrics(committed.metrics, fresh.metrics, 0.0)
        if other:  # git keeps them beside dvc.lock, and either may be committed alone
            return [
                *lines,
                *_table(other),
                "failed: the metrics at HEAD are not those of its dvc.lock",
            ], False
        return [*lines, f"identical: all {len(fresh.outputs)} outputs have the bytes of dvc.lock"], True

    lines.append("other bytes than dvc.lock says:")
    for path in outputs:
        note = "" if path in fresh.outputs else " (gone)"
        note = note if path in committed.outputs else " (new)"
        lines.append(f"  {path}{note}")
    count = f"{len(outputs)} of {len(committed.outputs | fresh.outputs)} outputs differ in bytes"
    compared, beyond = compare_metrics(committed.metrics, fresh.metrics, tolerance)
    if beyond:
        lines += ["", *_table(beyond)]
        lines.append(f"failed: {count}, {len(beyond)} of {compared} metrics by more than {tolerance:g}")
    elif not compared:
        lines += ["", f"failed: {count}, and there are no metrics to judge them by"]
    else:
        lines += ["", f"alike: {count}, all {compared} metrics are within {tolerance:g}"]
    return lines + environment, not beyond and compared > 0


def _table(rows: list[list[str]]) -> list[str]:
    header = ["file", "metric", "HEAD", "fresh run", "change"]
    return [tabulate(rows, header, disable_numparse=True), ""]


def compare_metrics(
    committed: Mapping[str, Any], fresh: Mapping[str, Any], tolerance: float
) -> tuple[int, list[list[str]]]:
    """How many values there are, and a row for each that is off: file, key, before, after, change."""
    before, after = _values(committed), _values(fresh)
    rows = []
    for file, key in dict.fromkeys([*before, *after]):
        was, now = before.get((file, key), ""), after.get((file, key), "")
        if not _alike(was, now, tolerance):
            change = f"{now - was:+.2g}" if _is_number(was) and _is_number(now) else ""
            rows.append([file, key, str(was), str(now), change])
    return len(before.keys() | after.keys()), rows


def _alike(was: Any, now: Any, tolerance: float) -> bool:
    if was == now and type(was) is type(now):
        return True
    if not (_is_number(was) and _is_number(now)) or (isinstance(was, int) and isinstance(now, int)):
        return False
    return math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values(files: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {(file, key): value for file, document in files.items() for key, value in _leaves(document)}


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in a JSON document, by dotted key."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{at}.{key}" if at else str(key))
    else:
        yield at, value


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    none = object()
    return sorted(
        key for key in before.keys() | after.keys() if before.get(key, none) != after.get(key, none)
    )


def _environment_lines(recorded: Any) -> list[str]:
    if not isinstance(recorded, dict):
        return [f"what differs in the environment: unknown, since HEAD has no {fingerprint.FILE}"]
    found = fingerprint.differences(recorded, fingerprint.fingerprint())
    if not found:
        return [f"what differs in the environment: nothing that {fingerprint.FILE} records"]
    return ["what differs in the environment:", *(f"  {line}" for line in found)]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(
            path, found=excerpt(str(error), 100), expected="JSON", do="mend the file and commit it"
        ) from None


def _repository(root: Path) -> tuple[Path, Path]:
    """Where the git repository begins that ``root`` is in, and the way from there to ``root``."""
    top, inside = _git(root, "rev-parse", "--show-toplevel", "--show-prefix").split("\n")
    _git(root, "rev-parse", "--verify", "HEAD^{commit}")
    return Path(top), Path(inside)


def _clone(repository: Path, into: Path) -> Path:
    """A clone of HEAD alone, with a DVC cache of its own that holds nothing."""
    folder = into / "clone"
    # Not --local: hard links would tie the clone's objects to the user's.
    _git(into, "clone", "--quiet", "--no-local", "--depth=1", "--no-tags", str(repository), str(folder))
    for settings in folder.rglob(".dvc/config"):
        # A cache that the project or the user shares would hand out what is to be made.
        settings.with_name("config.local").write_text(f"[cache]\n    dir = {into / 'cache'}\n")
    return folder


def forget(folder: Path, committed: Run) -> None:
    """Remove the lock, and outputs that git has: a stage that no longer writes its own is found out."""
    (folder / "dvc.lock").unlink()
    for output in committed.outputs:
        path = (folder / output).resolve()
        if folder not in path.parents:
            continue  # nothing outside is this command's to remove
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _environment(temporary: Path, root: Path) -> dict[str, str]:
    environment = _unhooked()
    # As after `make install`: the environment's own programs come first.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # DVC would keep an index of each folder that it ever ran in.
    environment["DVC_SITE_CACHE_DIR"] = str(temporary / "site")
    mirror = environment.get("DIGITS_MIRROR")
    if mirror and (root / mirror).is_dir():
        environment["DIGITS_MIRROR"] = str((root / mirror).resolve())
    return environment


def reproduce(folder: Path, jobs: int | None, environment: dict[str, str]) -> int:
    """Run all stages, showing what they say; the exit status."""
    if not (folder / "tools/parallel_repro.py").is_file():
        environment |= {"PYTHONPATH": str(HOME)}
    # The runner needs POSIX.
    command = ["dvc", "repro"] if os.name == "nt" else ["tools.parallel_repro"]
    if jobs is not None and os.name != "nt":
        command += ["--jobs", str(jobs)]
    # A session of its own: a terminal sends Ctrl-C to all in ours, and the runner takes a second one,
    # passed on from here, for impatience.
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, start_new_session=True
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()  # not SIGINT: while it still imports, it would show a traceback
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or lost terminal ends the block; the rest leave the clearing up alone."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _git(folder: Path, *words: str) -> str:
    """What git says, without the last line's end.

    Raises:
        InputError: it fails.
    """
    command = ["git", *words]
    process = subprocess.run(command, cwd=folder, env=_unhooked(), capture_output=True, text=True)
    if process.returncode:
        raise InputError(
            f"git {words[0]}",
            found=process.stderr.strip() or f"exit status {process.returncode}",
            expected="a git repository with a commit",
            do="run this in a clone of the project, or commit first",
        )
    return process.stdout.removesuffix("\n")


def _unhooked() -> dict[str, str]:
    """The environment without what git sets for a hook: a clone would write to that repository's files."""
    return {
        key: value
        for key, value in os.environ.items()
        if key not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    }
