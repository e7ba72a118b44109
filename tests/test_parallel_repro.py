"""tools/parallel_repro.py in DVC repositories that have nothing to do with this project."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from dvc.lock import Lock
from dvc.utils.serialize import modify_yaml

from tests.conftest import REPOSITORY
from tools import parallel_repro

pytestmark = pytest.mark.slow

# A source, a matrix and a foreach of two each, a frozen stage, a second dvc.yaml, a join of all.
DVC_YAML = """
vars:
  - letters: [a, b]
stages:
  source:
    cmd: python work.py source.txt
    deps: [work.py, seed.txt]
    outs: [source.txt]
  square:
    matrix:
      letter: ${letters}
      number: [1, 2]
    cmd: python work.py square-${item.letter}-${item.number}.txt source.txt
    deps: [work.py, source.txt]
    outs:
      - square-${item.letter}-${item.number}.txt:
          persist: true
  each:
    foreach: ${letters}
    do:
      cmd: python work.py each-${item}.txt source.txt
      deps: [work.py, source.txt]
      outs:
        - each-${item}.txt
  cold:
    cmd: python work.py cold.txt seed.txt
    deps: [work.py, seed.txt]
    outs: [cold.txt]
    frozen: true
  join:
    cmd: python work.py join.txt square-a-1.txt square-b-2.txt each-a.txt each-b.txt sub/inner.txt
    deps: [work.py, square-a-1.txt, square-b-2.txt, each-a.txt, each-b.txt, sub/inner.txt]
    outs: [join.txt]
"""
SUB_DVC_YAML = """
stages:
  inner:
    cmd: python ../work.py inner.txt ../source.txt
    deps: [../work.py, ../source.txt]
    outs: [inner.txt]
  alone:
    cmd: python ../work.py alone.txt
    outs:
      - alone.txt:
          cache: false
"""
# The output is the inputs' text and the own name; how long it takes is chance, or fails if asked to.
WORK = """
import os, random, sys, time
target, *sources = sys.argv[1:]
if target in os.environ.get("FAIL", "").split():
    sys.exit(f"no {target} today")
time.sleep(float(os.environ.get("SLEEP", random.uniform(0, 0.3))))
text = "".join(open(source).read() for source in sources)
open(target, "w").write(f"({text}{target})")
"""
STAGES = 10


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"} | more


def run(*words: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def parallel(cwd: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return run("-m", "tools.parallel_repro", *words, cwd=cwd, **more)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A DVC repository in which nothing has run yet."""
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    assert run("-m", "dvc", "init", "--no-scm", "--quiet", cwd=folder).returncode == 0
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "sub/dvc.yaml").write_text(SUB_DVC_YAML)
    (folder / "work.py").write_text(WORK)
    (folder / "seed.txt").write_text("seed")
    (folder / "cold.txt").write_text("made long ago")  # what is frozen must be there
    return folder


def locks(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "dvc.lock").read_bytes(), (folder / "sub/dvc.lock").read_bytes()


@pytest.fixture
def sequential(repository: Path, tmp_path: Path) -> tuple[bytes, bytes]:
    """The lock files that ``dvc repro`` leaves."""
    copy = tmp_path / "sequential"
    shutil.copytree(repository, copy)
    process = run("-m", "dvc", "repro", "--all-pipelines", cwd=copy, SLEEP="0")
    assert process.returncode == 0, process.stdout
    return locks(copy)


def test_the_lock_files_are_those_of_dvc_repro_ten_times(
    repository: Path, sequential: tuple[bytes, bytes], tmp_path: Path
) -> None:
    for number in range(10):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(repository, copy)
        process = parallel(copy, "--jobs", str(2 + number % 4))
        assert process.returncode == 0, process.stdout
        assert process.stdout.count("Running stage") == STAGES
        assert locks(copy) == sequential


def test_only_what_changed_runs_again(repository: Path) -> None:
    assert parallel(repository, SLEEP="0").returncode == 0
    again = parallel(repository)
    assert again.returncode == 0
    assert again.stdout.endswith("Data and pipelines are up to date.\n")
    assert "|" not in again.stdout  # no stage was even asked
    (repository / "each-a.txt").unlink()
    (repository / "join.txt").unlink()
    process = parallel(repository)
    assert process.returncode == 0
    assert "Running stage" not in process.stdout  # both come back from DVC's cache
    assert (repository / "join.txt").is_file()


def test_targets_and_what_they_need(repository: Path) -> None:
    process = parallel(repository, "square@b-2", SLEEP="0")
    assert process.returncode == 0, process.stdout
    made = {path.name for path in repository.glob("*.txt")}
    assert made == {"seed.txt", "cold.txt", "source.txt", "square-b-2.txt"}


