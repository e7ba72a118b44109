"""Run independent DVC stages side by side: python -m tools.parallel_repro [--jobs N] [TARGET …]

``dvc repro`` runs one stage at a time (https://github.com/treeverse/dvc/issues/755). This asks DVC
for the graph and has ``dvc repro --single-item`` run each stage as soon as all that it depends on
is done, so locks, lock files, the run cache and messages stay DVC's own, and dvc.lock comes out as
from ``dvc repro``, byte for byte. It knows nothing of the stages: it works in any DVC repository.

Where a default remote is configured, a stage that lacks nothing but files is pulled, not run.
"""

import argparse
import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import dvc.cli
import psutil
from dvc.exceptions import DvcException
from dvc.lock import Lock, LockError, make_lock
from dvc.progress import Tqdm
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from dvc.utils.serialize import load_yaml, loads_yaml, modify_yaml

#: What DVC says when another of its processes uses a path; a matter of moments between siblings.
BUSY = b"is busy, it is being blocked by"
#: Seconds after which such a path counts as blocked for good, and between two tries.
PATIENCE, PAUSE = 60.0, 0.2
#: Seconds between two looks for a lock of DVC.
LOOK = 0.01
#: Seconds that stages have to end by themselves after an interrupt.
GRACE = 5.0
#: What DVC's status says of a file that isn't in the workspace, or not in the cache either.
DELETED, NOT_IN_CACHE = "deleted", "not in cache"
#: How DVC begins the line that says why it gave up.
ERROR = "ERROR: "

Result = TypeVar("Result")

# A fork has DVC imported, which takes as long as all that DVC does for a stage. Forking a process
# that has threads can hang: DVC's one thread watches progress bars, and isn't needed.
FORK = sys.platform == "linux"
Tqdm.monitor_interval = 0


def main() -> None:
    parser = argparse.ArgumentParser(description="dvc repro, with independent stages side by side")
    parser.add_argument("targets", nargs="*", help="stages or dvc.yaml files; all of them by default")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="stages at a time")
    arguments = parser.parse_args()
    if os.name == "nt":
        sys.exit("error: stages side by side need Linux or macOS; run dvc repro")
    gc.disable()  # what DVC builds up lives until the end, which isn't far: a tenth of the time
    try:
        with _interruptible():
            sys.exit(reproduce(arguments.targets, jobs=arguments.jobs))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter's last flush fails again
        sys.exit("error: nobody reads the output any more; what had begun was stopped")
    except DvcException as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def reproduce(targets: list[str], *, jobs: int) -> int:
    """Bring the targets up to date with at most ``jobs`` stages at a time; the exit status.

    A stage that fails stops those that depend on it, and no other. Another run in the same repository is
    waited for.
    """
    folder = Path(Repo.find_root(), Repo.DVC_DIR, "tmp")
    with _alone(folder / "parallel_repro.lock"):
        record = folder / "parallel_repro.json"
        _mend_lock_files(record)
        return _reproduce(targets, jobs, record)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While the block runs, it runs for no one else who names the same file.

    The lock ends with the process, and with the children that it forks: what a killed run left at work is
    waited for too.
    """
    import fcntl  # there is none on Windows, where main() has said so

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run is at work here; waiting until it has ended", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _reproduce(targets: list[str], jobs: int, record: Path) -> int:
    cut_off = record.exists()  # the run before this one was
    plan, needs, status, lock_files, remote = _survey(targets, whole=cut_off)
    if remote and (incomplete := _incomplete(status)):
        reason = _pull(incomplete, remote)
        plan, needs, status, lock_files, remote = _survey(targets, whole=cut_off)
        if any(incomplete.get(address) and absent for address, absent in _incomplete(status).items()):
            print(f"warning: remote '{remote}' did not give all that is missing{reason}", file=sys.stderr)
    changed = set(status)
    for address in plan:  # in an order in which what an address needs stands before it
        if needs[address] & changed:
            changed.add(address)
    todo = [address for address in plan if address in changed]
    if not todo and not cut_off:
        print("Data and pipelines are up to date.")
        return 0
    if todo and FORK:
        # DVC makes its parser once in a process: the children have it made. Imported here, since
        # all of DVC's commands come with it, which a run with nothing to do does without.
        from dvc.cli.parser import get_main_parser

        get_main_parser()
    before = _names_before(record, lock_files)
    failed = _Run(todo, needs, jobs).run() if todo else {}
    for path, names in before.items():
        _put_in_order(path, names, plan)
    record.unlink()
    if not todo:
        print("Data and pipelines are up to date.")
    for address, reason in failed.items():
        print(f"error: {address}: {reason}", file=sys.stderr)
    return 1 if failed else 0


class _Survey(NamedTuple):
    """What DVC knows of the repository at one moment; each stage goes by its address."""

    plan: list[str]
    needs: dict[str, set[str]]
    status: dict[str, list[Any]]
    lock_files: set[str]
    remote: str | None


def _once_unlocked(look: Callable[[], Result]) -> Result:
    """What ``look`` gives, once no other DVC, nor one that was killed and isn't quite gone, has the lock."""
    until = time.monotonic() + PATIENCE
    waited = False
    while True:
        try:
            return look()
        except LockError as error:
            if time.monotonic() > until:
                raise
            if not waited:
                print(f"Waiting: {str(error).partition(chr(10))[0]}", flush=True)
            waited = True
            time.sleep(PAUSE)


