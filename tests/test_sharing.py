"""Outputs and models through a remote, as docs/sharing.md shows it."""

from pathlib import Path

import pytest

from tests.test_pipeline import clone, dvc, outputs, run, stages_run

pytestmark = pytest.mark.slow

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which everything has run; committed, tagged, and pushed to its default remote."""
    folder = clone(tmp_path_factory.mktemp("origin"))
    dvc("repro", cwd=folder)
    dvc("remote", "add", "-d", "storage", str(tmp_path_factory.mktemp("storage")), cwd=folder)
    assert "files pushed" in dvc("push", cwd=folder)
    run(*GIT, "commit", "--quiet", "--all", "--message=Run and share", cwd=folder)
    run(*GIT, "tag", "--annotate", "--message=Good", "dnn@v1.0.0", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def bare_repository(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a bare clone, as on a server: DVC would take outputs from the cache of a working tree."""
    folder = str(tmp_path_factory.mktemp("git"))
    run("git", "clone", "--quiet", "--bare", str(repository), folder, cwd=repository)
    return folder


def test_after_a_pull_nothing_runs(repository: Path, bare_repository: str, tmp_path: Path) -> None:
    """A second person clones the repository, without data and without a cache."""
    folder = tmp_path / "clone"
    run("git", "clone", "--quiet", bare_repository, str(folder), cwd=tmp_path)
    assert not (folder / "models").exists()
    dvc("pull", cwd=folder)
    assert outputs(folder) == outputs(repository)
    assert stages_run(dvc("repro", cwd=folder)) == set()


def test_a_model_by_its_version(repository: Path, bare_repository: str, tmp_path: Path) -> None:
    """``dvc artifacts get`` works in an empty folder."""
    expected = (repository / "models/dnn/model.tflite").read_bytes()
    for name, version in (("versioned", ["--rev", "v1.0.0"]), ("latest", [])):
        dvc("artifacts", "get", bare_repository, "dnn", *version, "--out", name, cwd=tmp_path)
        assert (tmp_path / name).read_bytes() == expected
