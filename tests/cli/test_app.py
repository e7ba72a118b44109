"""The command line itself: help, completion, and how fast both are."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path

import pytest

from digits.cli.app import EXTRAS, app, run, sweep
from tests.conftest import REPOSITORY

COMMANDS = sorted(
    str(command.callback.__name__) for command in app.registered_commands if command.callback is not None
)


def digits(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "digits", *words],
        cwd=REPOSITORY,
        env=os.environ | {"COLUMNS": "100", "TERM": "dumb"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_every_command() -> None:
    assert " ".join(COMMANDS) == "compare experiments metrics plots predict recipe repeat report verify"
    process = digits("-h")
    assert process.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in process.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_imports_nothing_heavy(command: str) -> None:
    process = digits(command, "--help", PYTHONPROFILEIMPORTTIME="1")
    assert process.returncode == 0
    assert f"digits {command}" in process.stdout
    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"numpy", "dvc", "tensorflow", "matplotlib", "pandas", "onnx", "jinja2"}


def test_a_shell_completes_recipes() -> None:
    words = {"COMP_WORDS": "digits recipe ", "COMP_CWORD": "2"}
    process = digits(_DIGITS_COMPLETE="complete_bash", **words)
    assert process.stdout.split() == sorted(path.stem for path in (REPOSITORY / "recipes").iterdir())


def test_the_installed_command_is_the_same() -> None:
    found = list(entry_points(group="console_scripts", name="digits"))
    if not found:
        pytest.skip("not installed: make install")
    assert found[0].load() is run


def test_the_version_is_printed() -> None:
    assert digits("--version").stdout == f"digits {version('digits-pipeline')}\n"


def test_the_command_of_another_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits/cli").mkdir(parents=True)
    (tmp_path / "digits/cli/app.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["digits", "metrics"])
    with pytest.raises(SystemExit, match=f"expected the one of this folder, found the one of {REPOSITORY}"):
        run()


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(f"sweep {command.name}" for command in sweep.registered_commands)]
)
def test_outside_a_checkout_it_is_said_what_to_do(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*command.split(), "3.png"] if command == "predict" else command.split()
    monkeypatch.setattr(sys, "argv", ["digits", *words])
    with pytest.raises(SystemExit) as end:
        run()
    assert str(end.value).startswith(
        f"error: {tmp_path}: expected a checkout of the project, found no folder digits/"
    )
    assert str(end.value).count("\n") == 0


def test_a_model_is_given_by_name_or_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["digits", "predict", "3.png", "--model=linear", "--model-file=model.tflite"]
    )
    with pytest.raises(SystemExit, match="--model-file: can't be used with --model linear"):
        run()


def test_a_missing_package_that_only_some_commands_need_is_reported() -> None:
    code = "import sys; sys.modules['vl_convert'] = None; from digits.cli.app import run; run()"
    command = [sys.executable, "-c", code, "plots"]
    process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    error = "error: expected the packages of requirements/plots.txt, found no vl_convert."
    assert (process.returncode, process.stderr) == (1, f"{error} Run `make .venv/plots`.\n")


@pytest.mark.parametrize(("module", "extra"), EXTRAS.items())
def test_the_requirements_of_an_extra_hold_its_package(module: str, extra: str) -> None:
    (name,) = packages_distributions()[module]
    pin = re.compile(rf"^{re.escape(name.replace('_', '-'))}==", re.MULTILINE)
    assert pin.search((REPOSITORY / f"requirements/{extra}.txt").read_text())
    assert not pin.search((REPOSITORY / "requirements.txt").read_text())
