import getpass
import hashlib
import json
import platform
from pathlib import Path

from digits.evaluate import environment


def test_the_file_changes_only_with_the_metrics(tmp_path: Path) -> None:
    metrics, file = tmp_path / "metrics/m.json", tmp_path / environment.FILE
    metrics.parent.mkdir()
    metrics.write_text("{}")
    environment.note_environment(metrics, tmp_path)  # nothing has run before
    assert json.loads(file.read_text()) == environment.fingerprint()
    file.write_text("of another machine")
    md5 = hashlib.md5(b"{}", usedforsecurity=False).hexdigest()
    lock = {"stages": {"evaluate@m": {"outs": [{"path": "metrics/m.json", "md5": md5}]}, "x": {}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    environment.note_environment(metrics, tmp_path)
    assert file.read_text() == "of another machine"
    metrics.write_text('{"other": 1}')
    environment.note_environment(metrics, tmp_path)
    assert json.loads(file.read_text()) == environment.fingerprint()


def test_the_fingerprint_has_versions_but_no_host_user_or_home() -> None:
    found = environment.fingerprint()
    assert found["python"]["version"] == platform.python_version()
    assert {"keras", "numpy", "dvc"} <= found["packages"].keys()
    words = json.dumps(found).split('"')
    assert not {platform.node(), getpass.getuser()} & {*words}
    assert str(Path.home()) not in json.dumps(found)
