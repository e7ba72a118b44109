"""dvc.yaml tells the truth: what it says of each stage is what the stage does.

Each stage runs, as dvc.yaml commands it, in a folder that holds just what dvc.yaml says it reads.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx
import pytest
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from digits.core.params import Params
from digits.core.yaml_files import Section, read_mapping
from tests.conftest import REPOSITORY

MODELS = read_mapping(REPOSITORY / "dvc.yaml")["vars"][0]["models"]


@pytest.fixture(scope="module")
def repo() -> Iterator[Repo]:
    with Repo(str(REPOSITORY)) as repo:
        yield repo


def files_of(stage: Any) -> set[str]:
    """The dependencies that are files, as dvc.yaml writes them."""
    return {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)}


@dataclass
class StageRun:
    """One stage that was run: the files that it wrote, the modules that it imported."""

    stage: Any
    written: set[str]
    modules: set[str]


@pytest.fixture(scope="module")
def ran(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, StageRun], Path]:
    """Every stage run in a folder of its own, and a folder with all outputs."""
    done = tmp_path_factory.mktemp("done")
    results: dict[str, StageRun] = {}
    for stage in reversed(list(networkx.topological_sort(repo.index.graph))):
        sandbox = tmp_path_factory.mktemp(stage.addressing.replace("@", "-"))
        lay_out(stage, sandbox, done)
        before = contents(sandbox)
        process = run_command(stage, sandbox)
        assert process.returncode == 0, f"{stage.addressing}: {process.stderr[-2000:]}"
        after = contents(sandbox)
        written = {path for path, content in after.items() if before.get(path) != content}
        assert before.keys() <= after.keys()
        modules = set(re.findall(r"^import time:.*\| +(\S+)$", process.stderr, re.MULTILINE))
        results[stage.addressing] = StageRun(stage, written, modules)
        for path in written:
            (done / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sandbox / path, done / path)
    return results, done


def lay_out(stage: Any, sandbox: Path, done: Path, *, without: str = "") -> None:
    """Put params.yaml, and the stage's dependencies but one, into the sandbox."""
    shutil.copy(REPOSITORY / "params.yaml", sandbox)
    for package in (REPOSITORY / "digits", REPOSITORY / "stages", *(REPOSITORY / "digits").glob("*/")):
        if (package / "__init__.py").exists():
            inside = sandbox / package.relative_to(REPOSITORY)
            inside.mkdir(exist_ok=True)
            shutil.copy(package / "__init__.py", inside)
    for path in files_of(stage) - {without}:
        origin = REPOSITORY / path if path.startswith(("digits", "stages", "data/sources")) else done / path
        target = sandbox / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, target, dirs_exist_ok=True)
        else:
            shutil.copy(origin, target)


def run_command(stage: Any, sandbox: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *stage.cmd.removeprefix("python ").split()],
        cwd=sandbox,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_stages_write_exactly_what_is_declared(ran: tuple[dict[str, StageRun], Path]) -> None:
    results, done = ran
    for name, result in results.items():
        declared = {out.def_path for out in result.stage.outs}
        files = {path for path in declared if (done / path).is_file()}
        folders = {path for path in declared if (done / path).is_dir()}
        assert files | folders == declared, name
        undeclared = {
            path for path in result.written - files if not path.startswith(tuple(f"{f}/" for f in folders))
        }
        # metrics/environment.json describes the machine, and is no output, so dvc.lock does not depend on it.
        assert undeclared <= {"metrics/environment.json"}, name


def test_code_dependencies_are_what_is_imported(ran: tuple[dict[str, StageRun], Path]) -> None:
    for name, result in ran[0].items():
        script = "stages/" + name.partition("@")[0] + ".py"  # run, so not imported
        modules = {module.replace(".", "/") for module in result.modules if module.startswith("digits.")}
        files = {f"{module}.py" for module in modules if (REPOSITORY / f"{module}.py").is_file()}
        declared = {path for path in files_of(result.stage) if path.startswith(("digits/", "stages/"))}
        outside = {file for file in files if not any(Path(file).is_relative_to(path) for path in declared)}
        assert not outside, f"{name} imports what dvc.yaml does not list"
        unused = {
            path for path in declared - {script} if not any(Path(file).is_relative_to(path) for file in files)
        }
        assert not unused, f"{name} does not import what dvc.yaml lists"
        assert script in declared


def test_every_init_file_holds_only_a_docstring() -> None:
    for path in [REPOSITORY / "stages/__init__.py", *(REPOSITORY / "digits").rglob("__init__.py")]:
        assert re.fullmatch(r'"""[^"]*"""\n', path.read_text()), path


def test_only_python_files_of_digits_count(repo: Repo) -> None:
    """An editor's or the system's file in a code folder changes no stage."""
    ignored = repo.dvcignore.is_ignored_file
    for name in ("notes.txt", ".DS_Store", ".params.py.swp", "params.py~", "__pycache__/params.pyc"):
        assert ignored(str(REPOSITORY / "digits/core" / name)), name
    assert not ignored(str(REPOSITORY / "digits/core/params.py"))