def test_independent_stages_overlap(repository: Path) -> None:
    assert parallel(repository, "source", SLEEP="0").returncode == 0
    process = parallel(repository, "each@a", "each@b", "--jobs", "2", SLEEP="2")
    lines = process.stdout.splitlines()
    started = [number for number, line in enumerate(lines) if "Running stage" in line]
    ended = [number for number, line in enumerate(lines) if "Updating lock file" in line]
    assert len(started) == len(ended) == 2
    assert max(started) < min(ended)
    assert lines[started[0]].startswith("each@")  # each line says whose it is


def test_the_longest_row_of_stages_is_run_first(repository: Path) -> None:
    """With one at a time: what the join waits for, the join, then side branches, longest first."""
    process = parallel(repository, "--jobs", "1", SLEEP="0")
    names = [line.partition(" ")[0] for line in process.stdout.splitlines() if "Running stage" in line]
    needed = {"square@a-1", "square@b-2", "each@a", "each@b", "sub/dvc.yaml:inner"}
    assert names[0] == "source"
    assert set(names[1:6]) == needed
    assert names[6] == "join"
    assert set(names[7:9]) == {"square@a-2", "square@b-1"}
    assert names[9:] == ["sub/dvc.yaml:alone"]


def test_a_failure_stops_what_depends_on_it_and_nothing_else(repository: Path) -> None:
    process = parallel(repository, FAIL="each-a.txt", SLEEP="0")
    assert process.returncode == 1
    assert "each@a" in process.stdout
    assert "no each-a.txt today" in process.stdout
    assert "error: each@a: failed with exit status" in process.stdout
    assert "error: join: not run, since each@a failed" in process.stdout
    made = {path.name for path in repository.rglob("*.txt")}
    assert "join.txt" not in made
    assert {"each-b.txt", "square-a-1.txt", "square-b-2.txt", "inner.txt", "alone.txt"} <= made


def test_a_failure_keeps_the_last_good_outputs(repository: Path) -> None:
    assert parallel(repository, SLEEP="0").returncode == 0
    before, lock = (repository / "each-a.txt").read_text(), (repository / "dvc.lock").read_bytes()
    (repository / "seed.txt").write_text("another seed")
    (repository / "source.txt").unlink()
    process = parallel(repository, FAIL="each-a.txt source.txt", SLEEP="0")
    assert process.returncode == 1
    assert (repository / "each-a.txt").read_text() == before
    assert (repository / "source.txt").is_file()
    assert (repository / "dvc.lock").read_bytes() == lock


@pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_all_children_and_keeps_the_last_good_outputs(
    repository: Path, number: int
) -> None:
    assert parallel(repository, SLEEP="0").returncode == 0
    before = {path.name: path.read_text() for path in repository.glob("*.txt")}
    (repository / "work.py").write_text(WORK + "\n")  # every stage has to run again
    mark = f"{repository.parent.name}-{number}"
    with subprocess.Popen(
        [sys.executable, "-m", "tools.parallel_repro", "--jobs", "2"],
        cwd=repository,
        env=environment(SLEEP="60", MARK=mark),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("> python" in line for line in process.stdout)
        time.sleep(0.3)
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
    assert not left_over(mark)
    assert {path.name: path.read_text() for path in repository.glob("*.txt")} == before
    shutil.rmtree(repository / "__pycache__", ignore_errors=True)
    after = parallel(repository, SLEEP="0")
    assert after.returncode == 0, after.stdout


def left_over(mark: str) -> list[str]:
    """Processes that still have the mark in their environment; zombies have none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_half_a_list_of_used_paths_is_no_hindrance(repository: Path) -> None:
    """What a process leaves that was killed while it wrote; DVC by itself refuses to start beside it."""
    (repository / ".dvc/tmp").mkdir(exist_ok=True)
    (repository / ".dvc/tmp/rwlock").write_text('{"write": {"/somewhere"')
    process = parallel(repository, SLEEP="0")
    assert process.returncode == 0, process.stdout


def test_paths_that_the_dead_used_are_free(repository: Path) -> None:
    """Also where a zombie has its number still, or another process has it since."""
    assert parallel(repository, SLEEP="0").returncode == 0
    path = str(repository / "source.txt")
    record = repository / ".dvc/tmp/rwlock"
    with (
        subprocess.Popen([sys.executable, "-c", ""]) as zombie,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
    ):
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has asked for it
        for user in (zombie, other):
            entry = {"pid": user.pid, "cmd": "dvc repro"}
            record.write_text(
                json.dumps({"write": {path: entry}, "read": {str(repository / "seed.txt"): [entry]}})
            )
            if user is other:
                long_ago = time.time() - 3600
                os.utime(record, (long_ago, long_ago))
            (repository / "seed.txt").write_text(f"seed of {user.pid}")
            process = parallel(repository, SLEEP="0")
            assert process.returncode == 0, process.stdout
            assert "Waiting" not in process.stdout
        other.communicate(b"\n")


def test_paths_that_the_living_use_are_waited_for(repository: Path) -> None:
    assert parallel(repository, SLEEP="0").returncode == 0
    record = repository / ".dvc/tmp/rwlock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as user:
        time.sleep(0.1)
        entry = {"pid": user.pid, "cmd": "dvc repro"}
        record.write_text(json.dumps({"write": {str(repository / "source.txt"): entry}, "read": {}}))
        with subprocess.Popen(
            [sys.executable, "-m", "tools.parallel_repro"],
            cwd=repository,
            env=environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Waiting: ")
            user.communicate(b"\n")
            assert process.wait(timeout=60) == 0


def test_two_runs_at_once_wait_for_each_other(repository: Path, sequential: tuple[bytes, bytes]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tools.parallel_repro"],
        cwd=repository,
        env=environment(SLEEP="0.2", PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        assert "Running stage" in first.stdout.readline()
        second = parallel(repository)
        rest = first.stdout.read()
    assert (first.returncode, second.returncode) == (0, 0), rest + second.stdout
    assert second.stdout.startswith("Another run is at work here; waiting until it has ended\n")
    assert second.stdout.endswith("Data and pipelines are up to date.\n")
    assert locks(repository) == sequential


@pytest.mark.parametrize("left", [0, 3])
def test_a_run_that_goes_on_with_one_cut_off_keeps_the_order(
    left: int, repository: Path, sequential: tuple[bytes, bytes]
) -> None:
    """Whether it was cut off amidst its stages or after the last."""
    assert parallel(repository, SLEEP="0").returncode == 0
    record(repository, "", "")
    with modify_yaml(repository / "dvc.lock") as document:
        stages = document["stages"]
        for name in list(stages)[:left]:
            del stages[name]
        for name in reversed(list(stages)):  # what chance may do
            stages[name] = stages.pop(name)
    after = parallel(repository, SLEEP="0")
    assert after.returncode == 0, after.stdout
    assert locks(repository) == sequential
    assert not (repository / RECORD).exists()


RECORD = ".dvc/tmp/parallel_repro.json"


def record(repository: Path, *texts: str) -> None:
    """What a run that is cut off leaves: both lock files as they were before it."""
    paths = (str(repository / "dvc.lock"), str(repository / "sub/dvc.lock"))
    (repository / RECORD).write_text(json.dumps(dict(zip(paths, texts, strict=True))))


@pytest.mark.parametrize("kept", [0.3, 0.99])
@pytest.mark.parametrize("there", [True, False])
def test_a_lock_file_that_dvc_was_writing_is_put_back(
    kept: float, there: bool, repository: Path, sequential: tuple[bytes, bytes]
) -> None:
    """As a kill leaves it: cut off anywhere, and the first or not the first of a stage."""
    assert parallel(repository, SLEEP="0").returncode == 0
    record(repository, *(lock.decode() if there else "" for lock in sequential))
    lock = repository / "dvc.lock"
    lock.write_bytes(lock.read_bytes()[: int(len(sequential[0]) * kept)])
    after = parallel(repository, SLEEP="0")
    assert after.returncode == 0, after.stdout
    assert locks(repository) == sequential


def test_a_run_that_nobody_reads_stops(repository: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tools.parallel_repro", "--jobs", "2"],
        cwd=repository,
        env=environment(SLEEP="1", PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert said.endswith("\nerror: nobody reads the output any more; what had begun was stopped\n")
    assert "Traceback" not in said
    assert parallel(repository, SLEEP="0").returncode == 0  # and has left no lock


@pytest.fixture
def remote(repository: Path) -> Path:
    """A folder that has every output of the repository, whose default remote it is."""
    folder = repository.parent / "remote"
    assert run("-m", "dvc", "remote", "add", "-d", "storage", str(folder), cwd=repository).returncode == 0
    assert parallel(repository, SLEEP="0").returncode == 0
    process = run("-m", "dvc", "push", cwd=repository)
    assert process.returncode == 0, process.stdout
    return folder


def clone(repository: Path) -> Path:
    """What git would have of it: no cache, and no outputs but those that DVC doesn't cache."""
    mine = ("cache", "tmp", "__pycache__", "source.txt", "square-*", "each-*", "join.txt", "inner.txt")
    return shutil.copytree(repository, repository.parent / "clone", ignore=shutil.ignore_patterns(*mine))


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}


