"""Whatever the sizes, the ways of writing and the damage: the right arrays, or one error of one line."""

import contextlib
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.params import load_params
from digits.core.sources import load_source
from digits.core.yaml_files import read_mapping
from digits.split import parsing
from digits.split.parsing import read_source
from digits.split.splitting import split
from tests import tiny
from tests.conftest import REPOSITORY

# The same examples each time, so that a test that fails does so everywhere; each writes its own files anew.
CHECKED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PARAMS = (REPOSITORY / "params.yaml").read_bytes()
SOURCE = (REPOSITORY / "data/sources/mnist/source.yaml").read_bytes()


def assert_same(found: Examples, expected: Examples) -> None:
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert_array_equal(found.images, expected.images)
    assert_array_equal(found.labels, expected.labels)
    assert (found.pixel_maximum, found.class_names) == (expected.pixel_maximum, expected.class_names)


@contextlib.contextmanager
def answered_or_refused(lines: int | None = 1) -> Iterator[None]:
    """An InputError is as good as an answer, if it has so many lines (None: any) that say what to do."""
    try:
        yield
        return
    except InputError as error:
        refusal = str(error).split("\n")
    assert len(refusal) == lines or (lines is None and refusal)
    for line in refusal:
        assert [line] == line.splitlines()
        assert ": found " in line
        assert ", expected " in line
        assert "; " in line


# --- What is written --------------------------------------------------------------------------


@st.composite
def any_examples(draw: st.DrawFn) -> Examples:
    n, height, width = draw(st.integers(1, 9)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    maximum = draw(st.sampled_from([1, 16, 254, 255]))
    names = draw(st.lists(st.text("abc .é/3", min_size=1), min_size=2, max_size=5, unique=True))
    return Examples(
        draw(arrays.arrays(np.uint8, (n, height, width), elements=st.integers(0, maximum))),
        draw(arrays.arrays(np.uint8, n, elements=st.integers(0, len(names) - 1))),
        maximum,
        tuple(names),
    )


WAYS_TO_WRITE = [
    "{}",
    "{}.0",
    "{}.",
    " {}",
    "{} ",
    "\t{}",
    "{:03d}",
    "+{}",
    "{:e}",
    "{:.18e}",
    "\u00a0{}\u3000",
]


@st.composite
def csv_file(draw: st.DrawFn, of: Examples, label_column: str) -> bytes:
    """The examples as a person or a program may write them."""
    ways = draw(st.lists(st.sampled_from(WAYS_TO_WRITE), min_size=1, max_size=7))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [draw(st.sampled_from(["", "", "\n", " \n"]))]
    for number, (image, label) in enumerate(
        zip(of.images.reshape(len(of), -1).tolist(), of.labels.tolist(), strict=True)
    ):
        values = [label, *image] if label_column == "first" else [*image, label]
        fields = [ways[(number + at) % len(ways)].format(value) for at, value in enumerate(values)]
        lines.append(",".join(fields) + "\n" + draw(st.sampled_from(["", "", "\n", "\t \n"])))
    text = "".join(lines)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    return text.replace("\n", end).encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


@st.composite
def packed(draw: st.DrawFn, content: bytes) -> bytes:
    """The content as it is, or as gzip of one or two members."""
    if draw(st.booleans()):
        return content
    cut = draw(st.integers(0, len(content)))
    members = draw(st.sampled_from([[content], [content[:cut], content[cut:]]]))
    return b"".join(gzip.compress(member, mtime=0) for member in members)


@given(st.data(), any_examples(), st.sampled_from(["first", "last"]))
@CHECKED
def test_csv_reads_back_however_it_is_written(
    tmp_path: Path, data: st.DataObject, examples: Examples, label_column: str
) -> None:
    content = data.draw(packed(data.draw(csv_file(examples, label_column))))
    (tmp_path / "train.csv").write_bytes(content)
    found, _ = read_source(tmp_path, tiny.csv_source(examples, label_column=label_column))
    assert_same(found, examples)


@given(st.data(), any_examples())
@CHECKED
def test_idx_reads_back(tmp_path: Path, data: st.DataObject, examples: Examples) -> None:
    (tmp_path / "images").write_bytes(data.draw(packed(tiny.idx_bytes(examples.images))))
    (tmp_path / "labels").write_bytes(data.draw(packed(tiny.idx_bytes(examples.labels))))
    found, _ = read_source(tmp_path, tiny.idx_source(examples))
    assert_same(found, examples)


@given(any_examples())
@CHECKED
def test_a_split_reads_back(tmp_path: Path, examples: Examples) -> None:
    examples.save(tmp_path / "a.npz")
    assert_same(Examples.load(tmp_path / "a.npz"), examples)


@given(st.data(), any_examples())
@CHECKED
def test_quotes_are_refused(tmp_path: Path, data: st.DataObject, examples: Examples) -> None:
    content = tiny.csv_bytes(examples)
    fields = content.replace(b"\n", b",").split(b",")[:-1]
    quoted = data.draw(st.sets(st.integers(0, len(fields) - 1), min_size=1))
    fields = [b'"%s"' % field if at in quoted else field for at, field in enumerate(fields)]
    columns = 1 + examples.height * examples.width
    rows = [b",".join(fields[at : at + columns]) for at in range(0, len(fields), columns)]
    (tmp_path / "train.csv").write_bytes(b"\n".join(rows))
    row, column = divmod(min(quoted), columns)
    with pytest.raises(InputError, match=rf"row {row + 1}, column {column + 1}: found .* without quotes"):
        read_source(tmp_path, tiny.csv_source(examples))


# --- Damage -----------------------------------------------------------------------------------

EXTRA = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b",",
    b";",
    b'"',
    b"-1",
    b".5",
    b"256",
    b"\xef\xbb\xbf",
    b"PK\3\4",
    b"\x1f\x8b",
]


