"""Readers under coverage-guided fuzzing, for some seconds each: what broke one is in the failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 alone; extra `fuzz`")


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["csv", "idx", "params", "sources", "split"])
def test_no_input_breaks_a_reader(reader: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    limits = ["-seed=1", "-runs=20000", "-max_total_time=5", "-timeout=60", "-rss_limit_mb=2048"]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.harness", reader, str(corpus), *limits],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    broke = [path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()]
    assert ended.returncode == 0, f"{broke}\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    assert "Done " in ended.stderr  # libFuzzer's last line: the runs took place
