"""Run independent DVC stages side by side: python -m tools.parallel_repro [--jobs N] [TARGET …]

``dvc repro`` runs one stage at a time (https://github.com/treeverse/dvc/issues/755). This asks DVC
for the graph and has ``dvc repro --single-item`` run each stage as soon as all that it depends on
is done, so locks, lock files, the run cache and messages stay DVC's own, and dvc.lock comes out as
from ``dvc repro``, byte for byte. It knows nothing of the stages: it works in any DVC repository.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from types import FrameType

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.utils.serialize import modify_yaml

#: What DVC says when another of its processes uses a path; a matter of moments between siblings.
BUSY = "is busy, it is being blocked by"
#: Seconds after which such a path counts as blocked for good, and between two tries.
PATIENCE, PAUSE = 60.0, 0.2
#: Seconds that stages have to end by themselves after an interrupt.
GRACE = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description="dvc repro, with independent stages side by side")
    parser.add_argument("targets", nargs="*", help="stages or dvc.yaml files; all of them by default")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="stages at a time")
    arguments = parser.parse_args()
    try:
        sys.exit(reproduce(arguments.targets, jobs=arguments.jobs))
    except DvcException as error:
        sys.exit(f"error: {error}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def reproduce(targets: list[str], *, jobs: int) -> int:
    """Bring the targets up to date with at most ``jobs`` stages at a time; the exit status.

    A stage that fails stops those that depend on it, and no other.
    """
    with Repo() as repo:
        graph = get_active_graph(repo.index.graph)
        stages = collect_stages(repo, targets) if targets else list(repo.index.stages)
        plan = [stage.addressing for stage in plan_repro(graph, stages)]
        needs = {stage.addressing: {other.addressing for other in graph.successors(stage)} for stage in graph}
        changed = set(repo.status(targets=targets or None, with_deps=bool(targets)))
        lock_files = _lock_files(repo)
    for address in plan:  # in an order in which what an address needs stands before it
        if needs[address] & changed:
            changed.add(address)
    todo = [address for address in plan if address in changed]
    if not todo:
        print("Data and pipelines are up to date.")
        return 0
    failed = _Run(todo, needs, jobs).run()
    for path, before in lock_files.items():
        _put_in_order(path, before, plan)
    for address, reason in failed.items():
        print(f"error: {address}: {reason}", file=sys.stderr)
    return 1 if failed else 0


class _Run:
    """One pass over the stages that may have to run."""

    def __init__(self, todo: list[str], needs: dict[str, set[str]], jobs: int) -> None:
        self.waiting = list(todo)
        self.needs = {address: needs[address] & set(todo) for address in todo}
        self.jobs = jobs
        self.width = max(map(len, todo))
        self.children: dict[str, subprocess.Popen[str]] = {}
        self.printing = Lock()
        self.stopping = Event()

    def run(self) -> dict[str, str]:
        """Run them; why each stage that didn't end well did not."""
        done: set[str] = set()
        failed: dict[str, str] = {}
        running: dict[Future[int], str] = {}
        with _interruptible(), ThreadPoolExecutor(self.jobs) as pool:
            try:
                while self.waiting or running:
                    for address in list(self.waiting):
                        if missing := self.needs[address] & failed.keys():
                            failed[address] = f"not run, since {min(missing)} failed"
                            self.waiting.remove(address)
                        elif self.needs[address] <= done and len(running) < self.jobs:
                            running[pool.submit(self.reproduce, address)] = address
                            self.waiting.remove(address)
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        address = running.pop(future)
                        if status := future.result():
                            failed[address] = f"failed with exit status {status}"
                            _bring_back(address)
                        else:
                            done.add(address)
            except KeyboardInterrupt:
                self.stop()
                raise SystemExit(130) from None
        return failed

    def reproduce(self, address: str) -> int:
        """``dvc repro --single-item`` of one stage, tried again while a sibling holds one of its paths."""
        until = time.monotonic() + PATIENCE
        while True:
            status, output = self.attempt(address)
            if not status or BUSY not in output or time.monotonic() > until or self.stopping.is_set():
                return status
            time.sleep(PAUSE)

    def attempt(self, address: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", address]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own, which an interrupt can reach whole, DVC's child included.
            start_new_session=True,
        )
        self.children[address] = child
        lines = []
        for line in child.stdout or ():
            lines.append(line)
            with self.printing:
                print(f"{address:{self.width}} | {line}", end="", flush=True)
        del self.children[address]
        return child.wait(), "".join(lines)

    def stop(self) -> None:
        """End all children: asked first, then made to."""
        self.waiting.clear()
        self.stopping.set()
        children = list(self.children.values())
        _signal(children, signal.SIGINT)
        until = time.monotonic() + GRACE
        while any(child.poll() is None for child in children) and time.monotonic() < until:
            time.sleep(0.05)
        _signal(children, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(children: list["subprocess.Popen[str]"], number: int) -> None:
    for child in children:
        try:
            if os.name == "nt":
                child.terminate()
            else:
                os.killpg(child.pid, number)
        except ProcessLookupError:
            pass


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


def _bring_back(address: str) -> None:
    """The outputs of the stage's last good run, which DVC removed before it ran again.

    Where there was none, or its outputs aren't in the cache, nothing happens.
    """
    command = [sys.executable, "-m", "dvc", "checkout", "--quiet", "--allow-missing", address]
    subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _lock_files(repo: Repo) -> dict[str, list[str]]:
    """The lock file beside each dvc.yaml, with the names of the stages in it, in their order."""
    files = {stage.dvcfile._lockfile for stage in repo.index.stages if hasattr(stage.dvcfile, "_lockfile")}
    return {file.path: list(file.load().get("stages", {})) if file.exists() else [] for file in files}


def _put_in_order(path: str, before: list[str], plan: list[str]) -> None:
    """New stages in a lock file in the order in which ``dvc repro`` would have run them.

    DVC appends each when it ends; side by side that order is chance.
    """
    if not Path(path).exists():
        return
    with modify_yaml(path) as document:
        stages = document["stages"]
        names = [address.rpartition(":")[2] for address in plan]
        new = [name for name in stages if name not in before]
        for name in sorted(new, key=lambda name: names.index(name) if name in names else len(names)):
            stages[name] = stages.pop(name)


if __name__ == "__main__":
    main()