@st.composite
def damaged(draw: st.DrawFn, content: bytes, most: int = 3) -> bytes:
    """Bytes flipped, cut out, put in and doubled, and rows swapped, a few times."""
    for _ in range(draw(st.integers(1, most))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        before, part, after = content[:start], content[start:end], content[end:]
        match draw(st.sampled_from(["flip", "cut", "end", "insert", "double", "swap"])):
            case "flip":
                changed = (after[0] ^ 1 << draw(st.integers(0, 7)),) if after else ()
                content = before + part + bytes(changed) + after[1:]
            case "cut":
                content = before + after
            case "end":
                content = before
            case "insert":
                content = before + draw(st.sampled_from(EXTRA) | st.binary(max_size=4)) + part + after
            case "double":
                content = before + part + part + after
            case "swap":
                rows = content.splitlines(keepends=True)
                if rows:
                    one, other = draw(st.tuples(*[st.integers(0, len(rows) - 1)] * 2))
                    rows[one], rows[other] = rows[other], rows[one]
                content = b"".join(rows)
    return content


def unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def plainly_read_csv(content: bytes) -> NDArray[np.float64]:
    """The file's numbers, by Python's own means; what is none raises."""
    lines = io.StringIO(unpacked(content).decode("utf-8-sig", "replace"), newline=None)
    return np.array([[float(field.strip()) for field in line.split(",")] for line in lines if line.strip()])


@given(st.data(), any_examples(), st.sampled_from(["first", "last"]))
@CHECKED
def test_damaged_csv_is_read_as_it_stands_or_refused(
    tmp_path: Path, data: st.DataObject, examples: Examples, label_column: str
) -> None:
    content = data.draw(csv_file(examples, label_column) | st.just(tiny.csv_bytes(examples)))
    if data.draw(st.booleans()):
        content = data.draw(damaged(content))
    content = data.draw(packed(content))
    if data.draw(st.booleans()):
        content = data.draw(damaged(content, most=1))
    (tmp_path / "train.csv").write_bytes(content)
    with answered_or_refused():
        found, _ = read_source(tmp_path, tiny.csv_source(examples, label_column=label_column))
        pixels = found.images.reshape(len(found), -1)
        columns = [found.labels, *pixels.T] if label_column == "first" else [*pixels.T, found.labels]
        assert_array_equal(np.column_stack(columns), plainly_read_csv(content))
        assert found.images.max() <= examples.pixel_maximum
        assert found.labels.max() < len(examples.class_names)


@given(st.data(), any_examples())
@CHECKED
def test_damaged_idx_is_read_as_it_stands_or_refused(
    tmp_path: Path, data: st.DataObject, examples: Examples
) -> None:
    contents = {}
    for name, array in (("images", examples.images), ("labels", examples.labels)):
        content = data.draw(damaged(tiny.idx_bytes(array)) | st.just(tiny.idx_bytes(array)))
        contents[name] = data.draw(packed(content).flatmap(lambda good: damaged(good, 1) | st.just(good)))
        (tmp_path / name).write_bytes(contents[name])
    with answered_or_refused():
        found, _ = read_source(tmp_path, tiny.idx_source(examples))
        assert tiny.idx_bytes(found.images) == unpacked(contents["images"])
        assert tiny.idx_bytes(found.labels) == unpacked(contents["labels"])
        assert found.images.max() <= examples.pixel_maximum
        assert found.labels.max() < len(examples.class_names)


@given(st.data(), any_examples())
@CHECKED
def test_a_damaged_split_is_read_as_it_was_or_refused(
    tmp_path: Path, data: st.DataObject, examples: Examples
) -> None:
    path = tmp_path / "a.npz"
    examples.save(path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    with answered_or_refused():
        assert_same(Examples.load(path), examples)


# --- The two readers of CSV -------------------------------------------------------------------

FIELDS = [
    *("0", "1", "2", "255", "256", "-1", "-0", "+1", "007", "1.0", "1.", ".0", "1.5", "1e0", "1e-1", "1e400"),
    *("", " ", "\t1", "1 ", "\u00a01", "\u20281", "1\x0b", "\x1c1", "\x851", "\ufeff1", "1\0", "\0", "1 1"),
    *("0x1", "1_0", "nan", "inf", "x", '"1"', "'1'", "#1", "1#", "٥", "１", "1;", "--1", "1j", "True", "١"),
    "1" * 30,
    "0." + "0" * 400,
]


def outcome(read: Callable[[], tuple[Examples, Examples | None]]) -> tuple[object, ...]:
    try:
        found, _ = read()
    except InputError as error:
        return ("refused", str(error))
    return ("read", found.images.shape, found.images.tobytes(), found.labels.tobytes())


@given(
    st.lists(st.lists(st.sampled_from(FIELDS), min_size=2, max_size=4), max_size=4),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x0b", "\x0c", "\x1e", "\x85", "\u2028"]),
    st.booleans(),
)
@settings(CHECKED, max_examples=500)
@example([[field, "1", "0"] for field in ("0", "\u00a01", "1")], "\n", True)
def test_both_readers_of_csv_agree(tmp_path: Path, rows: list[list[str]], end: str, last_end: bool) -> None:
    text = end.join(",".join(fields) for fields in rows) + (end if last_end else "")
    (tmp_path / "train.csv").write_bytes(text.encode())
    source = tiny.csv_source(tiny.examples(1, size=(1, 2), pixel_maximum=255))
    usual = outcome(lambda: read_source(tmp_path, source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_fits", lambda *_: False)
        assert outcome(lambda: read_source(tmp_path, source)) == usual


@pytest.mark.parametrize("field", FIELDS)
def test_both_readers_of_csv_agree_on_each_field(tmp_path: Path, field: str) -> None:
    """Alone among good ones, where nothing else sends the file to the slow reader."""
    test_both_readers_of_csv_agree.hypothesis.inner_test(  # type: ignore[attr-defined]
        tmp_path, [["0", "1", "2"], ["1", field, "3"]], "\n", True
    )


# --- Splitting --------------------------------------------------------------------------------


@given(
    n=st.integers(1, 300),
    classes=st.integers(1, 6),
    own_test=st.none() | st.integers(1, 9),
    rows=st.none() | st.integers(1, 400),
    validation_fraction=st.floats(0, 1, exclude_min=True, exclude_max=True),
    test_fraction=st.floats(0, 1, exclude_min=True, exclude_max=True),
    seed=st.integers(0, 2**31 - 1),
)
@CHECKED
def test_each_example_is_in_one_split_once(
    n: int,
    classes: int,
    own_test: int | None,
    rows: int | None,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> None:
    def numbered(start: int, count: int) -> Examples:
        numbers = np.arange(start, start + count)
        images = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8).reshape(-1, 1, 2)
        return Examples(images, (numbers % classes).astype(np.uint8), 255, tuple("abcdef"[:classes]))

    def numbers(part: Examples) -> list[int]:
        found: list[int] = (part.images[:, 0, 0].astype(int) * 256 + part.images[:, 0, 1]).tolist()
        assert_array_equal(part.labels, np.array(found) % classes)
        return found

    with answered_or_refused():
        train, validation, test = split(
            numbered(0, n),
            None if own_test is None else numbered(n, own_test),
            rows=rows,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            seed=seed,
        )
        assert min(len(train), len(validation), len(test)) > 0
        assert all(train.rows_per_class().values())
        together = sorted(numbers(train) + numbers(validation))
        if own_test is None:
            every = sorted(together + numbers(test))
            assert len(set(every)) == len(every)
            left = n - len(test)
            assert len(together) == (left if rows is None else min(rows, left))
            assert (rows is not None and rows < left) or every == list(range(n))
        else:
            assert together == list(range(n if rows is None else min(rows, n)))
            assert numbers(test) == list(range(n, n + own_test))


# --- Settings ---------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.dates()
    | st.binary(max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
TOKENS = [
    "[",
    "{",
    "- ",
    "? ",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!bool ",
    "!!set ",
    "|\n",
    "%YAML 1.1\n",
    "---\n",
    "\t",
]


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """A settings file with any value somewhere, or with tokens of YAML put in, or damaged."""
    match draw(st.sampled_from(["value", "tokens", "bytes"])):
        case "value":
            part = document = yaml.safe_load(content)
            while True:
                key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
                if not isinstance(part[key], dict | list) or not part[key] or draw(st.booleans()):
                    break
                part = part[key]
            part[key] = draw(VALUES)
            return yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")
        case "tokens":
            at = draw(st.integers(0, len(content)))
            tokens = "".join(draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=60)))
            return content[:at] + tokens.encode() + content[at:]
        case _:
            return draw(damaged(content))


@given(
    changed(PARAMS)
    | st.text().map(str.encode)
    | st.binary()
    | VALUES.map(lambda v: yaml.safe_dump(v).encode())
)
@CHECKED
def test_any_params_are_valid_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with answered_or_refused(lines=None):
        params = load_params(tmp_path)
        assert params.model_dump(exclude_unset=True) == read_mapping(tmp_path / "params.yaml")


@given(changed(SOURCE) | st.text().map(str.encode) | st.binary())
@CHECKED
def test_any_source_is_valid_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data/sources/mine/source.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with answered_or_refused(lines=None):
        source = load_source(tmp_path, "mine")
        assert source.model_dump(exclude_unset=True) == read_mapping(path)


@given(st.text() | st.lists(st.sampled_from(TOKENS), max_size=300).map("".join))
@settings(CHECKED, max_examples=500)
def test_any_yaml_is_a_mapping_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    with answered_or_refused():
        assert isinstance(read_mapping(path), dict)
