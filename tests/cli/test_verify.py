"""digits verify in a DVC repository with one stage, whose results are made up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from digits.cli import environment, verify
from digits.core.errors import InputError
from tests.finished import commit

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
pathlib.Path("predictions").write_text("PREDICTIONS")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/m.json").write_text(json.dumps({"test": {"accuracy": ACCURACY, "rows": 10}}))
"""


def score(predictions: str = "abc", accuracy: float = 0.9) -> str:
    return SCORE.replace("PREDICTIONS", predictions).replace("ACCURACY", str(accuracy))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a commit of a finished run."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    root = tmp_path / "repository"
    root.mkdir()
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "score.py").write_text(score())
    commit(root, "code")
    for command in (["init", "--quiet"], ["repro", "--quiet"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True, capture_output=True)
    environment.record(root)
    commit(root, "a run")
    return root


def run(root: Path, capfd: pytest.CaptureFixture[str], tolerance: float = 1e-3) -> tuple[int, str]:
    capfd.readouterr()
    status = verify.main(tolerance=tolerance, root=root)
    printed = capfd.readouterr()
    return status, printed.out + printed.err


@pytest.mark.slow
def test_the_same_run_is_identical(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (repository / "left.txt").write_text("not committed")
    status, printed = run(repository, capfd)
    assert status == 0
    assert "What isn't committed is left out." in printed
    assert printed.splitlines()[-1] == "identical: all 2 outputs have the bytes of dvc.lock"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accuracy", "status", "said"),
    [
        (0.9005, 0, "alike: 2 of 2 outputs differ in bytes, all 2 metrics are within 0.001"),
        (0.8, 1, "failed: 2 of 2 outputs differ in bytes, 1 metrics by more than 0.001"),
    ],
)
def test_other_results_are_told(
    repository: Path, capfd: pytest.CaptureFixture[str], accuracy: float, status: int, said: str
) -> None:
    (repository / "score.py").write_text(score("xyz", accuracy))
    commit(repository, "other code, the old results")
    found, printed = run(repository, capfd)
    assert found == status
    assert said in printed
    assert "what differs in the environment:" in printed


@pytest.mark.slow
def test_a_failing_stage_is_told(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (repository / "score.py").write_text("raise SystemExit(3)")
    commit(repository, "broken")
    status, printed = run(repository, capfd)
    assert status == 1
    assert "failed: the fresh run ended with exit status" in printed


def test_without_a_committed_run_there_is_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    commit(tmp_path, "no run")
    with pytest.raises(InputError, match=r"dvc\.lock: found none at HEAD"):
        verify.main(tolerance=0.0, root=tmp_path)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan"), float("inf")])
def test_tolerances_that_are_none_are_refused(tolerance: float) -> None:
    with pytest.raises(InputError, match="--tolerance"):
        verify.main(tolerance=tolerance)


SAME = {"out": "1", "metrics/m.json": "2"}
METRICS = {"m.test.accuracy": 0.9, "m.rows": 10}


@pytest.mark.parametrize(
    ("fresh", "fresh_metrics", "good"),
    [
        (SAME, METRICS, True),
        (SAME, METRICS | {"m.test.accuracy": 0.9001}, False),  # the metrics at HEAD aren't those of its lock
        (SAME | {"out": "3"}, METRICS | {"m.test.accuracy": 0.9001}, None),
        (SAME | {"out": "3"}, METRICS | {"m.rows": 11}, False),  # a count
        (SAME | {"new": "3"}, METRICS | {"m.test.log_loss": 0.1}, False),
        ({"out": "1"}, METRICS, None),
    ],
)
def test_what_counts_as_the_same(
    fresh: dict[str, str], fresh_metrics: dict[str, float], good: bool | None
) -> None:
    assert verify.compare(SAME, fresh, METRICS, fresh_metrics, tolerance=1e-3)[1] is good


def test_metrics_are_read_by_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/m.json").write_text(json.dumps({"test": {"accuracy": 0.5}}))
    (tmp_path / "metrics/environment.json").write_text("{}")
    lock = "stages: {a: {outs: [{path: metrics/m.json, md5: '1'}, {path: models/m, md5: 2.dir}]}}"
    (tmp_path / "dvc.lock").write_text(lock)
    assert verify.metrics(tmp_path) == {"metrics/m.json.test.accuracy": 0.5}
