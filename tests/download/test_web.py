"""Each fault of a network: the next mirror is asked, and without one the line says what it was."""

import gzip
import hashlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from types import SimpleNamespace

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from digits.core.errors import InputError
from digits.download import web
from digits.download.fetch import fetch
from tests import tiny
from tests.conftest import REPOSITORY, Server

DATA = b"1,2,3\n"
PACKED = gzip.compress(DATA)
#: A port on which nothing listens.
REFUSED = "http://127.0.0.1:9"


class Scripted(ThreadingTCPServer):
    """Answers its first connection with the first answer, and so on; each further one with the last."""

    def __init__(self, *answers: "Answer") -> None:
        self.answers = answers
        self.asked = 0
        self.ending = Event()
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


#: What is sent; or what is done with the connection, until the event at the latest.
Answer = bytes | Callable[[socket.socket, Event], object]


class _Connection(BaseRequestHandler):
    server: Scripted

    def handle(self) -> None:
        self.request.recv(2**16)
        answer = self.server.answers[min(self.server.asked, len(self.server.answers) - 1)]
        self.server.asked += 1
        if callable(answer):
            with suppress(OSError):  # the other side has hung up
                answer(self.request, self.server.ending)
        else:
            self.request.sendall(answer)


Serve = Callable[..., Scripted]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with these answers."""
    running: list[tuple[Scripted, Thread]] = []

    def start(*answers: Answer) -> Scripted:
        server = Scripted(*answers)
        running.append((server, Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})))
        running[-1][1].start()
        return server

    yield start
    for server, thread in running:
        server.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no certificates of the machine's own, and no wait between the tries."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(web, "BACKOFF", 0)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder to fill, with what an earlier run left."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/old.csv").write_bytes(b"old")
    return tmp_path / "raw"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def refusal(url: str, raw: Path, **more: object) -> str:
    """The line that says why the URL does not give the file, once it is sure that nothing has changed."""
    with pytest.raises(InputError) as caught:
        fetch([tiny.source_file(url, **more)], raw, local=raw.parent)
    assert contents(raw) == {"old.csv": b"old"}
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]
    line = str(caught.value)
    before, _, rest = line.partition(f"found no usable copy at {url} (")
    reason, _, after = rest.rpartition("), expected one of them to give the file")
    assert before == f"{url.rpartition('/')[2]}: ", line
    assert after, line
    return reason


def answer(body: bytes = b"", *fields: str, status: int = 200, length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*head, *fields, "", ""]).encode() + body


def silence(connection: socket.socket, ending: Event) -> None:
    ending.wait()


def break_off(connection: socket.socket) -> None:
    """End without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def stall(connection: socket.socket, ending: Event) -> None:
    connection.sendall(answer(DATA)[:-3])
    ending.wait()


def stall_late(connection: socket.socket, ending: Event) -> None:
    connection.sendall(answer(bytes(10**6))[:-1])
    ending.wait()


def reset(connection: socket.socket, ending: Event) -> None:
    connection.sendall(answer(DATA)[:-3])
    break_off(connection)


