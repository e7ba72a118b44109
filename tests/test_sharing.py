"""Outputs and models through a remote, as docs/sharing.md shows it: a folder, and a real SSH server."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_pipeline import clone, dvc, run, stages_run

pytestmark = pytest.mark.slow

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")
#: Where Debian has it; not on everybody's PATH.
SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
#: What sshd wants to find when root starts it; Debian's service makes it, and so must who goes without.
PRIVILEGE_SEPARATION = Path("/run/sshd")


class Remote(NamedTuple):
    """A repository that has pushed to git and to its default remote; what others need to get at that."""

    repository: Path
    git: str
    options: dict[str, str]

    def clone(self, target: Path) -> Path:
        """What another person has at first: no data, no cache."""
        run("git", "clone", "--quiet", self.git, str(target), cwd=self.repository)
        self.configure(target)
        assert not (target / "models").exists()
        return target

    def configure(self, folder: Path) -> None:
        for name, value in self.options.items():
            dvc("remote", "modify", "--local", "storage", name, value, cwd=folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which everything has run and is committed."""
    folder = clone(tmp_path_factory.mktemp("origin"))
    dvc("repro", cwd=folder)
    run(*GIT, "commit", "--quiet", "--allow-empty", "--all", "--message=Run", cwd=folder)
    return folder


@pytest.fixture(scope="module", params=["folder", "ssh"])
def remote(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Remote]:
    storage = tmp_path_factory.mktemp("storage")
    git = str(tmp_path_factory.mktemp("git"))
    if request.param == "folder":
        yield shared(Remote(repository, git, {}), str(storage))
    elif SSHD is None:
        pytest.skip("no sshd here; Debian's package is openssh-server")
    else:
        folder = tmp_path_factory.mktemp("ssh")
        with ssh_server(folder) as port:
            url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{storage}"
            yield shared(Remote(repository, git, {"keyfile": str(folder / "key")}), url)


def shared(remote: Remote, url: str) -> Remote:
    """What the documentation's lines do; then a version of each model."""
    folder = remote.repository
    dvc("remote", "add", "--force", "-d", "storage", url, cwd=folder)
    remote.configure(folder)
    assert "files pushed" in dvc("push", cwd=folder)
    run(*GIT, "commit", "--quiet", "--message=Share", ".dvc/config", cwd=folder)
    for model in ("linear", "dnn"):
        run(*GIT, "tag", "--force", "--annotate", "--message=Good", f"{model}@v1.0.0", cwd=folder)
    # Bare, as on a server: out of a working tree DVC would take the outputs from its cache.
    run("git", "clone", "--quiet", "--bare", str(folder), remote.git, cwd=folder)
    return remote


@contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """The port of an SSH server on the loopback that lets the folder's ``key`` in, and nobody else."""
    assert SSHD is not None
    for name in ("host_key", "key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name), cwd=folder)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    root = os.geteuid() == 0
    (folder / "config").write_text(
        f"""
        ListenAddress 127.0.0.1:{port}
        HostKey {folder}/host_key
        AuthorizedKeysFile {folder}/key.pub
        AuthenticationMethods publickey
        PermitRootLogin prohibit-password
        StrictModes no
        UsePAM {"yes" if root else "no"}
        PidFile none
        Subsystem sftp internal-sftp
        """
    )
    made = root and not PRIVILEGE_SEPARATION.exists()
    if made:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    log = folder / "log"
    server = subprocess.Popen([SSHD, "-D", "-f", str(folder / "config"), "-E", str(log)])
    try:
        until = time.monotonic() + 20
        while not answers(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)
        if made:
            PRIVILEGE_SEPARATION.rmdir()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def outputs(folder: Path) -> dict[str, bytes]:
    files = (path for name in ("data", "models", "metrics", "plots") for path in (folder / name).rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def test_after_a_pull_nothing_runs(remote: Remote, tmp_path: Path) -> None:
    folder = remote.clone(tmp_path / "clone")
    dvc("pull", cwd=folder)
    assert outputs(folder) == outputs(remote.repository)
    output = dvc("repro", cwd=folder)
    assert stages_run(output) == set()
    assert "Data and pipelines are up to date." in output


def programs() -> dict[str, str]:
    """As after `make install`: the environment's own programs come first."""
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("model", ["linear", "dnn"])
def test_a_model_by_its_version(remote: Remote, model: str, tmp_path: Path) -> None:
    """Where there is no DVC repository, and nothing of the pipeline."""
    options = [f"--remote-config={name}={value}" for name, value in remote.options.items()]
    get = ("artifacts", "get", remote.git, model, *(["--remote=storage", *options] if options else []))
    dvc(*get, "--rev", "v1.0.0", "--out", "model.tflite", cwd=tmp_path)
    expected = (remote.repository / f"models/{model}/model.tflite").read_bytes()
    assert (tmp_path / "model.tflite").read_bytes() == expected
    dvc(*get, "--out", "latest.tflite", cwd=tmp_path)
    assert (tmp_path / "latest.tflite").read_bytes() == expected
    with pytest.raises(AssertionError, match=r"v9\.0\.0"):
        dvc(*get, "--rev", "v9.0.0", "--out", "none.tflite", cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.tflite", "latest.tflite"}
