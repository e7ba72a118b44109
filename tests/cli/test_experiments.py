"""``digits experiments``: what it reads from git, and the table, on small repositories."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.cli.experiments import main
from digits.cli.history import read_experiments
from digits.core.errors import InputError
from tests.finished import commit, git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a commit that is no experiment."""
    commit(tmp_path, "Begin\n\nexperiment: a line of the body")
    return tmp_path


def write(root: Path, models: dict[str, tuple[float, float, float]], **params: Any) -> None:
    """Write the files of a run: the models' accuracy and log loss on validation, and their accuracy on test.

    ``params`` are those of ``data``, or of a model.
    """
    data = {"source": "mnist", "rows": 100} | params.pop("data", {})
    train = {model: {"dropout": 0.0} | params.get(model, {}) for model in models}
    document = {"data": data, "train": train}
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"run": {"params": {"params.yaml": document}}}}))
    (root / "metrics").mkdir(exist_ok=True)
    for model, (accuracy, log_loss, test) in models.items():
        figures = {"validation": {"accuracy": accuracy, "log_loss": log_loss}, "test": {"accuracy": test}}
        (root / f"metrics/{model}.json").write_text(json.dumps(figures))


def document(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main("json", root=root) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def dvc_experiment(root: Path, name: str) -> None:
    """Make a commit of the files and a name for it in refs/exps, as ``dvc exp run`` does."""
    base = git(root, "rev-parse", "HEAD")
    commit(root, "dvc: commit experiment")
    git(root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
    git(root, "update-ref", "refs/exps/exec/EXEC_HEAD", "HEAD")  # DVC's own, no experiment
    git(root, "reset", "--hard", base)


def test_each_experiment_says_what_it_changed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, {"linear": (0.8, 0.5, 0.8), "dnn": (0.9, 0.4, 0.88)})
    commit(root, "experiment: the first | of four\n\nMore words.")
    write(root, {"linear": (0.8, 0.5, 0.8), "dnn": (0.9, 0.3, 0.87)}, dnn={"dropout": 0.3, "units": [5, 4]})
    commit(root, "experiment: dropout")
    write(root, {"linear": (0.8, 0.5, 0.8), "dnn": (0.9, 0.3, 0.87)}, dnn={"dropout": 0.3, "units": [5, 4]})
    commit(root, "experiment: once more")
    write(root, {"linear": (0.7, 0.5, 0.95), "wide": (0.6, 0.5, 0.9)}, data={"source": "digits"})
    commit(root, "experiment: other data, a third model")

    rows = document(root, capsys)["experiments"]
    assert [(row["name"], row["data"], row["changed"]) for row in rows] == [
        ("the first | of four", "mnist", "the first"),
        ("dropout", "mnist", "dnn dropout 0 → 0.3, units none → [5, 4]"),
        ("once more", "mnist", "no parameter"),
        (
            "other data, a third model",
            "digits",
            "data source mnist → digits; dnn dropout 0.3 → none, units [5, 4] → none",
        ),
    ]
    # Of equal accuracies the lower log loss, of equal log losses the first; test metrics don't count.
    assert [row["best"] for row in rows] == [None, "dnn", None, "linear"]
    assert rows[1]["commit"] == git(root, "rev-parse", "HEAD~2")[:7]
    assert rows[1]["models"]["dnn"] == {
        "validation_accuracy": 0.9,
        "validation_log_loss": 0.3,
        "test_accuracy": 0.87,
    }

    assert main("table", root=root) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.partition("\n\n")[0].splitlines())) <= 120
    assert printed.count(" *") == 2
    assert f" {rows[1]['commit']}\n  .venv/bin/dvc metrics diff " in printed
    assert f"On mnist: dropout ({rows[1]['commit']}), whose dnn has accuracy 0.9000" in printed

    assert main("markdown", root=root) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "the first" in line)
    assert r"| the first \| of four | mnist | linear<br>dnn | 0.8000<br>0.9000 |" in " ".join(line.split())


