import getpass
import json
import platform
from pathlib import Path

import pytest

from digits.cli import environment
from digits.core.errors import InputError
from tests.finished import commit


def test_it_changes_only_with_the_lock(tmp_path: Path) -> None:
    lock, file = tmp_path / "dvc.lock", tmp_path / environment.FILE
    lock.write_text("one")
    assert environment.record(tmp_path)  # no commit yet
    commit(tmp_path, "a run")
    file.write_text('{"python": "another machine"}')
    assert not environment.record(tmp_path)
    assert json.loads(file.read_text()) == {"python": "another machine"}
    lock.write_text("two")
    assert environment.record(tmp_path)
    assert json.loads(file.read_text()) == environment.fingerprint()


def test_without_a_lock_there_is_nothing_to_describe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock: found no such file"):
        environment.record(tmp_path)


def test_it_names_the_machine_and_nobody() -> None:
    found = environment.fingerprint()
    assert found["python"]["version"] == platform.python_version()
    assert {"keras", "numpy", "dvc"} <= found["packages"].keys()
    text = json.dumps(found)
    assert platform.node() not in text.split('"')
    assert str(Path.home()) not in text
    assert getpass.getuser() not in text.split('"')


def test_the_first_processor_is_read() -> None:
    cpuinfo = (
        "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fma avx2\n\nprocessor\t: 1\nmodel name\t: Other\n"
    )
    found = environment.first_processor(cpuinfo)
    assert (found["model name"], found["flags"]) == ("Some CPU", "fma avx2")


def test_differences_are_told_by_key() -> None:
    old = {"packages": {"numpy": "1", "keras": "3"}, "flags": ["avx", "fma"]}
    new = {"packages": {"numpy": "2"}, "flags": ["fma", "sse"]}
    assert environment.differences(old, new) == [
        "packages.numpy: 1 → 2",
        "packages.keras: 3 → none",
        "flags: +sse -avx",
    ]
