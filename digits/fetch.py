"""Fetch published files, byte for byte: mirrors in order, checksums, nothing half done."""

import importlib.util
import logging
import shutil
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch

from digits.catalogue import SourceFile
from digits.errors import InputError
from digits.files import replacing_folder
from digits.web import NO_ROOM, download


class _Unusable(Exception):
    """This mirror doesn't have the file; the next one may."""


def fetch(files: Iterable[SourceFile], folder: Path, *, mirror: str | None = None) -> None:
    """Fill ``folder`` with the files; leave it as it was if one of them can't be had whole.

    Args:
        files: what to fetch; each ends up as ``folder / file.name``.
        folder: emptied of everything else, once all files are there.
        mirror: a folder or URL tried before the URLs of files that come from the network.

    Raises:
        InputError: no mirror has one of the files; the line names every URL and why it failed. It
            comes within the time that :func:`digits.web.download` may take, times the URLs.
        OSError: ``folder`` can't be written.
    """
    # pooch would say at each file, in four lines, what is said here in one.
    pooch.get_logger().setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # of odd headers, with a traceback
    with replacing_folder(folder) as fetched:
        for file in files:
            _fetch_one(file, fetched, mirror)
            _note_change(file, fetched, folder)


def _fetch_one(file: SourceFile, folder: Path, mirror: str | None) -> None:
    failures = []
    # A local file is its own best copy, and another of the same name may be another data set's.
    remote = any(urlsplit(url).scheme in ("http", "https") for url in file.urls)
    mirrored = [f"{mirror.rstrip('/')}/{file.name}"] if mirror and remote else []
    downloader = partial(_download, packed=file.name.endswith(".gz"))
    for url in [*mirrored, *file.urls]:
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
        do="check the network or data/sources.yaml, or set DIGITS_MIRROR to a folder that holds the file",
    )


def _download(url: str, output: str, pooch_: object, *, packed: bool) -> None:
    """A pooch downloader for every kind of URL of the catalogue."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _Unusable(f"no URL: {error}") from None
    if parts.scheme in ("http", "https"):
        download(url, Path(output), packed=packed)
    else:
        path = _local_path(url)
        if path.exists() and not path.is_file():  # /dev/zero would never end
            raise _Unusable("no file but a folder or a device")
        shutil.copyfile(path, output)
    if Path(output).stat().st_size == 0:
        raise _Unusable("the file is empty")
    if _starts_as_markup(Path(output)):
        raise _Unusable("a web page, not data")


def _local_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme == "package":
        package, _, inside = parts.path.partition("/")
        # find_spec imports nothing: importing scikit-learn for a file's sake would cost a second.
        try:
            spec = importlib.util.find_spec(package) if package else None
        except (ImportError, ValueError):  # of a dotted name's parent, of no name at all
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise _Unusable(f"no package {package} is installed")
        return Path(spec.submodule_search_locations[0], inside)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme and len(parts.scheme) > 1:  # one letter: a Windows drive
        raise _Unusable(f"no way to fetch {parts.scheme}: URLs")
    return Path(url)


def _starts_as_markup(path: Path) -> bool:
    """Whether a page came in place of the data, as captive portals and error pages do."""
    with path.open("rb") as file:
        head = file.read(512)
    with suppress(zlib.error):  # no gzip, else a page may be in it
        head = zlib.decompressobj(zlib.MAX_WBITS + 16).decompress(head, 512)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _note_change(file: SourceFile, fetched: Path, previous: Path) -> None:
    """Say when a file without a published checksum is not what it was at the last download."""
    if file.checksum is not None:
        return
    now = pooch.file_hash(str(fetched / file.name))
    print(f"{file.name}: sha256:{now} (no checksum is published; data/sources.yaml can pin this one)")
    if (previous / file.name).is_file():
        before = pooch.file_hash(str(previous / file.name))
        if before != now:
            print(
                f"{file.name}: CHANGED since the last download, which was sha256:{before}",
                flush=True,
            )