@pytest.mark.slow
def test_every_data_dependency_is_read(
    ran: tuple[dict[str, StageRun], Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    results, done = ran
    for name, result in results.items():
        for path in sorted(files_of(result.stage)):
            if path.startswith(("digits/", "stages/")):
                continue
            sandbox = tmp_path_factory.mktemp("without")
            lay_out(result.stage, sandbox, done, without=path)
            process = run_command(result.stage, sandbox)
            assert process.returncode != 0, f"{name} runs without {path}"


def test_only_training_imports_tensorflow(ran: tuple[dict[str, StageRun], Path]) -> None:
    importing = {name for name, result in ran[0].items() if "tensorflow" in result.modules}
    assert importing == {f"train@{model}" for model in MODELS}


def test_training_imports_nothing_that_it_can_do_without(ran: tuple[dict[str, StageRun], Path]) -> None:
    for model in MODELS:
        # Submodules, because the name of a package is listed also when its import failed.
        modules = ran[0][f"train@{model}"].modules
        assert "keras.src.backend" in modules
        assert not modules & {
            "sklearn.base",
            "matplotlib.figure",
            "pandas.core",
            "scipy.sparse._base",
            "dvc.repo",
        }


def test_declared_params_are_the_params_read(
    ran: tuple[dict[str, StageRun], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each section that is loaded gets its dotted key, and each of its fields that is read is noted.
    results, done = ran
    read: set[str] = set()
    keys: dict[int, str] = {}  # of each section that was loaded, by identity
    alive: list[Section] = []  # so that no identity is used twice

    def name_sections(section: Section, key: str) -> None:
        alive.append(section)
        keys[id(section)] = key
        for field_name in type(section).model_fields:
            value = section.__dict__[field_name]
            for name, part in value.items() if isinstance(value, dict) else [("", value)]:
                if isinstance(part, Section):
                    name_sections(part, ".".join(filter(None, (key, field_name, name))))

    get = Section.__getattribute__

    def record(self: Section, name: str) -> Any:
        if type(self) is Params and id(self) not in keys:
            name_sections(self, "")
        if id(self) in keys and name in type(self).model_fields and type(self) is not Params:
            read.add(f"{keys[id(self)]}.{name}")
        return get(self, name)

    for name, result in results.items():
        sandbox = tmp_path / name
        shutil.copytree(done, sandbox)
        shutil.copy(REPOSITORY / "params.yaml", sandbox)
        shutil.copytree(REPOSITORY / "data/sources", sandbox / "data/sources")
        read.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Section, "__getattribute__", record)
            stage_name, _, item = name.partition("@")
            main = importlib.import_module(f"stages.{stage_name}").main
            main(*filter(None, [item]), root=sandbox)
        params = [dep.params for dep in result.stage.deps if isinstance(dep, ParamsDependency)]
        declared = set().union(*params)
        uncovered = {key for key in read if not any(f"{key}.".startswith(f"{d}.") for d in declared)}
        unread = {d for d in declared if not any(f"{key}.".startswith(f"{d}.") for key in read)}
        assert not uncovered, f"{name} reads what dvc.yaml does not list"
        assert not unread, f"{name} does not read what dvc.yaml lists"


def test_nothing_before_evaluation_depends_on_the_test_split(repo: Repo) -> None:
    graph = repo.index.graph
    users = {stage.addressing for stage in graph if "data/splits/test.npz" in files_of(stage)}
    assert users == {f"evaluate@{model}" for model in MODELS}
    for stage in graph:
        if stage.addressing.startswith("train"):
            before = {other.addressing for other in networkx.descendants(graph, stage)}
            assert before == {"download", "split"}


def test_what_dvc_makes_us_repeat_names_every_model() -> None:
    """DVC repeats a stage for each model, but no chart and no artifact."""
    wiring = read_mapping(REPOSITORY / "dvc.yaml")
    models = set(MODELS)
    assert set(wiring["artifacts"]) == models
    assert {item["path"] for item in wiring["artifacts"].values()} == {
        f"models/{model}/model.tflite" for model in models
    }
    drawn: dict[str, set[str]] = {}
    charts = [item for entry in wiring["plots"] if isinstance(entry, dict) for item in entry.items()]
    for title, chart in charts:
        measure, _, _ = title.partition(",")
        for file in chart["y"]:
            drawn.setdefault(measure, set()).add(Path(file).parent.name)
    assert drawn == dict.fromkeys(["Log loss", "Accuracy", "Confusion"], models)


def test_no_name_that_a_user_gives_reaches_the_shell() -> None:
    """DVC inserts values into commands unquoted: only models' names may be, which dvc.yaml itself defines."""
    wiring = read_mapping(REPOSITORY / "dvc.yaml")
    stages = wiring["stages"].values()
    assert set(re.findall(r"\$\{.*?\}", " ".join(stage["cmd"] for stage in stages))) == {"${item.model}"}
    assert {stage["matrix"]["model"] for stage in stages if "matrix" in stage} == {"${models}"}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", model) for model in MODELS)


def test_dvc_lock_matches_code_params_and_metrics(repo: Repo) -> None:
    """``dvc status`` finds nothing changed; outputs that are missing, as in a fresh clone, do not count."""
    untrue = [
        (stage, kind, path, state)
        for stage, changes in repo.status().items()
        for change in changes
        for kind, paths in (change if isinstance(change, dict) else {change: {"": "changed"}}).items()
        for path, state in paths.items()
        if state not in ("deleted", "not in cache")
    ]
    assert not untrue, "run `dvc repro` and commit dvc.lock and metrics"
