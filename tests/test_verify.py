"""commands/verify.py and commands/fingerprint.py, on repositories and machines that are made up."""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from commands import fingerprint, verify
from commands.verify import Run
from digits.errors import InputError
from tests.conftest import REPOSITORY

# Two models that "train" by writing what the shell's DRIFT adds to a figure; one is blind to it.
DVC_YAML = """
stages:
  train:
    matrix:
      model: [linear, dnn]
    cmd: python work.py ${item.model}
    deps: [work.py]
    outs: ["models/${item.model}.txt"]
    metrics:
      - metrics/${item.model}/test.json:
          cache: false
"""
WORK = """
import json, os, pathlib, sys, time
model = sys.argv[1]
print("mirror:", os.environ.get("DIGITS_MIRROR"))
if os.environ.get("FAIL") == model:
    sys.exit(f"no {model} today")
if "SLEEP" in os.environ:
    pathlib.Path(os.environ["SLEEP"], str(os.getpid())).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.7)  # what it takes to clear up
        raise
loss = 0.25 + (float(os.environ.get("DRIFT", "0")) if model == "dnn" else 0)
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path(f"models/{model}.txt").write_text(f"{loss!r}")
path = pathlib.Path(f"metrics/{model}/test.json")
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"accuracy": 0.9, "log_loss": loss, "examples": 360}))
"""


def sh(*words: str, cwd: Path) -> str:
    process = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.returncode == 0, process.stdout
    return process.stdout


