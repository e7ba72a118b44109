"""Open the DVC repository; find the commit of a git revision or a DVC experiment."""

import sys
from pathlib import Path

from dvc.config import NoRemoteError
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError, resolve_rev
from scmrepo.exceptions import SCMError as GitError

from digits.cli.git import FETCH_ALL, FIRST_COMMIT, check_owner, git, lacks_files
from digits.core.errors import InputError
from digits.core.yaml_files import refuse_conflict

WORKSPACE = "workspace"


def open_repo(root: Path) -> Repo:
    """Open the DVC repository; without its default remote if that can't be read, which stderr then says.

    Raises:
        InputError: there is no DVC or git repository, git refuses it, or a merge left conflicts in it.
    """
    check_owner(root)
    for path in (root / "dvc.yaml", root / "dvc.lock"):
        if path.is_file():
            refuse_conflict(path.read_text(encoding="utf-8", errors="replace"), path.relative_to(root))
    try:
        repo = Repo(str(root))
    except NotDvcRepoError:
        found, do = "no DVC repository", "change into the project's folder"
        raise InputError(root.resolve(), found=found, expected="one", do=do) from None
    except SCMError:
        raise InputError(root.resolve(), found="no git repository", expected="one", do=FIRST_COMMIT) from None
    try:
        repo.cloud.get_remote()
    except NoRemoteError:
        pass
    except (DvcException, ImportError) as error:
        print(f"note: only git and the cache are read, not DVC's remote: {error}", file=sys.stderr)
        repo.close()
        repo = Repo(str(root), config={"core": {"remote": ""}})
    return repo


def commit_of(repo: Repo, revision: str) -> str | None:
    """The commit that ``revision`` names; None for the workspace.

    Raises:
        InputError: there is no such revision, or files of it are missing in a partial clone.
    """
    if revision == WORKSPACE:
        return None
    root = Path(repo.root_dir)
    try:
        commit = str(resolve_rev(repo.scm, revision))
        repo.scm.resolve_commit(commit)  # a tree or a file has a name in git too
    except (SCMError, GitError, AttributeError):
        do = "git log, or dvc exp list, names them"
        if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
            do = "git fetch --unshallow brings older commits"
        elif not git(root, "rev-parse", "--quiet", "--verify", "HEAD"):
            do = f"there is no commit yet: {FIRST_COMMIT}"
        raise InputError(
            revision,
            found="no such revision",
            expected="a git commit, branch or tag, a DVC experiment, or workspace",
            do=do,
        ) from None
    # DVC would wait for them for ever.
    if lacks_files(root, f"{commit}:./"):
        found = "files that this partial clone lacks"
        raise InputError(revision, found=found, expected="all files", do=f"{FETCH_ALL} brings them")
    return commit