def _survey(targets: list[str], *, whole: bool = False) -> _Survey:
    """What there is to do; with ``whole``, the plan also where that is nothing."""
    return _once_unlocked(lambda: _survey_once(targets, whole=whole))


def _survey_once(targets: list[str], *, whole: bool) -> _Survey:
    with Repo() as repo, lock_repo(repo):  # one lock: DVC reads all its files anew for each
        _mend_path_locks(repo)
        status = repo.status(targets=targets or None, with_deps=bool(targets))
        remote = repo.config["core"].get("remote")
        if not status and not whole:  # the graph takes time to make, and nobody needs it then
            return _Survey([], {}, status, set(), remote)
        graph = get_active_graph(repo.index.graph)
        stages = collect_stages(repo, targets) if targets else list(repo.index.stages)
        return _Survey(
            plan=[stage.addressing for stage in plan_repro(graph, stages)],
            needs={
                stage.addressing: {other.addressing for other in graph.successors(stage)} for stage in graph
            },
            status=status,
            lock_files={
                stage.dvcfile._lockfile.path
                for stage in repo.index.stages
                if hasattr(stage.dvcfile, "_lockfile")
            },
            remote=remote,
        )


def _mend_path_locks(repo: Repo) -> None:
    """Remove from DVC's list of who uses which path what killed processes left there.

    DVC refuses to start beside half a list, and takes a zombie, or whoever has got the number of a process
    since, for the process.
    """
    record = Path(repo.tmp_dir, RWLOCK_FILE)
    with make_lock(f"{repo.tmp_dir}/{RWLOCK_LOCK}", tmp_dir=repo.tmp_dir), suppress(FileNotFoundError):
        written = record.stat().st_mtime
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
            kept = {
                "read": {
                    path: [reader for reader in readers if _is_at_work(reader["pid"], written)]
                    for path, readers in found.get("read", {}).items()
                },
                "write": {
                    path: writer
                    for path, writer in found.get("write", {}).items()
                    if _is_at_work(writer["pid"], written)
                },
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            record.unlink()
            return
        if kept != found:
            record.write_text(json.dumps(kept), encoding="utf-8")


def _is_at_work(number: int, since: float) -> bool:
    """Whether a process of this number has been running since then, as time.time() counts."""
    try:
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1
    except psutil.NoSuchProcess:
        return False


def _incomplete(status: dict[str, list[Any]]) -> dict[str, bool]:
    """The stages that lack files and differ in nothing else; whether the cache lacks some of them."""
    found = {}
    for address, entries in status.items():
        # An entry says how files differ, by path; or it is the name of another change.
        files = [entry for entry in entries if isinstance(entry, dict)]
        states = [state for entry in files for paths in entry.values() for state in paths.values()]
        if len(files) == len(entries) and all(state in (DELETED, NOT_IN_CACHE) for state in states):
            found[address] = NOT_IN_CACHE in states
    return found


def _pull(incomplete: dict[str, bool], remote: str) -> str:
    """Their files from the cache, once the remote has filled it; what went wrong, to end a sentence.

    In children, since a transfer leaves threads behind, which a fork must not have; and in two steps,
    since ``dvc pull`` puts nothing into the workspace when one file can't be had.
    """
    reason = ""
    if absent := [address for address, absent in incomplete.items() if absent]:
        print(f"Pulling outputs of {len(absent)} stage(s) from remote '{remote}'", flush=True)
        lines = [line.decode(errors="replace") for line in _run_alone("fetch", *absent)]
        reason = next((": " + line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)), "")
    _bring_back(*incomplete)
    return reason