def commit(folder: Path) -> None:
    sh("git", "add", "--all", cwd=folder)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    sh("git", *author, "commit", "--quiet", "--message=A run", cwd=folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit and no pipeline."""
    folder = tmp_path / "repository"
    folder.mkdir()
    sh("git", "init", "--quiet", cwd=folder)
    (folder / "readme.txt").write_text("Tiny\n")
    commit(folder)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


# Comparing


def lock(**outputs: str) -> dict[str, Any]:
    """A dvc.lock with a stage for each output."""
    return {
        "schema": "2.0",
        "stages": {
            name: {
                "cmd": f"make {name}",
                "deps": [{"path": "code.py", "hash": "md5", "md5": "c0de"}],
                "params": {"params.yaml": {"seed": 0}},
                "outs": [{"path": f"{name}.bin", "hash": "md5", "md5": md5}],
            }
            for name, md5 in outputs.items()
        },
    }


def result(loss: float = 0.25, examples: int = 360, **outputs: str) -> Run:
    figures = {"accuracy": 0.9, "log_loss": loss, "examples": examples}
    return Run(lock(**outputs or {"a": "1", "b": "2"}), {"metrics/dnn/test.json": figures})


def test_the_same_bytes_are_identical() -> None:
    lines, good = verify.report(result(), result(), 1e-3, ["environment"])
    assert good
    assert lines == ["identical: all 2 outputs have the bytes of dvc.lock"]


def test_other_bytes_with_metrics_within_the_tolerance() -> None:
    lines, good = verify.report(result(), result(0.2504, a="1", b="3"), 1e-3, ["environment"])
    assert good
    assert lines == [
        "other bytes than dvc.lock says:",
        "  b.bin",
        "",
        "alike: 1 of 2 outputs differ in bytes, all 3 metrics are within 0.001",
        "environment",
    ]


def test_a_metric_beyond_the_tolerance_is_shown() -> None:
    lines, good = verify.report(result(), result(0.26, a="1", b="3"), 1e-3, ["environment"])
    assert not good
    text = "\n".join(lines)
    assert re.search(r"metrics/dnn/test.json +log_loss +0\.25 +0\.26 +\+0\.01\n", text)
    assert "accuracy" not in text
    assert text.endswith(
        "failed: 1 of 2 outputs differ in bytes, 1 of 3 metrics by more than 0.001\nenvironment"
    )


def test_outputs_that_only_one_run_has() -> None:
    lines, _ = verify.report(result(a="1", b="2"), result(a="1", c="2"), 1e-3, [])
    assert lines[lines.index("other bytes than dvc.lock says:") + 1 :][:2] == [
        "  b.bin (gone)",
        "  c.bin (new)",
    ]


def test_bytes_that_no_metric_speaks_for_fail() -> None:
    lines, good = verify.report(Run(lock(a="1"), {}), Run(lock(a="2"), {}), 1e-3, [])
    assert not good
    assert lines[-1] == "failed: 1 of 1 outputs differ in bytes, and there are no metrics to judge them by"


def test_a_lock_of_another_commit_is_told_from_another_machine() -> None:
    old = lock(a="1")
    old["stages"]["a"]["deps"][0]["md5"] = "01d"
    old["stages"]["a"]["params"]["params.yaml"]["seed"] = 1
    lines, good = verify.report(Run(old, {}), Run(lock(a="1"), {}), 1e-3, [])
    assert good
    assert lines == [
        "dvc.lock records other inputs than this commit has:",
        "  code.py",
        "  seed of params.yaml",
        "",
        "identical: all 1 outputs have the bytes of dvc.lock",
    ]


def test_an_output_that_another_stage_reads_is_no_input_of_the_commit() -> None:
    old, new = lock(a="1", b="1"), lock(a="2", b="1")
    for document, md5 in ((old, "1"), (new, "2")):
        document["stages"]["b"]["deps"].append({"path": "a.bin", "hash": "md5", "md5": md5})
    lines, _ = verify.report(Run(old, {}), Run(new, {}), 1e-3, [])
    assert lines[:2] == ["other bytes than dvc.lock says:", "  a.bin"]


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "alike"),
    [
        (0.25, 0.25, 0.0, True),
        (0.25, 0.25000001, 0.0, False),
        (0.25, 0.2509, 1e-3, True),  # in itself
        (0.25, 0.2511, 1e-3, False),
        (2000.0, 2001.0, 1e-3, True),  # as a share
        (2000.0, 2003.0, 1e-3, False),
        (0.0, 1e-4, 1e-3, True),
        (60000, 60001, 1e-3, False),  # a count
        (1, 1.0, 1e-3, True),  # a figure that happens to be whole
        (None, 0.0, 1e-3, False),
        (True, 1, 1e-3, False),
        ("digits", "digits", 0.0, True),
        ("digits", "mnist", 1.0, False),
    ],
)
def test_tolerance(before: object, after: object, tolerance: float, alike: bool) -> None:
    count, rows = verify.compare_metrics({"m.json": {"x": before}}, {"m.json": {"x": after}}, tolerance)
    assert count == 1
    assert (rows == []) is alike


def test_metrics_that_come_and_go_are_beyond_any_tolerance() -> None:
    before = {"m.json": {"rows": {"train": 7, "old": 8}, "size": [8, 8]}}
    after = {"m.json": {"rows": {"train": 7, "new": 9}, "size": [8, 9]}}
    count, rows = verify.compare_metrics(before, after, 1e9)
    assert count == 5
    assert rows == [
        ["m.json", "rows.old", "8", "", ""],
        ["m.json", "size.1", "8", "9", "+1"],
        ["m.json", "rows.new", "", "9", ""],
    ]


def test_metrics_at_head_that_are_not_of_its_lock() -> None:
    lines, good = verify.report(result(0.25), result(0.25000001), 1e-3, [])
    assert not good
    assert lines[-1] == "failed: the metrics at HEAD are not those of its dvc.lock"


def test_only_what_a_stage_makes_counts_as_a_metric(tmp_path: Path) -> None:
    made = ["metrics/data.json", "metrics/dnn/test.json", "metrics/dnn/gone.json", "metrics/dnn/classes.csv"]
    document = {"stages": {"a": {"outs": [{"path": path, "md5": "1"} for path in made]}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(document))  # which is YAML too
    (tmp_path / "metrics/dnn").mkdir(parents=True)
    for name in ("environment.json", "repeats.json", "data.json", "dnn/test.json", "dnn/classes.csv"):
        (tmp_path / f"metrics/{name}").write_text("{}")
    assert set(Run.read(tmp_path).metrics) == {"metrics/data.json", "metrics/dnn/test.json"}


# Bad input


@pytest.mark.parametrize("tolerance", [-1e-9, float("nan"), float("inf")])
def test_a_tolerance_that_is_none(tolerance: float, repository: Path) -> None:
    with pytest.raises(InputError, match=r"--tolerance: found .*, expected a finite number from 0"):
        verify.main(tolerance=tolerance, jobs=None, root=repository)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="not a git repository"):
        verify.main(tolerance=0.0, jobs=None, root=tmp_path)


def test_no_commit(tmp_path: Path) -> None:
    sh("git", "init", "--quiet", cwd=tmp_path)
    with pytest.raises(InputError, match="expected a git repository with a commit"):
        verify.main(tolerance=0.0, jobs=None, root=tmp_path)


def test_no_lock_at_head(repository: Path, temporary: Path) -> None:
    (repository / "dvc.lock").write_text("stages: {}\n")  # there, but not committed
    with pytest.raises(InputError, match=r"dvc\.lock: found none at HEAD"):
        verify.main(tolerance=0.0, jobs=None, root=repository)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("dvc.lock", "stages: [\n", r"^HEAD's dvc\.lock, line \d: found .*, expected YAML"),
        ("metrics/environment.json", "{", r"^HEAD's metrics/environment\.json: found .*, expected JSON"),
        ("metrics/dnn/test.json", "{", r"^HEAD's metrics/dnn/test\.json: found .*, expected JSON"),
    ],
)
def test_damaged_files_at_head(
    name: str, content: str, message: str, repository: Path, temporary: Path
) -> None:
    (repository / "metrics/dnn").mkdir(parents=True)
    out = {"path": "metrics/dnn/test.json", "md5": "1"}
    (repository / "dvc.lock").write_text(json.dumps({"stages": {"a": {"outs": [out]}}}))
    (repository / name).write_text(content)
    commit(repository)
    with pytest.raises(InputError, match=message):
        verify.main(tolerance=0.0, jobs=None, root=repository)
    assert list(temporary.iterdir()) == []


def test_only_outputs_inside_the_clone_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    (folder / "plots").mkdir(parents=True)
    outside = tmp_path / "outside.txt"
    for path in (folder / "dvc.lock", folder / "plots/a.png", folder / "kept.txt", outside):
        path.touch()
    paths = ["plots", "../outside.txt", str(outside), "../clone", "nowhere.txt"]
    verify.forget(folder, Run({"stages": {"a": {"outs": [{"path": path} for path in paths]}}}, {}))
    assert outside.exists()
    assert list(folder.iterdir()) == [folder / "kept.txt"]


# The machine


def test_the_fingerprint_is_the_same_every_time_and_names_nobody() -> None:
    found = fingerprint.fingerprint()
    assert found == fingerprint.fingerprint() == json.loads(json.dumps(found))
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "keras", "dvc"} < found["packages"].keys()
    assert any(name.startswith("tensorflow") for name in found["packages"])
    assert found["processor"]["flags"] == sorted(found["processor"]["flags"])
    text = json.dumps(found)
    assert platform.node() not in re.findall(r"[\w.-]+", text)
    assert str(Path.home()) not in text
    assert str(Path(sys.prefix).parent) not in text


def test_the_fingerprint_imports_no_package_that_it_names() -> None:
    code = (
        "import sys; from commands.fingerprint import fingerprint; fingerprint();"
        "print(*({'numpy', 'tensorflow', 'keras', 'pandas', 'dvc'} & sys.modules.keys()))"
    )
    assert sh(sys.executable, "-c", code, cwd=REPOSITORY) == "\n"


def test_threads_in_the_shell_are_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fingerprint.fingerprint()["settings"]["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert "OMP_NUM_THREADS" not in fingerprint.fingerprint()["settings"]


def test_the_settings_are_those_of_the_backend() -> None:
    from digits.backend import tf

    threads = tf.config.threading
    assert {
        **{name: os.environ[name] for name in fingerprint.PINNED if name.isupper()},
        "tensorflow_inter_op_threads": threads.get_inter_op_parallelism_threads(),
        "tensorflow_intra_op_threads": threads.get_intra_op_parallelism_threads(),
    } == fingerprint.PINNED


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (
            "processor\t: 0\nmodel name\t: AMD EPYC: 9\nflags\t\t: sse avx\npower management:\n\n"
            "processor\t: 1\nmodel name\t: Another\n",
            {"processor": "0", "model name": "AMD EPYC: 9", "flags": "sse avx", "power management": ""},
        ),
        (
            "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n",
            {"processor": "0", "Features": "fp asimd", "CPU part": "0xd0c"},
        ),
        ("", {}),
    ],
)
def test_what_linux_says_of_its_first_processor(cpuinfo: str, expected: dict[str, str]) -> None:
    assert fingerprint.first_processor(cpuinfo) == expected


def test_differences_between_machines() -> None:
    old = {
        "python": {"version": "3.11.7"},
        "processor": {"model": "EPYC", "flags": ["avx", "sse4a"]},
        "packages": {"numpy": "2.4.6", "tensorflow": "2.21.0"},
    }
    new = {
        "python": {"version": "3.11.7"},
        "processor": {"model": "Xeon", "flags": ["avx", "avx512f", "gfni"]},
        "packages": {"numpy": "2.4.7", "tensorflow-cpu": "2.21.0"},
    }
    assert fingerprint.differences(old, new) == [
        "processor.model: EPYC → Xeon",
        "processor.flags: +avx512f +gfni -sse4a",
        "packages.numpy: 2.4.6 → 2.4.7",
        "packages.tensorflow: 2.21.0 → none",
        "packages.tensorflow-cpu: none → 2.21.0",
    ]
    assert fingerprint.differences(old, old) == []


# When the file is written


def test_the_environment_is_written_when_the_lock_is_another(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def machine(name: str) -> None:
        monkeypatch.setattr(fingerprint, "fingerprint", lambda: {"processor": {"model": name}})

    def written() -> str:
        content = json.loads((repository / "metrics/environment.json").read_text())
        return str(content["processor"]["model"])

    machine("first")
    (repository / "dvc.lock").write_text("one\n")  # which git doesn't know yet
    assert fingerprint.main(root=repository) == 0
    assert written() == "first"
    assert "describes this machine" in capsys.readouterr().out
    machine("second")
    fingerprint.main(root=repository)
    assert written() == "second"
    commit(repository)

    machine("third")  # makes the same bytes
    assert fingerprint.main(root=repository) == 0
    assert written() == "second"
    assert "left as it is" in capsys.readouterr().out
    assert sh("git", "status", "--porcelain", cwd=repository) == ""

    (repository / "dvc.lock").write_text("two\n")  # makes others
    fingerprint.main(root=repository)
    assert written() == "third"

    sh("git", "checkout", "--quiet", "dvc.lock", cwd=repository)
    (repository / "metrics/environment.json").unlink()
    machine("fourth")
    fingerprint.main(root=repository)
    assert written() == "fourth"


def test_without_git_the_environment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "dvc.lock").write_text("one\n")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/environment.json").write_text("{}")
    assert fingerprint.record(tmp_path)
    assert (tmp_path / "metrics/environment.json").read_text() != "{}"


def test_no_environment_before_a_run(repository: Path) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock: found no such file"):
        fingerprint.main(root=repository)
    assert not (repository / "metrics").exists()


# Whole runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository with the run of its pipeline committed."""
    folder = tmp_path_factory.mktemp("finished")
    sh("git", "init", "--quiet", cwd=folder)
    sh(sys.executable, "-m", "dvc", "init", "--quiet", cwd=folder)
    sh(sys.executable, "-m", "dvc", "config", "core.analytics", "false", cwd=folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "work.py").write_text(WORK)
    (folder / ".gitignore").write_text("/models/\n")
    assert verify.reproduce(folder, None, os.environ | {"PATH": path()}) == 0
    machine = {**fingerprint.fingerprint(), "processor": {"model": "Abacus"}}
    (folder / "metrics/environment.json").write_text(json.dumps(machine))
    commit(folder)
    return folder


@pytest.fixture
def pipeline(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "pipeline", symlinks=True)


def path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def content(folder: Path) -> dict[Path, bytes]:
    # Git may refresh its index when it is asked something.
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "index"]
    return {file: file.read_bytes() for file in files}


