import os
import shutil
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

REPOSITORY = Path(__file__).parents[1]

#: Real MNIST, for the tests marked with its name.
MNIST = Path(os.environ.get("DIGITS_MNIST", REPOSITORY.parent / "shared/mnist"))


@pytest.fixture(scope="session", autouse=True)
def _sigint_as_in_a_terminal() -> Iterator[None]:
    """Else a shell's ``&``, which has SIGINT ignored, hands that on to all that the tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder with real MNIST, in both formats."""
    if not (MNIST / "mnist_test.csv").is_file():
        pytest.skip(f"no MNIST at {MNIST}; DIGITS_MNIST can name a folder that has it")
    return MNIST


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's settings and nothing else: a stage's ``root``."""
    monkeypatch.delenv("DIGITS_MIRROR", raising=False)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "data/sources", tmp_path / "data/sources")
    return tmp_path


class Server(ThreadingHTTPServer):
    """Answers with the bytes in ``pages``, by path, and with 404 otherwise."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.requested: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(b"<html>no such page</html>" if page is None else page)

    def log_message(self, *_: object) -> None:
        """Keep stderr for the test."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
