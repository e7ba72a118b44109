"""Ask git, without waiting for a network or a password."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from digits.core.errors import InputError

#: A partial clone would fetch what it lacks, file by file; no protocol is allowed, so it can't.
OFFLINE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
FETCH_ALL = "git fetch --refetch --no-filter"


def git(root: Path, *words: str) -> bytes:
    """Return the output of a git command; empty if it fails, or there is no git."""
    return _run(root, *words).stdout


@contextmanager
def git_files(root: Path) -> Iterator[Callable[[str], bytes]]:
    """Yield a function that returns the content of ``<commit>:./<path>``; empty if there is no such file.

    All its calls use one git process.

    """
    if not git(root, "rev-parse", "--git-dir"):
        yield lambda name: b""
        return
    command, pipe = ["git", "cat-file", "--batch"], subprocess.PIPE
    with subprocess.Popen(command, cwd=root, env=os.environ | OFFLINE, stdin=pipe, stdout=pipe) as process:
        asked, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

        def read(name: str) -> bytes:
            asked.write(f"{name}\n".encode())
            asked.flush()
            size = answers.readline().rpartition(b" ")[2].strip()  # "<hash> blob <size>", or "<name> missing"
            return answers.read(int(size) + 1) if size.isdigit() else b""

        yield read


def check_owner(root: Path) -> None:
    """Raise an InputError if git refuses the repository because it belongs to another user."""
    errors = _run(root, "rev-parse").stderr.decode(errors="replace")
    if command := re.search(r"git config --global --add safe\.directory .+", errors):
        problem = "this git repository belongs to another user"
        raise InputError(root.resolve(), problem, f"If you trust it, run `{command[0]}`")


def is_shallow(root: Path) -> bool:
    return git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def lacks_files(root: Path, *revision: str) -> bool:
    """Return whether a partial clone lacks files of a revision, given as arguments of ``git rev-list``."""
    lines = git(root, "rev-list", "--objects", "--missing=print", *revision).splitlines()
    return any(line.startswith(b"?") for line in lines)


def commit_of(root: Path, revision: str) -> str:
    """Return the hash of the commit that a git revision or the name of a DVC experiment stands for.

    Raises:
        InputError: there is no such commit, or a partial clone lacks files of it.
    """
    check_owner(root)
    newest = "log", "-1", "--format=%H"
    named = git(root, *newest, "--end-of-options", revision, "--")
    commit = (named or git(root, *newest, f"--glob=refs/exps/*/*/{revision}")).decode().strip()
    if not commit:
        problem = "no such git commit, branch or tag, nor DVC experiment; `workspace` names the files here"
        fix = "Look at `git log` or `dvc exp list --all-commits`"
        if is_shallow(root):
            fix = "Run `git fetch --unshallow` to get older commits"
        raise InputError(revision, problem, fix)
    if lacks_files(root, f"{commit}:./"):
        raise InputError(revision, "this partial clone lacks some of its files", f"Run `{FETCH_ALL}`")
    return commit


def _run(root: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["git", *words], cwd=root, env=os.environ | OFFLINE, capture_output=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, b"", b"")