class _Child:
    """A DVC command in a process of its own."""

    def __init__(self, address: str, *command: str) -> None:
        context: Any = multiprocessing.get_context("fork" if FORK else "spawn")
        self.address = address
        self.output, write_end = context.Pipe(duplex=False)
        self.process = context.Process(target=_run_dvc, args=(command, write_end))
        self.process.start()
        write_end.close()
        self.line = b""
        self.silent = True
        self.busy = False

    def read(self) -> list[bytes]:
        """The lines that have come, when some have; at the end, what came after the last one."""
        content = os.read(self.output.fileno(), 1 << 16)
        *lines, self.line = (self.line + (content or b"\n" * bool(self.line))).split(b"\n")
        self.busy = self.busy or any(BUSY in line for line in lines)
        self.silent = False
        if not content:
            self.output.close()
        return lines

    def signal(self, number: int) -> None:
        """Send it to the whole group of the child, what DVC has started included."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def _run_dvc(command: tuple[str, ...], output: Connection) -> None:
    os.setsid()  # a group of its own, which an interrupt can reach whole
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    _look_for_locks_often()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # in order with the stage's
    sys.exit(dvc.cli.main(list(command)))


def _look_for_locks_often() -> None:
    """Siblings hold DVC's locks for moments, but whoever finds one taken sleeps for half a second."""
    wait_for_long = Lock.lock

    def lock(self: Any) -> None:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            try:
                self._do_lock()
            except LockError:
                time.sleep(LOOK)
            else:
                return
        wait_for_long(self)

    Lock.lock = lock


class _Run:
    """One pass over the stages that may have to run."""

    def __init__(self, todo: list[str], needs: dict[str, set[str]], jobs: int) -> None:
        self.needs = {address: needs[address] & set(todo) for address in todo}
        self.jobs = jobs
        self.width = max(map(len, todo))
        self.children: list[_Child] = []
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        # When a stage that found one of its paths blocked may be tried again, and until when.
        self.pause_until: dict[str, float] = {}
        self.patience_until: dict[str, float] = {}
        # How many stages come in a row before each, and how many wait in a row for it.
        before, behind = dict.fromkeys(todo, 0), dict.fromkeys(todo, 0)
        for address in todo:
            before[address] = max((before[need] + 1 for need in self.needs[address]), default=0)
        for address in reversed(todo):
            for need in self.needs[address]:
                behind[need] = max(behind[need], behind[address] + 1)
        # The longest row first, so that no core is idle at the end while one stage follows another;
        # where nothing waits, the end of a long row before a stage that could have run all the while.
        self.waiting = sorted(todo, key=lambda address: (-behind[address], -before[address]))

    def run(self) -> dict[str, str]:
        """Run them; why each stage that didn't end well did not."""
        try:
            while self.waiting or self.children:
                self.start_what_can()
                outputs: dict[Any, _Child] = {child.output: child for child in self.children}
                for output in wait(list(outputs), PAUSE):
                    self.take_output(outputs[output])
        except BaseException:  # an interrupt, or nobody reads what is printed
            _stop(self.children)
            if self.children:
                _bring_back(*(child.address for child in self.children))
            raise
        return self.failed

    def start_what_can(self) -> None:
        for address in list(self.waiting):
            if any(child.silent for child in self.children):
                return  # it has DVC's lock for a moment, and another one would be in its way
            if missing := self.needs[address] & self.failed.keys():
                self.failed[address] = f"not run, since {min(missing)} failed"
                self.waiting.remove(address)
            elif (
                self.needs[address] <= self.done
                and len(self.children) < self.jobs
                and self.pause_until.get(address, 0.0) <= time.monotonic()
            ):
                self.waiting.remove(address)
                self.pause_until.pop(address, None)
                self.patience_until.setdefault(address, time.monotonic() + PATIENCE)
                self.children.append(_Child(address, "--wait-for-lock", "repro", "--single-item", address))

    def take_output(self, child: _Child) -> None:
        address = child.address
        for line in child.read():
            text = line.removesuffix(b"\r").decode(errors="replace")
            print(f"{address:{self.width}} | {text}", flush=True)
        if not child.output.closed:
            return
        child.process.join()
        self.children.remove(child)
        if not child.process.exitcode:
            self.done.add(address)
        elif child.busy and time.monotonic() < self.patience_until[address]:
            self.pause_until[address] = time.monotonic() + PAUSE
            self.waiting.append(address)
        else:
            self.failed[address] = f"failed with exit status {child.process.exitcode}"
            _bring_back(address)