def test_an_experiment_on_a_merged_branch_is_compared_with_what_led_to_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, {"m": (0.7, 0.5, 0.5)})
    commit(root, "experiment: baseline")
    start = git(root, "rev-parse", "HEAD")
    for dropout, name in ((0.1, "ada"), (0.2, "bob")):
        git(root, "checkout", "--quiet", "-b", name, start)
        write(root, {"m": (0.7 + dropout, 0.5, 0.5)}, m={"dropout": dropout})
        commit(root, f"experiment: {name}")
    git(root, "merge", "--quiet", "-s", "ours", "-m", "Hand-ins", "ada")
    changes = {row["name"]: row["changed"] for row in document(root, capsys)["experiments"]}
    first, above, below = changes
    assert (first, {above, below}) == ("baseline", {"ada", "bob"})
    assert changes.pop(first) == "the first"
    assert changes[below].startswith("against baseline: ")  # which isn't the row above
    assert {name: text.removeprefix("against baseline: ") for name, text in changes.items()} == {
        "ada": "m dropout 0 → 0.1",
        "bob": "m dropout 0 → 0.2",
    }
    assert not changes[above].startswith("against")


def test_an_experiment_run_again_is_shown_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for accuracy, dropout, name in ((0.8, 0.0, "a"), (0.7, 0.1, "b"), (0.9, 0.0, "a"), (0.6, 0.2, "b")):
        write(root, {"m": (accuracy, 0.5, 0.5)}, m={"dropout": dropout})
        commit(root, f"experiment: {name}")
    found = document(root, capsys)
    assert [(row["name"], row["changed"]) for row in found["experiments"]] == [
        ("b", "the first"),
        ("a", "m dropout 0.1 → 0"),
        ("b", "m dropout 0 → 0.2"),
    ]
    assert found["left_out"] == 1


def test_other_rows_are_other_data_and_long_names_are_wrapped(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rows in (100, 2000):
        write(root, {"m": (0.8, 12.5, 0.8)}, data={"source": "a_long_name_of_a_source", "rows": rows})
        commit(root, "experiment: " + "many words " * 9)
    assert main("table", root=root) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.partition("\n\n")[0].splitlines())) <= 120
    assert printed.count(" *") == 2
    assert "On a_long_name_of_a_source, rows 2000: " in printed


def test_experiments_of_dvc_are_compared_with_their_start(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, {"m": (0.8, 0.5, 0.8)})
    commit(root, "experiment: kept")
    write(root, {"m": (0.9, 0.5, 0.9)}, m={"dropout": 0.1})
    dvc_experiment(root, "left-here")
    write(root, {"m": (0.7, 0.5, 0.7)}, m={"dropout": 0.2})
    dvc_experiment(root, "committed-too")
    write(root, {"m": (0.7, 0.5, 0.7)}, m={"dropout": 0.2})
    commit(root, "experiment: committed too")
    rows = document(root, capsys)["experiments"]
    start = git(root, "rev-parse", "HEAD~1")[:7]
    assert [(row["name"], row["changed"]) for row in rows][1:] == [
        ("committed too", "m dropout 0 → 0.2"),
        ("left-here", f"against {start}: m dropout 0 → 0.1"),
    ]
    assert rows[2]["best"] == "m"


def test_the_workspace_is_shown_once_it_was_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, {"m": (0.8, 0.5, 0.8)})
    commit(root, "experiment: kept")
    assert len(document(root, capsys)["experiments"]) == 1
    write(root, {"m": (0.9, 0.5, 0.9)}, m={"dropout": 0.1})
    row = document(root, capsys)["experiments"][1]
    assert (row["name"], row["changed"], row["best"]) == ("workspace", "against HEAD: m dropout 0 → 0.1", "m")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("0.1", "0.2"))  # the metrics are of 0.1
    assert len(document(root, capsys)["experiments"]) == 1


def test_what_cannot_be_read_is_left_out_and_counted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "inside"
    folder.mkdir()
    write(folder, dict.fromkeys(("a", "b", "c", "gone"), (0.5, 0.5, 0.5)))
    (folder / "metrics/a.json").write_text("{")
    (folder / "metrics/b.json").write_text('{"test": {"accuracy": 0.5}}')
    (folder / "metrics/gone.json").unlink()
    commit(root, "experiment: damaged metrics")
    (folder / "params.yaml").write_text("train: [")
    commit(root, "experiment: damaged\u2028params")
    ((one,), left_out) = read_experiments(folder)
    assert (list(one.models), left_out) == (["c"], 1)
    assert main("table", root=folder) == 0
    assert "\n\n1 more are left out: " in capsys.readouterr().out


def test_where_nothing_is_to_be_shown(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main("table", root=root) == 0
    assert capsys.readouterr().out.startswith("No experiments yet.")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="this is not a git repository"):
        main("table", root=root)
    assert read_experiments(root) == ([], 0)