def test_a_clone_pulls_and_runs_nothing(repository: Path, remote: Path) -> None:
    copy = clone(repository)
    process = parallel(copy)
    assert process.returncode == 0, process.stdout
    assert "Running stage" not in process.stdout
    assert process.stdout.endswith("Data and pipelines are up to date.\n")
    assert "warning" not in process.stdout
    assert texts(copy) == texts(repository)
    shutil.rmtree(remote)  # nobody needs it any more
    again = parallel(copy)
    assert again.stdout.endswith("Data and pipelines are up to date.\n")
    assert "Pulling" not in again.stdout
    for path in copy.glob("square-*"):
        path.unlink()
    process = parallel(copy)
    assert "Pulling" not in process.stdout
    assert "Running stage" not in process.stdout  # though DVC's run cache keeps out what persists
    assert texts(copy) == texts(repository)


def test_targets_alone_are_pulled(repository: Path, remote: Path) -> None:
    copy = clone(repository)
    process = parallel(copy, "each@a")
    assert process.returncode == 0, process.stdout
    assert "Running stage" not in process.stdout
    assert set(texts(copy)) == {"seed.txt", "cold.txt", "sub/alone.txt", "source.txt", "each-a.txt"}


def test_what_has_changed_runs_on_what_is_pulled(repository: Path, remote: Path) -> None:
    copy = clone(repository)
    pipeline = (copy / "dvc.yaml").read_text()
    changed = pipeline.replace("each-${item}.txt source.txt", "each-${item}.txt seed.txt")
    assert changed != pipeline
    (copy / "dvc.yaml").write_text(changed)
    process = parallel(copy)
    assert process.returncode == 0, process.stdout
    ran = {line.split("'")[1] for line in process.stdout.splitlines() if "Running stage" in line}
    assert ran == {"each@a", "each@b", "join"}
    assert "warning" not in process.stdout
    assert (copy / "each-a.txt").read_text() == "(seedeach-a.txt)"


def test_what_the_remote_lacks_runs(repository: Path, remote: Path) -> None:
    lock = yaml.safe_load((repository / "dvc.lock").read_text())
    (out,) = lock["stages"]["each@a"]["outs"]
    (remote / "files/md5" / out["md5"][:2] / out["md5"][2:]).unlink()
    copy = clone(repository)
    process = parallel(copy)
    assert process.returncode == 0, process.stdout
    assert process.stdout.count("warning: remote 'storage' did not give all that is missing\n") == 1
    assert process.stdout.count("Running stage") == 1
    assert "Running stage 'each@a'" in process.stdout
    assert locks(copy) == locks(repository)
    assert texts(copy) == texts(repository)


@pytest.mark.parametrize(
    "url", ["/nowhere/at/all", "ssh://nobody@127.0.0.1:9/nowhere", "s3://nowhere/at/all"]
)
def test_a_remote_that_fails_is_said_and_everything_runs(repository: Path, remote: Path, url: str) -> None:
    copy = clone(repository)
    assert run("-m", "dvc", "remote", "modify", "storage", "url", url, cwd=copy).returncode == 0
    process = parallel(copy, SLEEP="0")
    assert process.returncode == 0, process.stdout
    (line,) = (line for line in process.stdout.splitlines() if line.startswith("warning"))
    assert line.startswith("warning: remote 'storage' did not give all that is missing")
    assert not any(word in process.stdout for word in ("ERROR", "Traceback", "Missing cache files"))
    assert process.stdout.count("Running stage") == STAGES - 1  # what DVC doesn't cache is there
    assert texts(copy) == texts(repository)


@pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's")
def test_an_interrupt_stops_a_pull(repository: Path, remote: Path) -> None:
    copy = clone(repository)
    mark = f"{repository.parent.name}-pull"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}/nowhere"
        assert run("-m", "dvc", "remote", "modify", "storage", "url", url, cwd=copy).returncode == 0
        with subprocess.Popen(
            [sys.executable, "-m", "tools.parallel_repro"],
            cwd=copy,
            env=environment(MARK=mark),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            silent.settimeout(30)
            with silent.accept()[0]:
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=20) == 130
            assert "Traceback" not in process.stdout.read()
    assert not left_over(mark)


def test_bad_targets_and_jobs_are_said(repository: Path) -> None:
    process = parallel(repository, "nowhere")
    assert process.returncode == 1
    assert process.stdout.startswith("error: ")
    assert "nowhere" in process.stdout
    assert "Traceback" not in process.stdout
    assert parallel(repository, "--jobs", "0").returncode == 2


def test_a_lock_that_is_held_for_a_moment_is_waited_for_without_dvcs_sleep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_to_dvc: list[Lock] = []
    monkeypatch.setattr(Lock, "lock", left_to_dvc.append)
    parallel_repro._look_for_locks_often()
    path = str(tmp_path / "lock")
    sibling, own, late = Lock(path), Lock(path), Lock(path)
    sibling.lock()
    freed = threading.Timer(0.1, sibling.unlock)
    freed.start()
    own.lock()
    freed.join()
    assert own.is_locked
    assert not left_to_dvc
    late.lock()  # which nobody frees
    assert left_to_dvc == [late]
    own.unlock()
