"""Download one file over HTTP: bounded in time and size, tried again where that may help."""

import errno
import gzip
import ssl
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPException
from itertools import groupby
from pathlib import Path
from socket import gaierror
from threading import Thread
from typing import TypeVar

import requests
from requests.utils import get_environ_proxies, select_proxy
from tqdm import tqdm
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader, ReadTimeoutError
from urllib3.util import Retry

from digits.core.errors import excerpt

#: Seconds without a connection, an answer or a further byte after which a try has failed.
TIMEOUT = 30
#: How often a URL is asked where the fault may pass.
TRIES = 3
#: Seconds before the second try, unless the server names its own (Retry-After); doubled before each further.
BACKOFF = 1
#: Seconds that a URL has, all tries and waits included; it gains one for each LEAST_RATE bytes that come.
PATIENCE = 120
LEAST_RATE = 20_000
#: Bytes of the largest file.
SIZE_LIMIT = 2**30

#: A disk that can't be written to: no other URL helps there.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_MAY_PASS = frozenset({429, 500, 502, 503, 504})

T = TypeVar("T")


class _Fault(OSError):
    """Why a try failed, in words; whether it may pass, and in how many seconds if the server says so."""

    def __init__(self, reason: str, *, passes: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.passes = passes
        self.wait = wait


def download(url: str, path: Path, *, packed: bool) -> None:
    """Write the file at the URL to ``path``, as it was published.

    It takes ``PATIENCE`` seconds at most, and one more for each ``LEAST_RATE`` bytes that come: half an
    hour for 36 MB, and a server that sends a byte now and then is given up after two minutes.

    Args:
        url: http:// or https://. Proxies and certificates are those of the environment, as requests
            reads it.
        path: written to; holds anything if the download fails.
        packed: whether the file is published as gzip. Then ``Content-Encoding: gzip`` on the answer
            is no more than a label of what the file is; else it is undone.

    Raises:
        OSError: the file can't be had; the text of the error is the reason, in words. Or it can't be
            written: then with an ``errno`` of ``NO_ROOM``.
    """
    allowance = _Allowance()
    reasons = []
    for attempt in range(1, TRIES + 1):
        try:
            return _try(url, path, allowance, decode=not packed)
        except _Fault as error:
            fault = error
        except (HTTPError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in NO_ROOM:
                raise
            fault = _Fault(_in_words(error, url))
        reasons.append(str(fault))
        if not fault.passes or attempt == TRIES:
            break
        wait = BACKOFF * 2 ** (attempt - 1) if fault.wait is None else fault.wait
        if wait > allowance.left():
            reasons[-1] += f", to be asked again in {wait:.0f} s"
            break
        print(f"{url}: {reasons[-1]}; asking again in {wait:.0f} s", flush=True)
        time.sleep(wait)
    counted = [(reason, len(list(same))) for reason, same in groupby(reasons)]
    raise OSError(", then ".join(reason if n == 1 else f"{reason}, {n} times" for reason, n in counted))


class _Allowance:
    """The time that a URL has; it grows with what comes."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.received = 0

    def left(self) -> float:
        return self.start + PATIENCE + self.received / LEAST_RATE - time.monotonic()

    def run(self, step: Callable[[], T]) -> T:
        """What the step returns, unless the time is over before.

        The time-out of a socket starts anew with each byte, and a name server or a handshake has none:
        only a thread beside can end the wait, for Ctrl-C too. The step itself goes on to its own end.
        """
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(step())
            except BaseException as error:
                done.set_exception(error)

        Thread(target=work, daemon=True).start()
        try:
            return done.result(timeout=max(self.left(), 0))
        except TimeoutError:
            spent = time.monotonic() - self.start
            raise _Fault(f"too slow: {self.received} bytes in {spent:.0f} s") from None


def _try(url: str, path: Path, allowance: _Allowance, *, decode: bool) -> None:
    response = allowance.run(lambda: _ask(url))
    try:
        if response.status_code != requests.codes.ok:
            raise _Fault(
                f"HTTP status {response.status_code}",
                passes=response.status_code in _MAY_PASS,
                wait=_wait(response),
            )
        _save(response.raw, path, allowance, decode=decode)
    finally:
        # Aside, as closing waits for a step that still reads.
        Thread(target=response.close, daemon=True).start()
    if not decode and response.raw.headers.get("Content-Encoding") and _is_packed_twice(path):
        _try(url, path, allowance, decode=True)


def _ask(url: str) -> requests.Response:
    """The server's answer, its body still to be read."""

    def drop_body(response: requests.Response, **_: object) -> None:
        if response.is_redirect:  # requests would read it, however long it is
            response.close()

    headers = {"Accept-Encoding": "gzip"}
    try:
        return requests.get(url, headers=headers, timeout=TIMEOUT, stream=True, hooks={"response": drop_body})
    except requests.ConnectTimeout:  # TCP has tried again for as long
        raise
    except requests.Timeout:
        raise _Fault(f"no answer in {TIMEOUT} s", passes=True) from None
    except requests.ConnectionError as error:
        if isinstance(_root(error), (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
            raise _Fault("the connection broke before an answer", passes=True) from None
        raise


def _wait(response: requests.Response) -> float | None:
    """The seconds that the server asks to wait, if it does."""
    try:
        return Retry().get_retry_after(response.raw)
    except InvalidHeader:
        return None


def _save(body: HTTPResponse, path: Path, allowance: _Allowance, *, decode: bool) -> None:
    length = body.length_remaining
    size = 0
    bar = tqdm(total=length, unit="B", unit_scale=True, ncols=79, disable=None)  # off where no terminal is
    with path.open("wb") as file, bar:
        while max(size, length or 0) <= SIZE_LIMIT:
            if not (chunk := allowance.run(lambda: _read(body, length, decode=decode))):
                return
            size += len(chunk)
            allowance.received += len(chunk)
            file.write(chunk)
            bar.update(len(chunk))
    raise _Fault(f"more than {SIZE_LIMIT} bytes")


def _read(body: HTTPResponse, length: int | None, *, decode: bool) -> bytes:
    """What has come of the body; nothing at its end."""
    try:
        return body.read1(2**18, decode_content=decode)
    except ReadTimeoutError:
        fault = f"no further byte in {TIMEOUT} s"
    except DecodeError:
        raise _Fault("the content is not the gzip that it is labelled as") from None
    except HTTPError:
        fault = "the connection broke"
    raise _Fault(f"{fault} after {body.tell()}{f' of {length}' if length else ''} bytes", passes=True)


def _is_packed_twice(path: Path) -> bool:
    with suppress(OSError, EOFError, zlib.error), gzip.open(path) as inside:
        return inside.read(2) == b"\x1f\x8b"
    return False


def _root(error: BaseException) -> BaseException:
    """What began a chain of exceptions."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _in_words(error: Exception, url: str) -> str:
    root = _root(error)
    if isinstance(error, requests.exceptions.ProxyError):
        proxy = select_proxy(url, get_environ_proxies(url)) or ""
        proxy = proxy.rpartition("//")[2].rpartition("@")[2].rstrip("/")  # a password stays out of it
        return f"the proxy {proxy}: {_cause_in_words(root)}"
    if isinstance(error, requests.TooManyRedirects):
        return f"more than {requests.models.DEFAULT_REDIRECT_LIMIT} redirects"
    return _cause_in_words(root)


def _cause_in_words(error: BaseException) -> str:
    if isinstance(error, gaierror):
        return "no such host, or no network"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError) and not error.errno:
        return f"no answer in {TIMEOUT} s"
    if isinstance(error, HTTPException):
        return f"no answer in HTTP ({excerpt(str(error).strip())})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