def endless(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(100):  # so much more than it may be that it could as well go on for ever
        connection.sendall(bytes(2**16))


def drip(start: bytes, drop: bytes) -> Answer:
    """A drop now and then, each well within a time-out; for ten seconds, where nobody hangs up."""

    def dripping(connection: socket.socket, ending: Event) -> None:
        connection.sendall(start)
        for _ in range(500):
            if ending.wait(0.02):
                break
            connection.sendall(drop)
        break_off(connection)  # for whoever still reads, this is no end of the headers

    return dripping


# Name, the answer, constants of digits.download.web, the reason given, and how often the URL was asked.
FAULTS: list[tuple[str, Answer, dict[str, float], str, int]] = [
    ("silence", silence, {"TIMEOUT": 0.2}, r"no answer in 0\.2 s, 3 times", 3),
    ("stall", stall, {"TIMEOUT": 0.2}, r"no further byte in 0\.2 s after 3 of 6 bytes, 3 times", 3),
    (
        "drip",
        drip(answer(length=10**6), b"1"),
        {"PATIENCE": 0.5, "TIMEOUT": 60},
        r"too slow: \d+ bytes in \d+ s",
        1,
    ),
    (
        "drip in chunks",
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        {"PATIENCE": 0.5, "TIMEOUT": 60},
        r"too slow: 0 bytes in \d+ s",
        1,
    ),
    (
        "drip before the body",
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"1"),
        {"PATIENCE": 0.5, "TIMEOUT": 60},
        r"too slow: 0 bytes in \d+ s",
        1,
    ),
    ("hang-up", b"", {}, "the connection broke before an answer, 3 times", 3),
    (
        "cut",
        answer(DATA, length=10),
        {},
        "the connection broke after 6 of 10 bytes, 3 times",
        3,
    ),
    (
        "cut in chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n1,2",
        {},
        "the connection broke after 3 bytes, 3 times",
        3,
    ),
    ("reset", reset, {}, "the connection broke .+", 3),
    ("length too short", answer(DATA, length=3), {}, f"the bytes do not match {checksum(DATA)}", 1),
    ("not found", answer(b"<html>", status=404), {}, "HTTP status 404", 1),
    ("forbidden", answer(b"<html>", status=403), {}, "HTTP status 403", 1),
    ("too many requests", answer(status=429), {}, "HTTP status 429, 3 times", 3),
    ("internal error", answer(b"<html>", status=500), {}, "HTTP status 500, 3 times", 3),
    ("unavailable", answer(status=503), {}, "HTTP status 503, 3 times", 3),
    (
        "unavailable for long",
        answer(b"", "Retry-After: 20", status=503),
        {"PATIENCE": 15},
        "HTTP status 503, to be asked again in 20 s",
        1,
    ),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", {}, "HTTP status 204", 1),
    ("redirect loop", answer(b"", "Location: /a.csv", status=302), {}, "more than 30 redirects", 31),
    ("HTML", answer(b"<!DOCTYPE html>"), {}, "a web page, not data", 1),
    ("other bytes", answer(b"1,2,4\n"), {}, f"the bytes do not match {checksum(DATA)}", 1),
    (
        "no gzip",
        answer(DATA, "Content-Encoding: gzip"),
        {},
        "the content is not the gzip that it is labelled as",
        1,
    ),
    ("endless", endless, {"SIZE_LIMIT": 10**5}, "more than 100000 bytes", 1),
    ("announced as huge", answer(length=2**40), {}, "more than 1073741824 bytes", 1),
    (
        "huge once unpacked",
        answer(gzip.compress(bytes(10**6)), "Content-Encoding: gzip"),
        {"SIZE_LIMIT": 10**5},
        "more than 100000 bytes",
        1,
    ),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n", {}, r"no answer in HTTP \('SSH-2.0-OpenSSH_9.2'\)", 1),
]


@pytest.mark.parametrize(
    ("fault", "constants", "reason", "times"), [pytest.param(*rest, id=name) for name, *rest in FAULTS]
)
def test_a_fault_is_named_and_the_next_mirror_asked(
    fault: Answer,
    constants: dict[str, float],
    reason: str,
    times: int,
    serve: Serve,
    raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in constants.items():
        monkeypatch.setattr(web, name, value)
    server = serve(fault)
    url = f"{server.url}/a.csv"
    assert re.fullmatch(reason, refusal(url, raw, checksum=checksum(DATA)))
    assert server.asked == times
    published = raw.parent / "a.csv"
    published.write_bytes(DATA)
    fetch([tiny.source_file(url, published.name, checksum=checksum(DATA))], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"{REFUSED}/a.csv", "connection refused"),
        ("http://no-such-host.invalid/a.csv", "no such host, or no network"),
    ],
)
def test_a_host_out_of_reach_is_named(url: str, reason: str, raw: Path) -> None:
    assert refusal(url, raw) == reason


