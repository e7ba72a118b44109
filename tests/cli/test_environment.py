import getpass
import json
import platform
from pathlib import Path

from digits.cli import environment
from tests.finished import commit


def test_the_file_changes_only_with_the_lock(tmp_path: Path) -> None:
    lock, file = tmp_path / "dvc.lock", tmp_path / environment.FILE
    lock.write_text("one")
    environment.main(root=tmp_path)  # there is no commit yet
    assert json.loads(file.read_text()) == environment.fingerprint()
    commit(tmp_path, "a run")
    file.write_text("of another machine")
    environment.main(root=tmp_path)
    assert file.read_text() == "of another machine"
    lock.write_text("two")
    environment.main(root=tmp_path)
    assert json.loads(file.read_text()) == environment.fingerprint()


def test_the_fingerprint_names_the_machine_and_nobody() -> None:
    found = environment.fingerprint()
    assert found["python"]["version"] == platform.python_version()
    assert {"keras", "numpy", "dvc"} <= found["packages"].keys()
    words = json.dumps(found).split('"')
    assert not {platform.node(), getpass.getuser()} & {*words}
    assert str(Path.home()) not in json.dumps(found)


def test_differences_by_key() -> None:
    old = {"packages": {"numpy": "1", "keras": "3"}, "flags": ["avx", "fma"], "same": 1}
    new = {"packages": {"numpy": "2"}, "flags": ["fma", "sse"], "same": 1}
    lines = ["packages.numpy: 1 → 2", "packages.keras: 3 → None", "flags: ['avx'] → ['sse']"]
    assert environment.differences(old, new) == lines
