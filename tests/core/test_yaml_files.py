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


#: Each line ten times the one before: a billion values in 300 bytes.
ALIASES = b"a0: &a0 [1]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 10)
)
GOOD = {"inner": {"rate": 0.5, "names": ["a"]}, "rows": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-3", 0.001),
        ("a: 1E5", 100_000.0),
        ("a: -.5", -0.5),
        ("a: 3.", 3.0),
        ("a: 3", 3),
        ("a: 010", 10),
        ("a: 1:40", "1:40"),
        ("a: yes", "yes"),
        ("a: .inf", float("inf")),
        ("a: e3", "e3"),
        ("a: null", None),
        ("a: [1, b]", [1, "b"]),
        ("\ufeffa: 1", 1),
        ("a: 1\r\n", 1),
    ],
)
def test_values_as_yaml_1_2_reads_them(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_mapping(path)
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        (b"", ["a.yaml: found None", "expected keys with values"]),
        (b"- a", ["a.yaml: found ['a']", "expected keys with values"]),
        (b"a: 1\n\tb: 2", ["a.yaml, line 2", "'\\t'"]),
        (b"a: 1\nb: c: d", ["a.yaml, line 2", "mapping values are not allowed"]),
        (b'a: "b', ["a.yaml, line 1", "unexpected end of stream"]),
        (b"a: *b", ["a.yaml, line 1", "undefined alias 'b'"]),
        (b"a: 1\n---\nb: 2", ["a.yaml, line 2", "another document"]),
        (b"a: !!python/object:os.system b", ["a.yaml, line 1", "python/object"]),
        (b"a: \x00", ["a.yaml", "#x0000"]),
        (b"a: \xff", ["a.yaml: found byte 3 that is no UTF-8"]),
        (b"a: 2020-13-45", ["a.yaml", "month must be in 1..12"]),
        (b"a: !!int b", ["a.yaml", "'b'"]),
        (b"a: !!int ''", ["a.yaml", "a value that isn't what its form or tag says"]),
        (b"? - - a", ["a.yaml", "(unhashable type: 'list')"]),
        (b"a: !!bool b", ["a.yaml", "a value that isn't what its form or tag says"]),
        (b'a: "\\UFFFFFFFF"', ["a.yaml", "a value that isn't what its form or tag says"]),
        (b"a: 1\nb: " + b"[" * 100_000, ["a.yaml, line 2", "more than 50 levels"]),
        (b"b: " + b"[" * 30_000 + b"]" * 30_000, ["a.yaml, line 1", "more than 50 levels"]),
        (b"- " * 30_000, ["a.yaml, line 1", "more than 50 levels"]),
        (b"a: &b[&b]", ["a.yaml, line 1", "did not find expected"]),  # the parser in Python takes it
        (b"? &b[&b " + b"[" * 3000, ["a.yaml, line 1"]),  # and goes on until it ends
        (b"a: &a [1, *a]", ["a.yaml, line 1", "a value that holds itself (*a)"]),
        (b"a: &a {b: {c: *a}}", ["a.yaml, line 1", "a value that holds itself (*a)"]),
        (ALIASES, ["a.yaml, line 6", "more than 100000 values"]),
    ],
)
def test_what_is_no_mapping_is_refused_in_one_line(tmp_path: Path, content: bytes, pieces: list[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_mapping(path)
    for piece in pieces:
        assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.yaml: found no such file"):
        read_mapping(tmp_path / "a.yaml")


def test_valid_values_come_typed_and_stay_as_they_are() -> None:
    outer = validated(Outer, GOOD, path=Path("a.yaml"))
    assert outer == Outer(inner=Inner(rate=0.5, names=["a"]), rows=3)
    with pytest.raises(ValueError, match="frozen"):
        outer.rows = 4


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"rows": "3"}, ["a.yaml, top.rows: found '3', expected a valid integer; mend the value"]),
        ({"rows": 3.0}, ["a.yaml, top.rows: found 3.0, expected a valid integer; mend the value"]),
        (
            {"rows": True},
            ["a.yaml, top.rows: found True, expected a valid integer; mend the value"],
        ),
        (
            {"rwos": 3},
            ["a.yaml, top.rwos: found an unknown key, expected only known ones; mend the value"],
        ),
        (
            {"inner": {"rate": 0}},
            [
                "a.yaml, top.inner.rate: found 0, expected greater than 0; mend the value",
                "a.yaml, top.inner.names: found nothing, expected a value; mend the value",
            ],
        ),
        (
            {"inner": {"rate": 1, "names": ["a", 5]}},
            ["a.yaml, top.inner.names.1: found 5, expected a valid string; mend the value"],
        ),
    ],
)
def test_each_invalid_key_has_its_line(changes: dict[str, object], lines: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        validated(Outer, {**GOOD, **changes}, path=Path("a.yaml"), key="top")
    assert str(caught.value).split("\n") == lines


def test_aliases_are_read_where_they_stay_few(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {b: [1, 2]}\nc: {<<: *a, d: *a}\n")
    assert read_mapping(path) == {"a": {"b": [1, 2]}, "c": {"b": [1, 2], "d": {"b": [1, 2]}}}
