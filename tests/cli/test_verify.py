"""digits verify in a DVC repository with one stage, whose results are made up."""

import sys
from pathlib import Path

import pytest

from digits.cli import verify
from digits.core.errors import InputError
from digits.core.files import write_json
from digits.evaluate.environment import FILE, fingerprint
from tests.finished import commit, dvc

DVC_YAML = """
stages:
  score:
    cmd: python score.py
    deps: [score.py]
    outs: [predictions]
    metrics:
      - metrics/m.json: {cache: false}
"""
SCORE = """
import json, pathlib
pathlib.Path("predictions").write_text("%s")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/m.json").write_text(json.dumps({"test": {"accuracy": %s, "rows": 10}}))
pathlib.Path("metrics/environment.json").write_text("of another machine")
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a commit of a finished run."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "score.py").write_text(SCORE % ("abc", 0.9))
    commit(tmp_path, "code")
    dvc(tmp_path, "init")
    dvc(tmp_path, "repro")
    write_json(tmp_path / FILE, fingerprint())
    commit(tmp_path, "a run")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (
            SCORE % ("abc", 0.9),
            0,
            "bytes:\n  none\nMetrics beyond the tolerance:\n  none\nidentical: nothing",
        ),
        (
            SCORE % ("xyz", 0.9005),
            0,
            "metrics/m.json\n  predictions\nMetrics beyond the tolerance:\n  none\n",
        ),
        ("raise SystemExit(3)", 1, "failed: dvc repro ended with exit status"),
    ],
)
def test_a_new_run(
    code: str, status: int, expected: str, repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "score.py").write_text(code)
    commit(repository, "other code, the results as they were")
    (repository / "score.py").write_text("raise SystemExit('not committed')")
    assert verify.main(tolerance=1e-3, root=repository) == status
    printed = "".join(capfd.readouterr())
    assert expected in printed
    assert ("Differences of the environment:\n  none" in printed) == ("metrics/m.json" in expected)
    assert "Running stage 'score'" in printed


def test_without_a_committed_run_there_is_nothing_to_compare(tmp_path: Path) -> None:
    commit(tmp_path, "no run")
    with pytest.raises(InputError, match=r"dvc\.lock: not in the last commit"):
        verify.main(tolerance=0.0, root=tmp_path)


SAME = {"out": "1", "metrics/m.json": "2"}
METRICS = {"m.accuracy": 0.9, "m.rows": 1000}


@pytest.mark.parametrize(
    ("new", "new_metrics"),
    [
        (SAME, METRICS | {"m.accuracy": 0.9001}),  # the metrics at HEAD aren't those of its lock
        (SAME | {"out": "3"}, METRICS | {"m.rows": 1001}),  # a count
        (SAME | {"new": "3"}, METRICS | {"m.log_loss": 0.1}),
    ],
)
def test_failures_within_the_tolerance(new: dict[str, str], new_metrics: dict[str, float]) -> None:
    assert len(verify.compare((SAME, METRICS), (new, new_metrics), tolerance=1e-3)[1]) == 1


def test_differences_by_key() -> None:
    old = {"packages": {"numpy": "1", "keras": "3"}, "flags": ["avx", "fma"], "same": 1}
    new = {"packages": {"numpy": "2"}, "flags": ["fma", "sse"], "same": 1}
    lines = ["packages.numpy: 1 → 2", "packages.keras: 3 → none", "flags: [avx] → [sse]"]
    assert verify.differences(old, new) == lines
