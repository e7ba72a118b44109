"""Find the commit of a git revision or a DVC experiment."""

from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from scmrepo.exceptions import SCMError

from digits.core.errors import InputError

WORKSPACE = "workspace"


def commit_of(repo: Repo, revision: str) -> str | None:
    """The commit that ``revision`` names; None for the workspace.

    Raises:
        InputError: there is no such revision.
    """
    if revision == WORKSPACE:
        return None
    try:
        commit = str(resolve_rev(repo.scm, revision))
        repo.scm.resolve_commit(commit)  # a tree or a file has a name in git too
        return commit
    except (RevError, SCMError, AttributeError):
        raise InputError(
            revision,
            found="no such revision",
            expected="a git commit, branch or tag, a DVC experiment, or workspace",
            do="git log, or dvc exp list, names them",
        ) from None
