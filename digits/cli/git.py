"""Ask git, without waiting for a network or a password."""

import os
import re
import subprocess
from pathlib import Path

from digits.core.errors import InputError

#: A partial clone would fetch what it lacks, file by file; no protocol is allowed, so it can't.
OFFLINE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
FETCH_ALL = "git fetch --refetch --no-filter"
FIRST_COMMIT = "git init && git add --all && git commit --message Import"


def git(root: Path, *words: str, text: str = "") -> bytes:
    """Return the output of a git command that reads ``text``; empty if it fails, or there is no git."""
    return _run(root, *words, text=text).stdout


def lacks_files(root: Path, *revision: str) -> bool:
    """Return whether a partial clone lacks files of a revision, of which ``git rev-list`` takes the words."""
    lines = git(root, "rev-list", "--objects", "--missing=print", *revision).splitlines()
    return any(line.startswith(b"?") for line in lines)


def check_owner(root: Path, messages: bytes | None = None) -> None:
    """Raise an InputError if git refuses the repository of another user, now or in what it said on stderr."""
    errors = (_run(root, "rev-parse").stderr if messages is None else messages).decode(errors="replace")
    if command := re.search(r"git config --global --add safe\.directory .+", errors):
        found, expected = "a git repository that belongs to another user", "one of yours"
        raise InputError(root.resolve(), found=found, expected=expected, do=f"if you trust it: {command[0]}")


def clone_head(root: Path, target: Path) -> Path:
    """Clone the repository around ``root`` to ``target``; return the folder in it that ``root`` is.

    Raises:
        InputError: there is no git repository or no commit, or git refuses to read it.
    """
    check_owner(root)
    if not git(root, "rev-parse", "--quiet", "--verify", "HEAD"):
        found = "no commit in a git repository"
        raise InputError(root.resolve(), found=found, expected="one", do=f"make run, then {FIRST_COMMIT}")
    top, folder = git(root, "rev-parse", "--show-toplevel", "--show-prefix").decode().split("\n")[:2]
    cloned = subprocess.run(["git", "clone", "--quiet", top, str(target)], capture_output=True)
    if cloned.returncode:
        check_owner(root, cloned.stderr)
        found = cloned.stderr.decode(errors="replace").strip() or "nothing"
        raise InputError(f"git clone {top}", found=found, expected="a clone", do="see what git says")
    return target / folder


def _run(root: Path, *words: str, text: str = "") -> "subprocess.CompletedProcess[bytes]":
    environment = os.environ | OFFLINE
    try:
        return subprocess.run(
            ["git", *words], cwd=root, env=environment, input=text.encode(), capture_output=True
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, b"", b"")
