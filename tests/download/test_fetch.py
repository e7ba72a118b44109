"""Every fault of a source's file: the next URL is tried; if there is none, the error names the fault."""

import errno
import gzip
import hashlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from unittest.mock import Mock

import pooch
import pytest

from digits.core.errors import InputError
from digits.core.sources import SourceFile
from digits.download import fetch as fetching
from tests import tiny

DATA = b"1,2,3\n"
PACKED = gzip.compress(DATA, mtime=0)
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
#: A port on which nothing listens.
REFUSED = "http://127.0.0.1:9"
#: Seconds, in place of the half minute that a user waits.
TIMEOUT = 0.5

Answer = bytes | Callable[[socket.socket], object]


class Server(ThreadingTCPServer):
    """Sends its first answer on the first connection, and so on; the last one on all further ones."""

    answers: tuple[Answer, ...] = ()

    def __init__(self) -> None:
        self.requested: list[str] = []
        super().__init__(("127.0.0.1", 0), _Connection)

    def serve(self, *answers: Answer) -> str:
        """Set the answers and return the server's URL."""
        self.answers = answers
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.requested.append(self.request.recv(2**16).decode().split()[1])
        reply = self.server.answers[: len(self.server.requested)][-1]
        reply(self.request) if callable(reply) else self.request.sendall(reply)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def answer(body: bytes = b"", *fields: str, status: int = 200, length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    head += ["Connection: close"]  # else a retry may be lost on a connection that is just being closed
    return "\r\n".join([*head, *fields, "", ""]).encode() + body


def stall(connection: socket.socket) -> None:
    connection.sendall(answer(DATA)[:-3])
    time.sleep(2 * TIMEOUT)


@pytest.fixture(autouse=True)
def no_proxy_and_short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(fetching, "TIMEOUT", TIMEOUT)
    monkeypatch.setattr(fetching, "RETRY", fetching.RETRY.new(backoff_factor=0))


def fetch(*files: SourceFile, into: Path, mirror: str | None = None) -> None:
    """Fetch the files, with the fixture ``published`` as the folder of the user's own files."""
    fetching.fetch(files, into, source_folder=into.parent / "published", mirror=mirror)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    (tmp_path / "published/a.csv").write_bytes(DATA)
    return tmp_path / "published/a.csv"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder to fill, with what an earlier run left."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/old.csv").write_bytes(b"old")
    return tmp_path / "raw"


def test_a_file_of_a_package_is_copied(raw: Path) -> None:
    fetch(tiny.source_file("package:pooch/core.py"), into=raw)
    assert contents(raw) == {"core.py": Path(pooch.__file__).with_name("core.py").read_bytes()}


def test_an_own_file_stays_where_it_is_and_is_checked(published: Path, raw: Path) -> None:
    fetch(tiny.source_file("a.csv", checksum=SHA256), into=raw)
    assert list(contents(raw)) == ["README.txt"]
    published.write_bytes(b"damaged")
    with pytest.raises(InputError, match=rf"published/a\.csv: expected {SHA256}, found sha256:"):
        fetch(tiny.source_file("a.csv", checksum=SHA256), into=raw)
    with pytest.raises(InputError, match=r"published/no/b\.csv: no such file"):
        fetch(tiny.source_file("no/b.csv"), into=raw)
    published.with_name("pictures").mkdir()
    published.with_name("pictures").joinpath("zero").symlink_to(raw)
    with pytest.raises(InputError, match="published/pictures: found a link to a folder"):
        fetch(tiny.source_file("pictures"), into=raw)


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_what_is_there_is_kept_without_a_network(
    checksum: str | None, server: Server, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw / "a.csv").write_bytes(DATA)
    fetch(tiny.source_file(f"{server.serve(answer(DATA))}/a.csv", checksum=checksum), into=raw)
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []
    assert ("the checksum is right" if checksum else SHA256) in capsys.readouterr().out


def test_a_file_with_another_checksum_is_fetched_again(server: Server, raw: Path) -> None:
    (raw / "a.csv").write_bytes(b"damaged")
    fetch(tiny.source_file(f"{server.serve(answer(DATA))}/a.csv", checksum=SHA256), into=raw)
    assert contents(raw) == {"a.csv": DATA}


def test_other_files_in_the_folder_are_deleted_and_links_are_not_followed(published: Path, raw: Path) -> None:
    (raw / "folder").mkdir()
    (raw / "folder/b.csv").write_bytes(b"b")
    (raw / "link").symlink_to(published.parent)
    fetch(tiny.source_file("a.csv"), into=raw)
    assert [path.name for path in raw.iterdir()] == ["README.txt"]
    assert contents(published.parent) == {"a.csv": DATA}


