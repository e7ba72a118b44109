"""Sweeps without Ray's processes: the definition, a trial, the results and their pictures."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.cli.report.sweeps import sweeps as shown_sweeps
from digits.cli.sweep.commands import apply
from digits.cli.sweep.definition import Sweep, load_sweep
from digits.cli.sweep.results import EMPTY, Results, Trial
from digits.core.errors import InputError
from digits.core.params import load_params
from digits.train.framing import measure_framing
from stages import train
from tests import tiny
from tests.conftest import REPOSITORY
from tests.exports import digest_of_weights

SHORT: dict[str, Any] = {"steps": 20, "periods": 10, "snapshots": [], "batch_size": 5}
SPACE: dict[str, Any] = {
    "hidden_units": {"choices": [[4], [3, 3]]},
    "normalization": {"choices": [None, "batch"]},
    "learning_rate": {"log_range": [0.001, 0.1]},
    "batch_size": {"range": [5, 15]},
    "augmentation.shift": {"range": [0.0, 1.0]},
}
VALUES: dict[str, Any] = {
    "hidden_units": [3, 3],
    "normalization": None,
    "learning_rate": 0.02,
    "batch_size": 6,
    "augmentation.shift": 0.5,
}
SPLITS = {"train": tiny.examples(60), "validation": tiny.examples(40, seed=1)}


def change_dnn(root: Path, **settings: Any) -> None:
    """Change the parameters of the dnn."""
    document = yaml.safe_load((root / "params.yaml").read_text())
    document["train"]["dnn"].update(settings)
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    change_dnn(tmp_path, **SHORT)
    for name, examples in SPLITS.items():
        examples.save(tmp_path / f"data/splits/{name}.npz")
    return tmp_path


def loaded(root: Path, **settings: Any) -> Sweep:
    """A sweep from its file."""
    (root / "sweeps").mkdir(exist_ok=True)
    document = {"model": "dnn", "space": SPACE} | settings
    (root / "sweeps/mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return load_sweep("mine", load_params(root), root)


def empty(root: Path, **settings: Any) -> Results:
    """The results of a sweep, none of whose trials ended."""
    made_of: dict[str, Any] = {"data": {"source": "tiny"}, "code": "ab", "versions": {"keras": "3"}}
    folder, parameters = root / "metrics/sweeps/mine", load_params(root).recipe("dnn")
    return Results(folder=folder, sweep=loaded(root, **settings), parameters=parameters, **made_of)


def ended(loss: float, state: str = "complete", **more: Any) -> Trial:
    """A made-up trial that ended."""
    figures = {"validation_log_loss": loss, "validation_accuracy": 1 - loss}
    figures |= {"train_log_loss": loss, "train_accuracy": 1 - loss}
    return EMPTY | {"state": state, **figures, **VALUES, "learning_rate": loss / 10, **more}


class TestDefinition:
    @pytest.mark.parametrize("path", list((REPOSITORY / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
    def test_the_repositorys_sweeps_are_valid(self, path: Path) -> None:
        load_sweep(path.stem, load_params(REPOSITORY), REPOSITORY)

    @pytest.mark.parametrize(
        ("key", "dimension", "expected"),
        [
            ("learning", {"choices": [1]}, "space.learning: unknown key"),
            ("augmentation.turn", {"choices": [1]}, "space.augmentation.turn: unknown key"),
            ("seed", {"choices": [1, 2]}, "a lucky seed"),
            (
                "dropout",
                {"range": [0.2, 0.1]},
                "space.dropout: expected the lower end first, found [0.2, 0.1]",
            ),
            ("dropout", {}, "expected one of choices, range and log_range, found nothing"),
            ("learning_rate", {"log_range": [0.0, 0.2]}, "expected ends above 0"),
            ("batch_size", {"range": [1.5, 3]}, "space.batch_size: expected a valid integer, "),
            (
                "optimizer",
                {"choices": ["adam", "sdg"]},
                "space.optimizer: expected 'adagrad', 'adam', 'adamw' or 'sgd', found 'sdg'",
            ),
            (
                "steps",
                {"range": [20, 25]},
                "expected steps to be a multiple of periods, found 25 steps in 10 periods",
            ),
        ],
    )
    def test_an_error_names_the_parameter(self, key: str, dimension: Any, expected: str, root: Path) -> None:
        with pytest.raises(InputError, match=f"^sweeps/mine.yaml.*{re.escape(expected)}"):
            loaded(root, space={key: dimension})

    def test_an_error_names_the_setting(self, root: Path) -> None:
        with pytest.raises(InputError, match=r"sweeps/mine.yaml, pruner: unknown key"):
            loaded(root, pruner="asha")
        with pytest.raises(InputError, match=r"sweeps/other.yaml: no such file"):
            load_sweep("other", load_params(root), root)

    def test_a_trial_of_fewer_steps_keeps_the_snapshots_up_to_its_last(self, root: Path) -> None:
        change_dnn(root, snapshots=[5, 10, 20])
        sweep, base = loaded(root), load_params(root).recipe("dnn")
        assert sweep.recipes(base, {"steps": 10})[0].snapshots == [5, 10]


class TestSearch:
    def test_trials_lie_in_the_space_and_a_resumed_search_does_not_repeat_them(self, root: Path) -> None:
        from digits.cli.sweep.search import from_optuna, optuna_search

        results = empty(root, search="random", trials=20)
        search = optuna_search(results)
        asked = [from_optuna(search.suggest(str(number)) or {}) for number in range(20)]
        for found in asked:
            assert found["hidden_units"] in ([4], [3, 3])
            assert found["normalization"] in (None, "batch")
            assert 0.001 <= found["learning_rate"] <= 0.1
            assert found["batch_size"] in range(5, 16)
            assert 0 <= found["augmentation.shift"] <= 1
        assert from_optuna(optuna_search(results).suggest("a") or {}) == asked[0]
        results.trials = [ended(0.3) | asked[0], ended(0.4, "failed") | asked[1]]
        assert from_optuna(optuna_search(results).suggest("b") or {}) not in asked


@pytest.mark.slow
class TestTrial:
    def run(self, root: Path, **settings: Any) -> list[dict[str, Any]]:
        """All that a trial of the first choices reports."""
        from digits.cli.sweep.engine import run_trial

        results, reports = empty(root, **settings), list[dict[str, Any]]()
        config = {key: json.dumps(dimension.ends[0]) for key, dimension in results.sweep.space.items()}
        run_trial(config, results, SPLITS, lambda report: reports.append(report["row"]))
        return reports

    def test_a_trial_ends_with_the_bytes_of_the_stage(self, root: Path) -> None:
        space = {"dropout": {"choices": [0.3]}, "augmentation.shift": {"choices": [1.0]}}
        self.run(root, space=space, seeds=[3])  # a training before it changes nothing
        *_, trial = reports = self.run(root, space=space, seeds=[4])
        assert trial["state"] == "complete"
        change_dnn(root, dropout=0.3, seed=4, augmentation={"shift": 1.0})
        measure_framing(SPLITS["train"]).save(root / "data/splits/input.json")
        train.main("dnn", root)
        assert digest_of_weights(root / "models/dnn/model.keras") == trial["weights_sha256"]
        rows = (root / "models/dnn/history.csv").read_text().splitlines()[1:]
        losses = [f"{report['validation_log_loss']:.6f}" for report in reports]
        assert [row.split(",")[3] for row in rows] == losses

    def test_a_trial_of_several_seeds_gives_the_means(self, root: Path) -> None:
        both, one, other = (self.run(root, seeds=seeds)[-1] for seeds in ([0, 1], [0], [1]))
        loss = (one["validation_log_loss"] + other["validation_log_loss"]) / 2
        assert both["validation_log_loss"] == pytest.approx(loss, abs=2e-6)
        assert one["weights_sha256"] != other["weights_sha256"] != both["weights_sha256"]

    def test_a_trial_that_diverges_is_a_result(self, root: Path) -> None:
        change_dnn(root, optimizer="sgd")
        (trial,) = self.run(root, space={"learning_rate": {"choices": [1e6]}})
        assert (trial["state"], trial["last_period"]) == ("failed", 0)
        assert trial["reason"].startswith("training, period 1: expected")


class TestResults:
    @pytest.fixture
    def results(self, root: Path) -> Results:
        results = empty(root)
        trials = (
            ended(0.6, normalization="batch"),
            ended(0.45),
            ended(float("nan"), "failed", reason="a, “b”"),
            ended(0.3, "stopped"),
        )
        results.trials = [trial | {"trial": number} for number, trial in enumerate(trials, start=1)]
        results.write()
        return results

    def test_results_are_read_as_they_were_written(self, results: Results) -> None:
        assert str(Results.load(results.folder)) == str(results)  # as text, because NaN != NaN
        assert results.best == results.trials[1]  # not the stopped one
        assert results.counts == {"complete": 2, "stopped": 1, "failed": 1}

    def test_committed_results_are_read_and_say_what_they_are_of(self) -> None:
        results = Results.load(REPOSITORY / "metrics/sweeps/dnn")
        assert results.best is not None
        assert results.data["source"] == "mnist"
        assert {"python", "keras", "numpy", "optuna"} <= results.versions.keys()

    def test_the_origin_of_results_leaves_out_what_is_searched(self, results: Results, root: Path) -> None:
        applied = results.parameters.model_copy(update={"hidden_units": [9], "seed": 5})
        longer = results.sweep.model_copy(update={"trials": 99, "minutes": 3.0})
        same = results.model_copy(update={"parameters": applied, "sweep": longer})
        assert same.origin == results.origin
        wider = loaded(root, space=SPACE | {"dropout": {"range": [0.0, 0.5]}})
        other = results.parameters.model_copy(update={"steps": 40})
        for part, value in {"sweep": wider, "parameters": other, "code": "cd"}.items():
            changed = results.model_copy(update={part: value}).origin
            # A wider space also takes a parameter out of ``parameters``.
            assert [key for key in changed if changed[key] != results.origin[key]] in (
                [part],
                ["sweep", "parameters"],
            )

    @pytest.mark.parametrize(
        ("name", "old", "new"), [("trials.csv", "0.45", "0.4x"), ("summary.json", '"data"', '"date"')]
    )
    def test_a_damaged_file_is_an_error(self, name: str, old: str, new: str, results: Results) -> None:
        path = results.folder / name
        path.write_text(path.read_text().replace(old, new, 1))
        with pytest.raises(InputError, match=r"sweeps/mine: not a sweep's results .*git"):
            Results.load(results.folder)

    def test_figures_are_drawn_and_the_page_shows_them(self, results: Results, root: Path) -> None:
        from digits.cli.sweep.search import draw

        draw(results)
        assert results.importance is None  # of three trials
        results.folder.with_name("damaged").mkdir()
        ((shown, figures),) = shown_sweeps(root)
        assert shown.best == results.best
        assert [text.partition(":")[0] for _, text in figures] == ["mine"]
        results.trials += [ended(0.01 * number, "stopped") for number in range(1, 18)]
        draw(results)
        assert set(Results.load(results.folder).importance or ()) == set(SPACE)
        ((_, figures),) = shown_sweeps(root)
        assert "20 trials" in figures[1][1]  # all but the one that failed

    def test_apply_writes_all_parameters_and_keeps_comments(
        self, results: Results, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = root / "params.yaml"
        change_dnn(root, schedule="cosine", augmentation={"rotation": 30.0, "shift": 9.0})
        path.write_text(path.read_text().replace("steps: 20", "steps: 40 # why"))
        linear = load_params(root).recipe("linear")
        assert apply("mine", None, root) == 0
        assert "params.yaml: train.dnn.steps 40 → 20" in capsys.readouterr().out
        (best,) = results.sweep.recipes(results.parameters, results.searched(results.trials[1]))
        assert load_params(root).recipe("dnn") == best
        assert load_params(root).recipe("linear") == linear
        assert "steps: 20 # why" in path.read_text()
        assert apply("mine", 1, root) == 0
        assert load_params(root).recipe("dnn").learning_rate == pytest.approx(0.06)

    def test_apply_needs_a_trial_that_did_not_fail(self, results: Results, root: Path) -> None:
        for number in (3, 7):
            with pytest.raises(InputError, match=f"there is no trial {number}, or it failed"):
                apply("mine", number, root)
        with pytest.raises(InputError, match=r"sweeps/other: there are no results .*digits sweep run other"):
            apply("other", None, root)


def test_the_pipeline_and_other_commands_need_neither_ray_nor_optuna() -> None:
    stages = ", ".join(f"stages.{path.stem}" for path in (REPOSITORY / "stages").glob("[a-z]*.py"))
    commands = "digits.cli.app, digits.cli.compare, digits.cli.report.page, digits.cli.repeat"
    code = f"import sys, {stages}, {commands}; sys.exit(bool({{'ray', 'optuna'}} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
