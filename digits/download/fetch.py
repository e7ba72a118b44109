"""Download a data source's files into a folder, unchanged, and check them."""

import errno
import importlib.util
import logging
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pooch
import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from digits.core.errors import InputError
from digits.core.sources import SourceFile

#: Seconds to wait for a connection, for an answer or for more bytes.
TIMEOUT = 30
#: Ask again if a server is busy or closes the connection before it answers, not if it can't be reached.
RETRY = Retry(
    3, connect=0, other=0, backoff_factor=1, retry_after_max=60, status_forcelist=(429, 500, 502, 503, 504)
)


def fetch(
    files: Iterable[SourceFile], folder: Path, *, source_folder: Path, mirror: str | None = None
) -> None:
    """Fill ``folder`` with the files that have URLs, each under its name, and remove everything else from it.

    A file that is there already is kept if its checksum is right, or if source.yaml gives none.

    The user's own files are only checked, in ``source_folder``. A ``mirror``, a folder or URL, is tried
    before the URLs of files that come from the network. An InputError names every URL and why it failed.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # it says in four lines what is printed here in one
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns before each retry
    folder.mkdir(parents=True, exist_ok=True)
    kept = set()
    for file in files:
        if file.is_local:
            _check_local(file, source_folder / file.urls[0])
            continue
        kept.add(path := folder / file.name)
        _fetch_one(file, folder, mirror)
        unpinned = f"sha256:{pooch.file_hash(path)} (not in source.yaml; added there, it would be checked)"
        print(f"{file.name}: {'the checksum is right' if file.checksum else unpinned}")
    if not kept:  # DVC would warn of an empty folder
        kept.add(path := folder / "README.txt")
        path.write_text(f"Nothing was downloaded: all files are in data/sources/{source_folder.name}.\n")
    for path in set(folder.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _check_local(file: SourceFile, path: Path) -> None:
    if not path.exists():
        fix = "Put it there, or correct files in source.yaml"
        raise InputError(path, "no such file, but source.yaml names it", fix)
    if any(part.is_symlink() and part.is_dir() for part in (path, *path.glob("*"))):
        problem = "found a link to a folder, expected folders: DVC doesn't notice a change behind a link"
        raise InputError(path, problem, "Copy the pictures there")
    if file.checksum:
        algorithm = file.checksum.partition(":")[0]
        found = f"{algorithm}:{pooch.file_hash(path, algorithm)}"
        if found != file.checksum:
            fix = "If the file is right, correct checksum in source.yaml"
            raise InputError(path, f"expected {file.checksum}, found {found}", fix)


def _fetch_one(file: SourceFile, folder: Path, mirror: str | None) -> None:
    urls = list(file.urls)
    if mirror and "://" in urls[0]:
        urls.insert(0, f"{mirror.rstrip('/')}/{file.name}")
    failures = []
    for url in urls:
        try:
            pooch.retrieve(url, file.checksum, file.name, folder, downloader=partial(_download, file.name))
            return
        except (HTTPError, ImportError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            failures.append(f"{url} ({_reason(error)})")
    fix = "Check the network and source.yaml, or set DIGITS_MIRROR to a folder that holds the file"
    if mirror:
        fix = "Check DIGITS_MIRROR and its file, or correct checksum in source.yaml if that file is right"
    raise InputError(file.name, f"found no usable copy at {', '.join(failures)}", fix)


def _download(name: str, url: str, output: str, _: object) -> None:
    """Copy or download ``url`` to ``output``; pooch calls this with one more argument."""
    print(f"{name}: from {url}", flush=True)
    if "://" in url:
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=RETRY))
            session.mount("https://", HTTPAdapter(max_retries=RETRY))
            response = session.get(url, headers={"Accept-Encoding": "gzip"}, timeout=TIMEOUT, stream=True)
            with response, Path(output).open("wb") as file:
                if response.status_code != requests.codes.ok:
                    raise OSError(f"HTTP status {response.status_code}")
                length = response.raw.length_remaining
                with tqdm.wrapattr(file, "write", length, ncols=79, disable=None) as bar:
                    for chunk in response.raw.stream(2**18, decode_content=not name.endswith(".gz")):
                        bar.write(chunk)
    elif url.lower().startswith("package:"):
        package, _, path = url.partition(":")[2].partition("/")
        spec = importlib.util.find_spec(package)  # importlib.resources would import the package
        if spec is None or not spec.submodule_search_locations:
            raise OSError(f"no package {package} is installed")
        shutil.copyfile(Path(spec.submodule_search_locations[0], path), output)
    else:
        shutil.copyfile(url, output)
    with Path(output).open("rb") as file:
        start = file.read(512)
    if not start or start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise OSError("a web page, not data" if start else "the file is empty")


def _reason(error: BaseException) -> str:
    """Return the reason from the innermost error, in the library's own words."""
    if isinstance(error, ValueError) and "known hash" not in str(error):
        return "invalid URL, proxy or header"  # its message may contain the proxy's password
    proxy = "proxy: " if isinstance(error, requests.exceptions.ProxyError) else ""
    while error.args and isinstance(cause := getattr(error, "reason", error.args[-1]), Exception):
        error = cause
    # Without urllib3's "HTTPConnection(host=…): " in front, and what pooch says after the first sentence.
    return proxy + str(error).rpartition("): ")[2].partition(". ")[0]