@pytest.mark.parametrize(
    ("mirror", "answers", "requested"),
    [
        ("{server}/copies/", [DATA], ["/copies/a.csv"]),
        ("{server}/wrong", [b"1,2,4\n", DATA], ["/wrong/a.csv", "/a.csv"]),
        ("{folder}", [], []),
        ("/no/such/folder", [DATA], ["/a.csv"]),
    ],
)
def test_the_extra_mirror_comes_first(
    mirror: str, answers: list[bytes], requested: list[str], server: Server, published: Path, raw: Path
) -> None:
    url = server.serve(*map(answer, answers))
    mirror = mirror.format(server=url, folder=published.parent)
    fetch(tiny.source_file(f"{url}/a.csv", checksum=SHA256), into=raw, mirror=mirror)
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == requested


@pytest.mark.parametrize(
    ("fault", "reason", "times"),
    [
        (lambda _: time.sleep(2 * TIMEOUT), "Read timed out", 4),
        (answer(status=503), "too many 503 error responses", 4),
        (stall, "Read timed out", 1),
        (answer(DATA, length=10), "IncompleteRead(6 bytes read, 4 more expected)", 1),
        (answer(b"<html>", status=404), "HTTP status 404", 1),
        (answer(), "the file is empty", 1),
        (answer(b"\xef\xbb\xbf\n <!DOCTYPE html>"), "a web page, not data", 1),
        (answer(b"1,2,4\n"), f"does not match the known hash: expected {SHA256}", 1),
    ],
)
def test_a_fault_is_reported(
    fault: Answer, reason: str, times: int, server: Server, raw: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.serve(fault)}/a.csv"
    with pytest.raises(InputError) as caught:
        fetch(tiny.source_file(url, checksum=SHA256), into=raw)
    found, _, after = str(caught.value).partition(f"found no usable copy at {url} (")[2].partition("). ")
    assert reason in found
    assert "DIGITS_MIRROR" in after
    assert len(server.requested) == times
    assert contents(raw) == {"old.csv": b"old"}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"{REFUSED}/b.csv", "Failed to establish a new connection"),
        ("http://no-such-host.invalid/b.csv", "Failed to resolve 'no-such-host.invalid'"),
        ("http://127.0.0.1:99999/b.csv", "invalid URL, proxy or header"),
        ("package:nope/b.csv", "no package nope is installed"),
    ],
)
def test_an_unreachable_url_is_reported(url: str, reason: str, raw: Path) -> None:
    with pytest.raises(InputError) as caught:
        fetch(tiny.source_file(url), into=raw)
    assert reason in str(caught.value)
    assert contents(raw) == {"old.csv": b"old"}


def test_every_url_is_reported_with_its_own_reason(server: Server, raw: Path) -> None:
    url = f"{server.serve(answer(status=404))}/a.csv"
    with pytest.raises(InputError) as caught:
        fetch(tiny.source_file(url, f"{REFUSED}/a.csv"), into=raw, mirror="/nowhere")
    pattern = r"at /nowhere/a.csv \(.*No such .*\), http.*/a.csv \(HTTP status 404\), .*:9/a.csv \(.*\)\. "
    assert re.search(pattern, str(caught.value))


@pytest.mark.parametrize(
    ("passing", "waits"),
    [(b"", []), (answer(status=500), []), (answer(b"", "Retry-After: 9999", status=503), [60, 60])],
)
def test_a_fault_that_passes_is_retried(
    passing: Answer, waits: list[float], server: Server, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    fetch(tiny.source_file(f"{server.serve(passing, passing, answer(DATA))}/a.csv"), into=raw)
    assert contents(raw) == {"a.csv": DATA}
    assert waited == waits


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("a.csv", ["Content-Encoding: gzip"], DATA),
        ("a.csv.gz", ["Content-Encoding: gzip"], PACKED),  # here the header describes the published file
        ("a.csv.gz", [], PACKED),
    ],
)
def test_a_file_is_kept_as_published(
    name: str, fields: list[str], expected: bytes, server: Server, raw: Path
) -> None:
    fetch(tiny.source_file(f"{server.serve(answer(PACKED, *fields))}/{name}"), into=raw)
    assert contents(raw) == {name: expected}


@pytest.mark.parametrize(
    ("address", "reason"), [("127.0.0.1:9", "proxy: Failed to establish"), ("[half:9", "invalid")]
)
def test_a_useless_proxy_is_reported_without_its_password(
    address: str, reason: str, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:secret@{address}")
    with pytest.raises(InputError, match=f"https://far-away.invalid/a.csv .{reason}") as caught:
        fetch(tiny.source_file("https://far-away.invalid/a.csv"), into=raw)
    assert "secret" not in str(caught.value)


def test_a_full_disk_is_no_fault_of_the_mirror(
    server: Server, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.copyfile", Mock(side_effect=OSError(errno.ENOSPC, "no room")))
    with pytest.raises(OSError, match="no room"):
        fetch(tiny.source_file("package:pooch/core.py", f"{server.serve()}/a.csv"), into=raw)
    assert server.requested == []
