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
def git(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Bare, as on a server: out of a working tree DVC would take the outputs from its cache."""
    folder = str(tmp_path_factory.mktemp("git"))
    run("git", "clone", "--quiet", "--bare", str(repository), folder, cwd=repository)
    return folder


def test_after_a_pull_nothing_runs(repository: Path, git: str, tmp_path: Path) -> None:
    """For another person, who has no data and no cache at first."""
    folder = tmp_path / "clone"
    run("git", "clone", "--quiet", git, str(folder), cwd=tmp_path)
    assert not (folder / "models").exists()
    dvc("pull", cwd=folder)
    assert outputs(folder) == outputs(repository)
    assert stages_run(dvc("repro", cwd=folder)) == set()


def test_a_model_by_its_version(repository: Path, git: str, tmp_path: Path) -> None:
    """Where there is no DVC repository, and nothing of the pipeline."""
    expected = (repository / "models/dnn/model.tflite").read_bytes()
    for name, version in (("versioned", ["--rev", "v1.0.0"]), ("latest", [])):
        dvc("artifacts", "get", git, "dnn", *version, "--out", name, cwd=tmp_path)
        assert (tmp_path / name).read_bytes() == expected
