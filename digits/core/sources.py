"""The data sources: what each is, where its files are, how they are laid out.

Each is a folder of data/sources with a ``source.yaml``; files of one's own lie beside it.
"""

import re
from pathlib import Path, PurePath, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from digits.core.errors import InputError, excerpt
from digits.core.yaml_files import Section, read_mapping, validated

FOLDER = Path("data/sources")

#: Checksums as pooch writes them, with the algorithm in front.
Checksum = Annotated[str, StringConstraints(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]

#: Characters that end lines or steer devices: tables and pages would not keep them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: File names that every system takes as they are.
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._ -]*[A-Za-z0-9_-])?")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError(f"{excerpt(text)}, expected one line without control characters")
    return text


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_line)]


def _last_part(url: str) -> str:
    """The last part of the URL's path; nothing if it is no URL."""
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        return ""


class SourceFile(Section):
    """One published file: its mirrors in the order they are tried, and how to know it is whole."""

    urls: list[Text] = Field(min_length=1)
    checksum: Checksum | None = None
    rows: int | None = Field(default=None, gt=0, description="rows that the file must hold")

    @property
    def name(self) -> str:
        """The file's name in data/raw: the last part of its first URL's path."""
        return _last_part(self.urls[0])

    @field_validator("urls")
    @classmethod
    def _names_a_file(cls, urls: list[str]) -> list[str]:
        for url in urls:
            name = _last_part(url)
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{excerpt(url)}, expected a path or URL that ends in a file name"
                    " (letters, digits, '.', '_', '-')"
                )
            scheme, _, inside = url.partition(":")
            path = PurePath(inside if scheme == "package" else url)
            if scheme == "package" and (".." in path.parts or "//" in inside):
                raise ValueError(f"{excerpt(url)}, expected package:NAME/PATH, a file that a package ships")
            if scheme.lower() not in ("http", "https", "package") and (
                ":" in url or path.is_absolute() or ".." in path.parts
            ):
                # DVC watches the source's folder, so a file elsewhere could change unseen.
                raise ValueError(
                    f"{excerpt(url, 100)}, expected an http(s) URL, or a file in the same folder as "
                    f"source.yaml: copy it there, or make a link to it there, and write {name}"
                )
        return urls


class CsvFiles(Section):
    train: SourceFile
    test: SourceFile | None = None


class IdxFiles(Section):
    train_images: SourceFile
    train_labels: SourceFile
    test_images: SourceFile | None = None
    test_labels: SourceFile | None = None

    @model_validator(mode="after")
    def _pairs(self) -> "IdxFiles":
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError("one of test_images and test_labels, expected both or neither")
        return self


class _Source(Section):
    title: Text
    homepage: Text | None = None
    licence: Text | None = None
    height: int = Field(gt=0, le=4096, description="pixels")
    width: int = Field(gt=0, le=4096, description="pixels")
    pixel_maximum: int = Field(gt=0, le=255, description="the value of full ink")
    class_names: list[Text] = Field(min_length=2, max_length=256)

    @field_validator("class_names")
    @classmethod
    def _unique(cls, names: list[str]) -> list[str]:
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{excerpt(min(twice))} twice, expected a name of its own for each class")
        return names


class CsvSource(_Source):
    """Rows of a label and ``height × width`` pixels, row-major, no header."""

    format: Literal["csv"]
    label_column: Literal["first", "last"] = "first"
    files: CsvFiles


class IdxSource(_Source):
    """Files of images and files of labels in MNIST's own IDX format."""

    format: Literal["idx"]
    files: IdxFiles


Source = CsvSource | IdxSource
#: The formats that a source can have, by the word in source.yaml.
FORMATS: dict[object, type[Source]] = {"csv": CsvSource, "idx": IdxSource}


def source_files(source: Source) -> list[SourceFile]:
    """Every file of the source, in the order of source.yaml."""
    files = [getattr(source.files, field) for field in type(source.files).model_fields]
    return [file for file in files if file is not None]


def load_source(root: Path, name: str) -> Source:
    """Read the source of that name; no other is looked at.

    Raises:
        InputError: there is no such source, or a key of it holds what it may not.
    """
    known = sorted(path.parent.name for path in (root / FOLDER).glob("*/source.yaml"))
    if name not in known:
        raise InputError(
            "params.yaml, data.source",
            found=f"{excerpt(name)}, but no {FOLDER.as_posix()}/{name}/source.yaml",
            expected=f"one of {', '.join(known)}",
            do="name one of these, or write that file",
        )
    path = FOLDER / name / "source.yaml"
    entry = read_mapping(root / path)
    kind = entry.get("format")
    if not isinstance(kind, str) or kind not in FORMATS:
        raise InputError(
            f"{path}, format",
            found=excerpt(kind),
            expected=f"one of {', '.join(map(str, FORMATS))}",
            do="change the value",
        )
    source = validated(FORMATS[kind], entry, path=path)
    names = [file.name for file in source_files(source)]
    # On many a file system, a.csv and A.csv are one.
    if len({name.lower() for name in names}) < len(names):
        raise InputError(
            f"{path}, files",
            found=f"one file name for two files ({', '.join(names)})",
            expected="a name of its own for each file",
            do="rename one of them",
        )
    return source
