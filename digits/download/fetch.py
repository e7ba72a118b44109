"""Bring a data source's files into a folder, unchanged and checked."""

import importlib.util
import logging
import shutil
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from digits.core.errors import InputError
from digits.core.sources import SourceFile
from digits.download.web import NO_ROOM, download


class _Unusable(Exception):
    """This mirror doesn't have the file; the next one may."""


def fetch(files: Iterable[SourceFile], folder: Path, *, local: Path, mirror: str | None = None) -> None:
    """Fill ``folder`` with the files, and with nothing else.

    A file that is there already is kept, not fetched again: if its checksum is published, after a look
    whether it still has it. Files from ``local`` are copied anew.

    Args:
        files: what to fetch; each ends up as ``folder / file.name``.
        folder: where to.
        local: the folder that paths of files of one's own begin in.
        mirror: a folder or URL tried before the URLs of files that come from the network.

    Raises:
        InputError: no mirror has one of the files; the line names every URL and why it failed. It
            comes within the time that :func:`digits.download.web.download` may take, times the URLs.
        OSError: ``folder`` can't be written.
    """
    # pooch would say at each file, in four lines, what is said here in one.
    pooch.get_logger().setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # of odd headers, with a traceback
    folder.mkdir(parents=True, exist_ok=True)
    files = list(files)
    for file in files:
        _bring(file, folder, local, mirror)
    for path in set(folder.iterdir()) - {folder / file.name for file in files}:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _bring(file: SourceFile, folder: Path, local: Path, mirror: str | None) -> None:
    path = folder / file.name
    published = any(urlsplit(url).scheme for url in file.urls)
    if path.is_file() and published and (not file.checksum or _has_checksum(path, file.checksum)):
        print(f"{file.name}: already there, {'its checksum is right' if file.checksum else 'kept'}")
        return
    if not file.checksum:
        path.unlink(missing_ok=True)  # else pooch would keep what is there
    _fetch_one(file, folder, local, mirror)
    if published and not file.checksum:
        sum_now = pooch.file_hash(str(path))
        print(f"{file.name}: sha256:{sum_now} (no checksum is published; source.yaml can pin this one)")


def _has_checksum(path: Path, checksum: str) -> bool:
    algorithm, _, expected = checksum.partition(":")
    return bool(pooch.file_hash(str(path), alg=algorithm) == expected)


def _fetch_one(file: SourceFile, folder: Path, local: Path, mirror: str | None) -> None:
    failures = []
    # A file of one's own is its own best copy, and another of the same name may be another data set's.
    remote = any(urlsplit(url).scheme in ("http", "https") for url in file.urls)
    mirrored = [f"{mirror.rstrip('/')}/{file.name}"] if mirror and remote else []
    own = [url if urlsplit(url).scheme else str(local / url) for url in file.urls]
    downloader = partial(_download, packed=file.name.endswith(".gz"))
    for url in [*mirrored, *own]:
        print(f"{file.name}: from {url}", flush=True)
        try:
            pooch.retrieve(url, known_hash=file.checksum, fname=file.name, path=folder, downloader=downloader)
        except _Unusable as error:
            failures.append(f"{url} ({error})")
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            failures.append(f"{url} ({error.strerror.lower() if error.strerror else error})")
        except ValueError:  # pooch: the bytes are not those of the checksum
            failures.append(f"{url} (the bytes do not match {file.checksum})")
        else:
            return
    raise InputError(
        file.name,
        found="no usable copy at " + ", ".join(failures),
        expected="one of them to give the file",
        do="check the network or source.yaml, or set DIGITS_MIRROR to a folder that holds the file",
    )


def _download(url: str, output: str, pooch_: object, *, packed: bool) -> None:
    """A pooch downloader for every kind of URL that a source may name."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _Unusable(f"no URL: {error}") from None
    if parts.scheme in ("http", "https"):
        download(url, Path(output), packed=packed)
    else:
        path = _in_package(parts.path) if parts.scheme == "package" else Path(url)
        if path.exists() and not path.is_file():  # /dev/zero would never end
            raise _Unusable("no file but a folder or a device")
        shutil.copyfile(path, output)
    if Path(output).stat().st_size == 0:
        raise _Unusable("the file is empty")
    if _starts_as_markup(Path(output)):
        raise _Unusable("a web page, not data")


def _in_package(name: str) -> Path:
    """The path of ``package/path``, a file that an installed package ships."""
    package, _, inside = name.partition("/")
    # find_spec imports nothing: importing scikit-learn for a file's sake would cost a second.
    try:
        spec = importlib.util.find_spec(package) if package else None
    except (ImportError, ValueError):  # of a dotted name's parent, of no name at all
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise _Unusable(f"no package {package} is installed")
    return Path(spec.submodule_search_locations[0], inside)


def _starts_as_markup(path: Path) -> bool:
    """Whether a page came in place of the data, as captive portals and error pages do."""
    with path.open("rb") as file:
        head = file.read(512)
    with suppress(zlib.error):  # no gzip, else a page may be in it
        head = zlib.decompressobj(zlib.MAX_WBITS + 16).decompress(head, 512)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
