"""CSV of any size, with numbers in any spelling, or damaged: the right arrays or an error of one line."""

import io
import re
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
from tests import tiny

# derandomize: the same examples everywhere. Each overwrites its files, so that they can share tmp_path.
CHECKED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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
def csv_file(draw: st.DrawFn, examples: Examples, label_column: str) -> bytes:
    """The examples as a person or a program may write them."""
    ways = draw(st.lists(st.sampled_from(WAYS_TO_WRITE), min_size=1, max_size=7))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [draw(st.sampled_from(["", "", "\n", " \n"]))]
    for number, (image, label) in enumerate(
        zip(examples.images.reshape(len(examples), -1).tolist(), examples.labels.tolist(), strict=True)
    ):
        values = [label, *image] if label_column == "first" else [*image, label]
        fields = [ways[(number + column) % len(ways)].format(value) for column, value in enumerate(values)]
        lines.append(",".join(fields) + "\n" + draw(st.sampled_from(["", "", "\n", "\t \n"])))
    text = "".join(lines)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    return text.replace("\n", end).encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


@given(st.data(), any_examples(), st.sampled_from(["first", "last"]))
@CHECKED
def test_csv_reads_back_however_it_is_written(
    tmp_path: Path, data: st.DataObject, examples: Examples, label_column: str
) -> None:
    (tmp_path / "train.csv").write_bytes(data.draw(csv_file(examples, label_column)))
    found = tiny.read(tmp_path, tiny.csv_source(examples, label_column=label_column, header=False))
    tiny.assert_same(found, examples)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with one place replaced."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    extra = st.sampled_from([b"", b"\0", b"\xff", b"\n", b"\r", b",", b";", b'"', b"-1", b".5", b"256"])
    return content[:start] + draw(extra | st.binary(max_size=4)) + content[end:]


def plainly_read_csv(content: bytes) -> NDArray[np.float64]:
    """The file's numbers, read by plain Python; a field that is no number raises ValueError."""
    lines = io.StringIO(content.decode("utf-8-sig", "replace"), newline=None)
    return np.array([[float(field.strip()) for field in line.split(",")] for line in lines if line.strip()])


@given(st.data(), any_examples(), st.sampled_from(["first", "last"]))
@CHECKED
def test_damaged_csv_is_read_as_it_stands_or_refused(
    tmp_path: Path, data: st.DataObject, examples: Examples, label_column: str
) -> None:
    content = data.draw(damaged(data.draw(csv_file(examples, label_column))))
    (tmp_path / "train.csv").write_bytes(content)
    try:
        found = tiny.read(tmp_path, tiny.csv_source(examples, label_column=label_column, header=False))
    except InputError as error:
        line = str(error)
        assert [line] == line.splitlines()
        assert re.fullmatch(r".*train\.csv.*: .+\. .+\.", line)
        return
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
def test_pandas_and_integer_accept_the_same_fields(tmp_path: Path, field: str) -> None:
    source = tiny.csv_source(tiny.examples(1, size=(1, 2), pixel_maximum=255), header=False)
    (tmp_path / "train.csv").write_bytes(f"0,1,2\n1,{field},3\n".encode())
    value = _integer(field)
    if value is not None and 0 <= value <= 255:
        assert tiny.read(tmp_path, source).images[1, 0, 0] == value
    else:
        with pytest.raises(InputError, match="row 2, column 2: expected a pixel"):
            tiny.read(tmp_path, source)
