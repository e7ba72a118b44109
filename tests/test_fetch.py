import hashlib
from pathlib import Path

import pytest

from digits.errors import InputError
from digits.fetch import fetch
from tests import tiny
from tests.conftest import Server

DATA = b"1,2,3\n"
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
#: A port on which nothing listens.
REFUSED = "http://127.0.0.1:9"


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
    fetch([tiny.source_file(f"{server.url}/a.csv", checksum=SHA256)], raw)
    assert contents(raw) == {"a.csv": DATA}
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]


def test_paths_file_urls_and_package_urls(published: Path, raw: Path) -> None:
    import sklearn

    shipped = Path(sklearn.__file__).parent / "datasets/data/iris.csv"
    (published.parent / "my b.csv").write_bytes(b"b")
    files = [
        str(published),
        (published.parent / "my b.csv").as_uri(),
        "package:sklearn/datasets/data/iris.csv",
    ]
    fetch([tiny.source_file(url) for url in files], raw)
    assert contents(raw) == {"a.csv": DATA, "my b.csv": b"b", "iris.csv": shipped.read_bytes()}


@pytest.mark.parametrize("first", [f"{REFUSED}/a.csv", "/no/such/a.csv", "ftp://example.org/a.csv"])
def test_the_next_mirror_is_tried_when_one_fails(first: str, published: Path, raw: Path) -> None:
    fetch([tiny.source_file(first, str(published), checksum=SHA256)], raw)
    assert contents(raw) == {"a.csv": DATA}


@pytest.mark.parametrize("page", [b"", b"<!DOCTYPE html>", b"\xef\xbb\xbf\n <html>", b"1,2"])
def test_the_next_mirror_is_tried_when_one_gives_something_else(
    page: bytes, server: Server, published: Path, raw: Path
) -> None:
    server.pages["/a.csv"] = page
    fetch([tiny.source_file(f"{server.url}/a.csv", str(published), checksum=SHA256)], raw)
    assert server.requested == ["/a.csv"]
    assert contents(raw) == {"a.csv": DATA}


def test_no_second_mirror_is_asked_when_the_first_gives_the_file(
    server: Server, published: Path, raw: Path
) -> None:
    fetch([tiny.source_file(str(published), f"{server.url}/a.csv")], raw)
    assert server.requested == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_extra_mirror_comes_first_as_a_url(server: Server, raw: Path, slash: str) -> None:
    server.pages |= {"/copies/a.csv": b"copy", "/a.csv": DATA}
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, mirror=f"{server.url}/copies{slash}")
    assert contents(raw) == {"a.csv": b"copy"}


def test_the_extra_mirror_comes_first_as_a_folder(server: Server, published: Path, raw: Path) -> None:
    server.pages["/a.csv"] = b"from the server"
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, mirror=str(published.parent))
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []


@pytest.mark.parametrize("mirror", ["/no/such/folder", REFUSED, "http://[half"])
def test_a_useless_extra_mirror_does_no_harm(mirror: str, server: Server, raw: Path) -> None:
    server.pages["/a.csv"] = DATA
    fetch([tiny.source_file(f"{server.url}/a.csv")], raw, mirror=mirror)
    assert contents(raw) == {"a.csv": DATA}


def test_a_wrong_copy_in_the_extra_mirror_is_not_used(server: Server, raw: Path) -> None:
    server.pages |= {"/copies/a.csv": b"1,2,4\n", "/a.csv": DATA}
    file = tiny.source_file(f"{server.url}/a.csv", checksum=SHA256)
    fetch([file], raw, mirror=f"{server.url}/copies")
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == ["/copies/a.csv", "/a.csv"]


def test_the_extra_mirror_never_stands_in_for_a_local_file(
    server: Server, published: Path, raw: Path
) -> None:
    server.pages["/a.csv"] = b"another data set's file of the same name"
    fetch([tiny.source_file(str(published))], raw, mirror=server.url)
    assert contents(raw) == {"a.csv": DATA}
    assert server.requested == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"{REFUSED}/b.csv", "connection refused"),
        ("http://127.0.0.1:99999/b.csv", "99999"),
        ("ftp://example.org/b.csv", "no way to fetch ftp: URLs"),
        ("/no/such/b.csv", "no such file or directory"),
        ("package:nope/b.csv", "no package nope is installed"),
        ("package:sklearn.nope.deeper/b.csv", "no package sklearn.nope.deeper is installed"),
        ("{server}/b.csv", "HTTP status 404"),
        ("{server}/empty.csv", "the file is empty"),
        ("{server}/portal.csv", "a web page, not data"),
        ("{server}/other.csv", f"the bytes do not match {SHA256}"),
    ],
)
def test_a_file_that_cannot_be_had_leaves_the_folder_as_it_was(
    url: str, reason: str, server: Server, published: Path, raw: Path
) -> None:
    server.pages |= {"/empty.csv": b"", "/portal.csv": b"<html>Log in</html>", "/other.csv": b"x"}
    url = url.format(server=server.url)
    with pytest.raises(InputError) as caught:
        fetch([tiny.source_file(str(published)), tiny.source_file(url, checksum=SHA256)], raw)
    message = str(caught.value)
    assert url in message
    assert reason in message
    assert "DIGITS_MIRROR" in message
    assert contents(raw) == {"old.csv": b"old"}
    assert sorted(path.name for path in raw.parent.iterdir()) == ["published", "raw"]


def test_every_mirror_that_failed_is_named(raw: Path) -> None:
    urls = [f"{REFUSED}/a.csv", "/no/such/a.csv"]
    with pytest.raises(InputError) as caught:
        fetch([tiny.source_file(*urls)], raw, mirror="/nowhere")
    for url in [*urls, "/nowhere/a.csv"]:
        assert url in str(caught.value)


def test_a_changed_file_without_checksum_is_reported(
    published: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tiny.source_file(str(published))
    fetch([file], raw)
    fetch([file], raw)
    assert "CHANGED" not in capsys.readouterr().out
    published.write_bytes(b"4,5,6\n")
    fetch([file], raw)
    said = capsys.readouterr()
    assert f"a.csv: CHANGED since the last download, which was {SHA256}" in said.out
    assert said.err == ""
