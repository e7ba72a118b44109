"""The schema of source.yaml, which describes a data set and its files.

Each source is a folder of data/sources with a ``source.yaml``; the user's own files are beside it.
"""

import re
from pathlib import Path, PurePath, PurePosixPath
from typing import Annotated, Any, Literal, get_args
from urllib.parse import unquote

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from digits.core.errors import InputError, excerpt
from digits.core.yaml_files import Section, read_mapping, validated

FOLDER = Path("data/sources")

#: Checksums as pooch writes them, with the algorithm in front.
Checksum = Annotated[str, StringConstraints(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]

#: File names that every system takes as they are.
_FILE_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._ -]*[A-Za-z0-9_-])?")

#: One line without control characters, which would break tables and pages.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]
ClassName = Annotated[Text, BeforeValidator(lambda name: str(name) if type(name) is int else name)]


def _name(url: str) -> str:
    return PurePosixPath(unquote(re.split("[?#]", url)[0])).name


class SourceFile(Section):
    """A file or folder: the URLs in the order they are tried, or one path beside source.yaml."""

    urls: list[Text] = Field(min_length=1)
    checksum: Checksum | None = None
    rows: int | None = Field(default=None, gt=0, description="images that the file must hold")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Let ``train: mine.csv`` stand for ``train: {urls: [mine.csv]}``."""
        return {"urls": [value]} if isinstance(value, str) else value

    @property
    def name(self) -> str:
        """The file's name in data/raw: the last part of its first URL's path."""
        return _name(self.urls[0])

    @property
    def is_local(self) -> bool:
        """True for a file beside source.yaml, which is read where it is and never copied."""
        return ":" not in self.urls[0]

    @field_validator("urls")
    @classmethod
    def _check_urls(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if not _FILE_NAME.fullmatch(name := _name(url)):
                expected = "a path or URL that ends in a file name (letters, digits, '.', '_', '-')"
                raise ValueError(f"expected {expected}, found {excerpt(url)}")
            if url.startswith(("http://", "https://")):
                continue
            path = PurePath(url.removeprefix("package:"))
            inside = not (path.is_absolute() or ".." in path.parts or ":" in str(path) or "//" in url)
            single = url.startswith("package:") or len(urls) == 1
            # DVC watches the source's folder, so a file elsewhere could change unseen.
            if not (inside and single):
                raise ValueError(
                    f"expected http(s) URLs, or one file beside source.yaml, found {excerpt(url, 100)} "
                    f"(copy it there, or make a link to it there, and write {name})"
                )
        return urls


class PartFiles(Section):
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
            raise ValueError("expected both of test_images and test_labels, or neither, found one")
        return self


class NpzFiles(Section):
    data: SourceFile


class _Source(Section):
    """The keys that all formats share; docs/own-data.md shows each."""

    title: Text
    homepage: Text | None = None
    licence: Text | None = None
    height: int = Field(gt=0, le=4096, description="pixels, after transposing")
    width: int = Field(gt=0, le=4096, description="pixels, after transposing")
    pixel_maximum: int = Field(default=255, gt=0, le=255, description="the highest value of a pixel")
    inverted: bool = Field(default=False, description="dark ink on light paper")
    transposed: bool = Field(default=False, description="pixels are stored column by column, as in EMNIST")
    first_label: int = Field(default=0, ge=0, le=255)
    class_names: list[ClassName] = Field(min_length=2, max_length=256)

    @field_validator("class_names")
    @classmethod
    def _unique(cls, names: list[str]) -> list[str]:
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"expected a name of its own for each class, found {excerpt(min(twice))} twice")
        return names


class CsvSource(_Source):
    """Rows of a label and ``height × width`` pixels."""

    format: Literal["csv"]
    header: bool | None = Field(default=None, description="None: the first row decides")
    label_column: Literal["first", "last"] = "first"
    files: PartFiles


class IdxSource(_Source):
    """Files of images and files of labels in MNIST's own IDX format."""

    format: Literal["idx"]
    files: IdxFiles


class NpzSource(_Source):
    """NumPy's archive as Keras has it: x_train, y_train and maybe x_test, y_test."""

    format: Literal["npz"]
    files: NpzFiles


class PicturesSource(_Source):
    """A folder with a folder of pictures for each class, named as the class."""

    format: Literal["pictures"]
    files: PartFiles


Source = CsvSource | IdxSource | NpzSource | PicturesSource
#: The class of each value of ``format`` in source.yaml.
FORMATS: dict[str, Any] = {
    get_args(kind.model_fields["format"].annotation)[0]: kind for kind in get_args(Source)
}


def source_files(source: Source) -> dict[str, SourceFile]:
    """Every file of the source, by its key in source.yaml; train before test."""
    return {key: file for key, file in source.files if file is not None}


def load_source(root: Path, name: str) -> Source:
    """Read and check the source of that name; the others are not checked."""
    known = sorted(path.parent.name for path in (root / FOLDER).glob("*/source.yaml"))
    if name not in known:
        problem = f"found {excerpt(name)}, but no {FOLDER.as_posix()}/{name}/source.yaml"
        fix = f"Name one of {', '.join(known)}, or write that file"
        raise InputError("params.yaml, data.source", problem, fix)
    path = FOLDER / name / "source.yaml"
    entry = read_mapping(root / path)
    kind = entry.get("format")
    if not isinstance(kind, str) or kind not in FORMATS:
        problem = f"found {excerpt(kind)}, expected one of {', '.join(FORMATS)}"
        raise InputError(f"{path}, format", problem, "Fix the value")
    source: Source = validated(FORMATS[kind], entry, path=path)
    names = [file.name for file in source_files(source).values() if not file.is_local]
    # Many file systems take a.csv and A.csv for the same file.
    if len({name.lower() for name in names}) < len(names):
        problem = f"two downloaded files have the same name ({', '.join(names)})"
        raise InputError(f"{path}, files", problem, "Put one of them beside source.yaml by hand")
    return source