def test_every_url_is_named_with_its_own_reason(serve: Serve, raw: Path) -> None:
    gone, broken = serve(answer(status=404)), serve(answer(DATA, length=10), answer(status=403))
    file = tiny.source_file(f"{REFUSED}/a.csv", f"{gone.url}/a.csv", f"{broken.url}/a.csv")
    with pytest.raises(InputError) as caught:
        fetch([file], raw, local=raw.parent)
    assert (
        f"found no usable copy at {REFUSED}/a.csv (connection refused), {gone.url}/a.csv (HTTP status 404), "
        f"{broken.url}/a.csv (the connection broke after 6 of 10 bytes, then HTTP status 403), expected"
    ) in str(caught.value)


@pytest.mark.parametrize(
    "passing",
    [answer(status=500), answer(DATA, length=10), reset, b""],
    ids=["500", "cut", "reset", "hang-up"],
)
def test_what_passes_is_waited_for(
    passing: Answer, serve: Serve, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(passing, passing, answer(DATA))
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}
    assert server.asked == 3
    assert capsys.readouterr().out.count("; asking again in 0 s\n") == 2


@pytest.mark.parametrize(
    ("fields", "waits"),
    [([], [1, 2]), (["Retry-After: 7"], [7, 7]), (["Retry-After: soon"], [1, 2])],
    ids=["back-off", "the server's own", "nonsense"],
)
def test_the_wait_between_tries(
    fields: list[str], waits: list[float], serve: Serve, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(web, "BACKOFF", 1)
    monkeypatch.setattr(web, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    busy = answer(b"", *fields, status=503)
    fetch([tiny.source_file(f"{serve(busy, busy, answer(DATA)).url}/a.csv")], raw, local=raw.parent)
    assert slept == waits


def test_bytes_that_come_earn_time() -> None:
    allowance = web._Allowance()
    at_first = allowance.left()
    assert at_first <= web.PATIENCE
    allowance.received = 1000 * web.LEAST_RATE
    assert web.PATIENCE < allowance.left() <= web.PATIENCE + 1000


def test_a_redirect_is_followed(serve: Serve, server: Server, raw: Path) -> None:
    server.pages["/moved/b.csv"] = DATA
    moved = serve(answer(b"<html>moved", f"Location: {server.url}/moved/b.csv", status=301))
    fetch([tiny.source_file(f"{moved.url}/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}


def test_the_body_of_a_redirect_is_not_waited_for(
    serve: Serve, server: Server, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PATIENCE", 5)
    server.pages["/a.csv"] = DATA
    head = f"HTTP/1.1 302 Found\r\nLocation: {server.url}/a.csv\r\n\r\n".encode()
    fetch([tiny.source_file(f"{serve(drip(head, b'1')).url}/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}


@pytest.mark.parametrize(
    ("name", "body", "published"),
    [
        ("a.csv", PACKED, DATA),
        ("a.csv.gz", PACKED, PACKED),  # the label says what the file is
        ("a.csv.gz", gzip.compress(PACKED), PACKED),  # the server packed it once more
    ],
    ids=["csv", "gz", "gz in gz"],
)
def test_content_encoding_leaves_the_file_as_published(
    name: str, body: bytes, published: bytes, serve: Serve, raw: Path
) -> None:
    server = serve(answer(body, "Content-Encoding: gzip"))
    fetch([tiny.source_file(f"{server.url}/{name}", checksum=checksum(published))], raw, local=raw.parent)
    assert contents(raw) == {name: published}


def test_a_gz_without_content_encoding_stays_one(serve: Serve, raw: Path) -> None:
    for name in ("a.csv.gz", "a"):
        fetch(
            [tiny.source_file(f"{serve(answer(PACKED)).url}/{name}", checksum=checksum(PACKED))],
            raw,
            local=raw.parent,
        )
        assert contents(raw) == {name: PACKED}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_web_page_is_known_through_gzip(name: str, serve: Serve, raw: Path) -> None:
    server = serve(answer(gzip.compress(b"<!DOCTYPE html>"), "Content-Encoding: gzip"))
    assert refusal(f"{server.url}/{name}", raw) == "a web page, not data"


def test_odd_headers_are_not_worth_a_word(serve: Serve, raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(answer(DATA, "Transfer-Encoding identity"))
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}
    assert not caplog.records


def test_the_proxy_of_the_environment_is_used(
    server: Server, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["http://far-away.invalid/a.csv"] = DATA
    monkeypatch.setenv("HTTP_PROXY", server.url)
    fetch([tiny.source_file("http://far-away.invalid/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}


def test_no_proxy_is_honoured(server: Server, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pages["/a.csv"] = DATA
    monkeypatch.setenv("HTTP_PROXY", REFUSED)  # the server's fixture excepts its address
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, local=raw.parent)
    assert contents(raw) == {"a.csv": DATA}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://someone:secret@127.0.0.1:9", "127.0.0.1:9"])
def test_a_dead_proxy_is_named(scheme: str, proxy: str, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    reason = refusal(f"{scheme}://far-away.invalid/a.csv", raw)
    assert reason == "the proxy 127.0.0.1:9: connection refused"


def certificate(host: str, path: Path) -> Path:
    """A key and a certificate for the host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "reason"),
    [
        ("localhost", False, "certificate verify failed: self-signed certificate"),
        ("elsewhere.example", True, "certificate verify failed: Hostname mismatch, .*'localhost'.*"),
        ("localhost", True, None),
    ],
)
def test_tls(
    host: str,
    trusted: bool,
    reason: str | None,
    server: Server,
    raw: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pem = certificate(host, tmp_path_factory.mktemp("tls") / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.pages["/a.csv"] = DATA
    url = f"https://localhost:{server.server_port}/a.csv"
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    if reason:
        assert re.fullmatch(reason, refusal(url, raw))
        assert server.requested == []
    else:
        fetch([tiny.source_file(url)], raw, local=raw.parent)
        assert contents(raw) == {"a.csv": DATA}


def test_a_server_without_tls_is_named(serve: Serve, raw: Path) -> None:
    url = serve(answer(DATA)).url.replace("http:", "https:")
    assert refusal(f"{url}/a.csv", raw).startswith("no TLS connection: ")


#: Left alone, it ends in an hour.
PATIENT_STAGE = """
from digits.download import web
from digits.core import stage
from stages import download

web.TIMEOUT = web.PATIENCE = 3600
stage.run(download.main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(
    ("reply", "sign"),
    [
        (silence, "from http"),
        (stall_late, "partial file"),
        (answer(b"", "Retry-After: 3000", status=503), "asking again"),
    ],
    ids=["waiting for an answer", "waiting for the rest", "waiting to ask again"],
)
def test_ctrl_c_ends_a_download_and_leaves_the_folder_as_it_was(
    reply: Answer, sign: str, serve: Serve, workspace: Path
) -> None:
    server = serve(reply)
    description = workspace / "data/sources/digits/source.yaml"
    source = yaml.safe_load(description.read_text())
    source["files"]["train"] = {"urls": [f"{server.url}/a.csv"]}
    description.write_text(yaml.safe_dump(source))
    (workspace / "data/raw/digits").mkdir(parents=True)
    (workspace / "data/raw/digits/old.csv").write_bytes(b"old")
    command = [sys.executable, "-c", PATIENT_STAGE]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    def signs() -> str:
        begun = any(path.stat().st_size for path in (workspace / "data/raw/digits").glob("tmp*"))
        return f"{(workspace / 'out').read_text()} {'partial file' if begun else ''}"

    with (
        (workspace / "out").open("w") as out,
        subprocess.Popen(
            command, cwd=workspace, env=environment, stdout=out, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            while server.asked == 0 or sign not in signs():
                time.sleep(0.01)
                assert process.poll() is None
            time.sleep(0.2)  # mostly enough for it to wait; it has to end well before that, too
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, said) == (130, "stopped\n")
    assert contents(workspace / "data/raw/digits") == {"old.csv": b"old"}