def _stop(children: list[_Child]) -> None:
    """End all children: asked first, then made to."""
    try:
        for child in children:
            child.signal(signal.SIGINT)
        until = time.monotonic() + GRACE
        for child in children:
            child.process.join(max(0.0, until - time.monotonic()))
    finally:  # whoever interrupts twice doesn't want to wait
        for child in children:
            child.signal(signal.SIGKILL)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, and so does SIGINT where a shell's ``&`` had it ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bring_back(*addresses: str) -> None:
    """The outputs of the stages' last good runs, which aren't in the workspace any more, or not yet.

    Where there was none, or its outputs aren't in the cache, nothing happens.
    """
    _run_alone("checkout", "--quiet", "--allow-missing", *addresses)


def _run_alone(*command: str) -> list[bytes]:
    """What a DVC command says that needs no company."""
    child = _Child("", "--wait-for-lock", *command)
    lines = []
    try:
        while not child.output.closed:
            lines += child.read()
    except KeyboardInterrupt:
        _stop([child])
        raise
    child.process.join()
    return lines


def _names_before(record: Path, lock_files: set[str]) -> dict[str, list[str]]:
    """The names in each lock file before this run, or before the one that it goes on with.

    A run that is cut off leaves ``record``, since its lock files may be out of order then.
    """
    texts = {path: _text(path) for path in sorted(lock_files)} | _recorded(record)
    record.write_text(json.dumps(texts), encoding="utf-8")
    return {path: list((loads_yaml(text) or {}).get("stages", {})) for path, text in texts.items()}


def _mend_lock_files(record: Path) -> None:
    """Put back a lock file that DVC was writing when it was killed, as it was before that run.

    What has ended since then comes out of DVC's run cache, or runs again.
    """
    if not (texts := _recorded(record)):
        return
    try:
        _once_unlocked(_read_lock_files)
    except LockError:
        raise
    except DvcException as error:
        print(f"{' '.join(str(error).split())}; lock files are back from before the run that was cut off")
        for path, text in texts.items():
            Path(path).write_text(text, encoding="utf-8") if text else Path(path).unlink(missing_ok=True)


def _read_lock_files() -> None:
    with Repo() as repo, lock_repo(repo):
        _ = repo.index.stages


def _recorded(record: Path) -> dict[str, str]:
    """The text of each lock file before a run that was cut off; none where the last one was not."""
    with suppress(OSError, ValueError):
        return dict(json.loads(record.read_text(encoding="utf-8")))
    return {}


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


def _stages_in(lock_file: str) -> list[str]:
    """The names of the stages in a lock file, in their order."""
    return list(load_yaml(lock_file).get("stages", {})) if Path(lock_file).exists() else []


def _put_in_order(path: str, before: list[str], plan: list[str]) -> None:
    """New stages in a lock file in the order in which ``dvc repro`` would have run them.

    DVC appends each when it ends; side by side that order is chance.
    """
    names = [address.rpartition(":")[2] for address in plan]
    new = [name for name in _stages_in(path) if name not in before]
    ordered = sorted(new, key=lambda name: names.index(name) if name in names else len(names))
    if new != ordered:
        with modify_yaml(path) as document:
            stages = document["stages"]
            for name in ordered:
                stages[name] = stages.pop(name)


if __name__ == "__main__":
    main()