@pytest.mark.slow
def test_a_run_that_gives_the_same_bytes(
    pipeline: Path,
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # Neither a cache that all of a user's projects share, nor what isn't committed, has a say.
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "config").write_text(f"[cache]\n    dir = {pipeline / '.dvc/cache'}\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(settings))
    (pipeline / "work.py").write_text("raise SystemExit('not committed')\n")
    (pipeline / "mirror").mkdir()
    # Nor what git tells the hooks of a repository.
    monkeypatch.setenv("GIT_DIR", str(pipeline / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(pipeline))
    monkeypatch.setenv("GIT_INDEX_FILE", str(pipeline / ".git/index"))
    monkeypatch.chdir(pipeline)
    monkeypatch.setenv("DIGITS_MIRROR", "mirror")
    before = content(pipeline)

    assert verify.main(tolerance=0.0, jobs=1) == 0
    output = capfd.readouterr().out
    assert output.count("Running stage 'train@") == 2
    assert f"mirror: {(pipeline / 'mirror').resolve()}\n" in output
    assert "What isn't committed is left out.\n" in output
    assert output.endswith("\nidentical: all 4 outputs have the bytes of dvc.lock\n")
    assert content(pipeline) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_gives_others(
    pipeline: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFT", "1e-4")
    assert verify.main(tolerance=1e-3, jobs=None, root=pipeline) == 0
    output = capfd.readouterr().out
    assert "other bytes than dvc.lock says:\n  metrics/dnn/test.json\n  models/dnn.txt\n\n" in output
    assert "alike: 2 of 4 outputs differ in bytes, all 6 metrics are within 0.001\n" in output
    assert "  processor.model: Abacus → " in output
    assert "packages" not in output  # which are the same

    assert verify.main(tolerance=1e-5, jobs=None, root=pipeline) == 1
    output = capfd.readouterr().out
    assert re.search(r"metrics/dnn/test.json +log_loss +0\.25 +0\.2501 +\+0\.0001\n", output)
    assert "failed: 2 of 4 outputs differ in bytes, 1 of 6 metrics by more than 1e-05\n" in output
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_fails(
    pipeline: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIL", "dnn")
    assert verify.main(tolerance=1.0, jobs=None, root=pipeline) == 1
    captured = capfd.readouterr()
    assert "no dnn today" in captured.out
    assert captured.err.endswith("failed: the fresh run ended with exit status 1; see above\n")
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(pipeline: Path, tmp_path: Path, number: signal.Signals) -> None:
    temporary, started = tmp_path / "temporary", tmp_path / "started"
    temporary.mkdir()
    started.mkdir()
    code = f"""
import sys
from pathlib import Path
from commands.verify import main
try:
    main(tolerance=0.0, jobs=2, root=Path({str(pipeline)!r}))
except KeyboardInterrupt:
    sys.exit(130)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(temporary), "SLEEP": str(started)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        while len(list(started.iterdir())) < 2:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        os.killpg(process.pid, number)  # as a terminal does
        time.sleep(0.3)
        os.killpg(process.pid, number)  # who is impatient leaves no more behind
        assert process.wait(timeout=30) == 130
        for stage in started.iterdir():  # at once: it doesn't end before they do
            with pytest.raises(ProcessLookupError):
                os.kill(int(stage.name), 0)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "Traceback" not in re.sub(r"(?m)^train@.*$", "", output)  # a stage's own is no matter
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_what_this_repository_has_committed(temporary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Another processor than the committed run's may answer otherwise for an image or two of 359.
    status = verify.main(tolerance=1e-2, jobs=None, root=REPOSITORY)
    captured = capfd.readouterr()
    assert status == 0, captured.out + captured.err
    assert list(temporary.iterdir()) == []
