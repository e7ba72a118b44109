"""CSV in any size, spelling or damage gives the right arrays or an error of one line; splits are exact."""

import contextlib
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.split.parsing import _integer
from digits.split.splitting import split
from tests import tiny

# The same examples each time, so that a test that fails does so everywhere; each writes its own files anew.
CHECKED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def assert_same(found: Examples, expected: Examples) -> None:
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert_array_equal(found.images, expected.images)
    assert_array_equal(found.labels, expected.labels)
    assert (found.pixel_maximum, found.class_names) == (expected.pixel_maximum, expected.class_names)


@contextlib.contextmanager
def answered_or_refused() -> Iterator[None]:
    """Accept an answer or an InputError of one line."""
    try:
        yield
    except InputError as error:
        line = str(error)
        assert [line] == line.splitlines()  # either is right
        assert ": found " in line


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


WAYS_TO_WRITE = ["{}", "{}.0", "{}.", " {}", "{} ", "\t{}", "{:03d}", "+{}", "{:.18e}", "\u00a0{}\u3000"]


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
    found = tiny.read(tmp_path, tiny.csv_source(examples, label_column=label_column, header=False))
    assert_same(found, examples)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """One place of the content replaced."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    extra = st.sampled_from([b"", b"\0", b"\xff", b"\n", b"\r", b",", b";", b'"', b"-1", b".5", b"256"])
    return content[:start] + draw(extra | st.binary(max_size=4)) + content[end:]


def plainly_read_csv(content: bytes) -> NDArray[np.float64]:
    """The file's numbers, by Python's own means; what is none raises."""
    lines = io.StringIO(content.decode("utf-8-sig", "replace"), newline=None)
    return np.array([[float(field.strip()) for field in line.split(",")] for line in lines if line.strip()])


@given(st.data(), any_examples(), st.sampled_from(["first", "last"]))
@CHECKED
def test_damaged_csv_is_read_as_it_stands_or_refused(
    tmp_path: Path, data: st.DataObject, examples: Examples, label_column: str
) -> None:
    content = data.draw(damaged(data.draw(csv_file(examples, label_column))))
    (tmp_path / "train.csv").write_bytes(content)
    with answered_or_refused():
        found = tiny.read(tmp_path, tiny.csv_source(examples, label_column=label_column, header=False))
        pixels = found.images.reshape(len(found), -1)
        columns = [found.labels, *pixels.T] if label_column == "first" else [*pixels.T, found.labels]
        assert_array_equal(np.column_stack(columns), plainly_read_csv(content))
        assert found.images.max() <= examples.pixel_maximum
        assert found.labels.max() < len(examples.class_names)


FIELDS = [
    *("0", "255", "256", "-1", "-0", "+1", "007", "1.0", "1.", ".0", "1.5", "1e0", "1e-1", "1e400", "1" * 30),
    *("", " ", "\t1", "1 ", "\u00a01", "1\x0b", "1\0", "\0", "1 1", "0x1", "1_0", "nan", "inf", "x", "True"),
    *('"1"', "'1'", "#1", "1#", "٥", "１", "1;", "--1"),
]


@pytest.mark.parametrize("field", FIELDS)
def test_pandas_and_the_slow_reader_agree_on_each_field(tmp_path: Path, field: str) -> None:
    source = tiny.csv_source(tiny.examples(1, size=(1, 2), pixel_maximum=255), header=False)
    (tmp_path / "train.csv").write_bytes(f"0,1,2\n1,{field},3\n".encode())
    value = _integer(field)
    if value is not None and 0 <= value <= 255:
        assert tiny.read(tmp_path, source).images[1, 0, 0] == value
    else:
        with pytest.raises(InputError, match="row 2, column 2: found"):
            tiny.read(tmp_path, source)


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
