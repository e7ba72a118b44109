import hashlib
from pathlib import Path

import pytest

from digits.core.errors import InputError
from digits.core.sources import SourceFile
from digits.download import fetch as fetching
from tests import tiny
from tests.conftest import Server

DATA = b"1,2,3\n"
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
#: A port on which nothing listens.
REFUSED = "http://127.0.0.1:9"


def fetch(*files: SourceFile, into: Path, mirror: str | None = None) -> None:
    """With the folder beside it that :func:`published` makes as that of files of one's own."""
    fetching.fetch(files, into, local=into.parent / "published", mirror=mirror)


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


def test_http(server: Server, raw: Path) -> None:
    server.pages["/a.csv"] = DATA
    fetch(tiny.source_file(f"{server.url}/a.csv", checksum=SHA256), into=raw)
    assert contents(raw) == {"a.csv": DATA}
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]


def test_own_files_and_package_urls(published: Path, raw: Path) -> None:
    import sklearn

    shipped = Path(sklearn.__file__).parent / "datasets/data/iris.csv"
    (published.parent / "deeper").mkdir()
    (published.parent / "deeper/my b.csv").write_bytes(b"b")
    urls = ["a.csv", "deeper/my b.csv", "package:sklearn/datasets/data/iris.csv"]
    fetch(*(tiny.source_file(url) for url in urls), into=raw)
    assert contents(raw) == {"a.csv": DATA, "my b.csv": b"b", "iris.csv": shipped.read_bytes()}


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_what_is_there_is_kept_without_a_network(
    checksum: str | None, server: Server, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw / "a.csv").write_bytes(DATA)
    fetch(tiny.source_file(f"{server.url}/a.csv", checksum=checksum), into=raw)
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []
    assert "a.csv: already there" in capsys.readouterr().out


def test_what_has_another_checksum_is_fetched_anew(server: Server, raw: Path) -> None:
    (raw / "a.csv").write_bytes(b"damaged")
    server.pages["/a.csv"] = DATA
    fetch(tiny.source_file(f"{server.url}/a.csv", checksum=SHA256), into=raw)
    assert contents(raw) == {"a.csv": DATA}


def test_an_own_file_is_copied_anew(published: Path, raw: Path) -> None:
    for data in (DATA, b"4,5,6\n"):
        published.write_bytes(data)
        fetch(tiny.source_file("a.csv"), into=raw)
        assert contents(raw) == {"a.csv": data}


def test_strangers_in_the_folder_go(published: Path, raw: Path) -> None:
    (raw / "folder").mkdir()
    (raw / "folder/b.csv").write_bytes(b"b")
    (raw / "link").symlink_to(published.parent)
    fetch(tiny.source_file("a.csv"), into=raw)
    assert contents(raw) == {"a.csv": DATA}
    assert contents(published.parent) == {"a.csv": DATA}


def test_the_next_mirror_is_tried_when_one_fails(published: Path, raw: Path) -> None:
    fetch(tiny.source_file(f"{REFUSED}/a.csv", "a.csv", checksum=SHA256), into=raw)
    assert contents(raw) == {"a.csv": DATA}


@pytest.mark.parametrize("page", [b"", b"<!DOCTYPE html>", b"\xef\xbb\xbf\n <html>", b"1,2"])
def test_the_next_mirror_is_tried_when_one_gives_something_else(
    page: bytes, server: Server, published: Path, raw: Path
) -> None:
    server.pages["/a.csv"] = page
    fetch(tiny.source_file(f"{server.url}/a.csv", "a.csv", checksum=SHA256), into=raw)
    assert server.requested == ["/a.csv"]
    assert contents(raw) == {"a.csv": DATA}


def test_no_second_mirror_is_asked_when_the_first_gives_the_file(
    server: Server, published: Path, raw: Path
) -> None:
    fetch(tiny.source_file("a.csv", f"{server.url}/a.csv"), into=raw)
    assert server.requested == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_extra_mirror_comes_first_as_a_url(server: Server, raw: Path, slash: str) -> None:
    server.pages |= {"/copies/a.csv": b"copy", "/a.csv": DATA}
    fetch(tiny.source_file(f"{server.url}/a.csv"), into=raw, mirror=f"{server.url}/copies{slash}")
    assert contents(raw) == {"a.csv": b"copy"}


def test_the_extra_mirror_comes_first_as_a_folder(server: Server, published: Path, raw: Path) -> None:
    server.pages["/a.csv"] = b"from the server"
    fetch(tiny.source_file(f"{server.url}/a.csv"), into=raw, mirror=str(published.parent))
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []


@pytest.mark.parametrize("mirror", ["/no/such/folder", REFUSED, "http://[half"])
def test_a_useless_extra_mirror_does_no_harm(mirror: str, server: Server, raw: Path) -> None:
    server.pages["/a.csv"] = DATA
    fetch(tiny.source_file(f"{server.url}/a.csv"), into=raw, mirror=mirror)
    assert contents(raw) == {"a.csv": DATA}


def test_a_wrong_copy_in_the_extra_mirror_is_not_used(server: Server, raw: Path) -> None:
    server.pages |= {"/copies/a.csv": b"1,2,4\n", "/a.csv": DATA}
    file = tiny.source_file(f"{server.url}/a.csv", checksum=SHA256)
    fetch(file, into=raw, mirror=f"{server.url}/copies")
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == ["/copies/a.csv", "/a.csv"]


def test_the_extra_mirror_never_stands_in_for_a_local_file(
    server: Server, published: Path, raw: Path
) -> None:
    server.pages["/a.csv"] = b"another data set's file of the same name"
    fetch(tiny.source_file("a.csv"), into=raw, mirror=server.url)
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"{REFUSED}/b.csv", "connection refused"),
        ("http://127.0.0.1:99999/b.csv", "99999"),
        ("no/such/b.csv", "no such file or directory"),
        ("package:nope/b.csv", "no package nope is installed"),
        ("package:sklearn.nope.deeper/b.csv", "no package sklearn.nope.deeper is installed"),
        ("{server}/b.csv", "HTTP status 404"),
        ("{server}/empty.csv", "the file is empty"),
        ("{server}/portal.csv", "a web page, not data"),
        ("{server}/other.csv", f"the bytes do not match {SHA256}"),
    ],
)
def test_a_file_that_cannot_be_had_is_told(
    url: str, reason: str, server: Server, published: Path, raw: Path
) -> None:
    server.pages |= {"/empty.csv": b"", "/portal.csv": b"<html>Log in</html>", "/other.csv": b"x"}
    url = url.format(server=server.url)
    with pytest.raises(InputError) as caught:
        fetch(tiny.source_file("a.csv"), tiny.source_file(url, checksum=SHA256), into=raw)
    message = str(caught.value)
    assert url in message
    assert reason in message
    assert "DIGITS_MIRROR" in message
    assert contents(raw) == {"old.csv": b"old", "a.csv": DATA}  # nothing half of the other


def test_every_mirror_that_failed_is_named(raw: Path) -> None:
    urls = [f"{REFUSED}/a.csv", "no/such/a.csv"]
    with pytest.raises(InputError) as caught:
        fetch(tiny.source_file(*urls), into=raw, mirror="/nowhere")
    for url in [*urls, "/nowhere/a.csv"]:
        assert url in str(caught.value)
