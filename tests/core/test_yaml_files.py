from pathlib import Path

import pytest
from pydantic import Field

from digits.core.errors import InputError
from digits.core.yaml_files import Section, read_mapping, validated


class Inner(Section):
    rate: float = Field(gt=0)
    names: list[str]


class Outer(Section):
    inner: Inner
    rows: int | None


GOOD = {"inner": {"rate": 0.5, "names": ["a"]}, "rows": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-3", 0.001),
        ("a: 010", 10),
        ("a: 1:40", "1:40"),
        ("\ufeffa: 1", 1),
    ],
)
def test_values_as_yaml_1_2_reads_them(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_mapping(path)
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.yaml: expected keys with values, found None"),
        (b"a: 1\n\tb: 2", "a.yaml, line 2: expected YAML: found a tab character"),
        (b"a: 1\n<<<<<<< HEAD\nb: 2\n=======\n", "a.yaml, line 2: found conflict markers of a git merge"),
        (b"a: !!python/object:os.system b", "python/object"),
        (b"a: \xff", "invalid leading UTF-8 octet"),
        (b"a: 2020-13-45", "a.yaml: expected YAML: month must be in 1..12"),
        (b"? - - a", "a.yaml: expected YAML: unhashable type: 'list'"),
    ],
)
def test_what_is_no_mapping_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_mapping(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.yaml: no such file"):
        read_mapping(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"rows": 3.0}, ["a.yaml, top.rows: expected a valid integer, found 3.0. Fix the value."]),
        ({"rwos": 3}, ["a.yaml, top.rwos: unknown key. Correct its name, or remove it."]),
        (
            {"inner": {"rate": 0}},
            [
                "a.yaml, top.inner.rate: expected greater than 0, found 0. Fix the value.",
                "a.yaml, top.inner.names: expected a value, found nothing. Add the key.",
            ],
        ),
    ],
)
def test_each_invalid_key_has_its_line(changes: dict[str, object], lines: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        validated(Outer, {**GOOD, **changes}, path=Path("a.yaml"), key="top")
    assert str(caught.value).split("\n") == lines
