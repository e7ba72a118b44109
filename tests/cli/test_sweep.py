"""Sweeps without a cluster: their files, the search, a trial, the results."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from digits.cli.report.sweeps import sweeps as shown_sweeps
from digits.cli.sweep import apply
from digits.cli.sweep.definition import Sweep, load_sweep
from digits.cli.sweep.engine import run_trial
from digits.cli.sweep.results import Results, Trial, results_key
from digits.cli.sweep.run import _check_committed
from digits.cli.sweep.search import Search
from digits.core.errors import InputError
from digits.core.params import load_params
from digits.train.framing import measure_framing
from stages import train
from tests import tiny
from tests.conftest import REPOSITORY
from tests.exports import digest_of_weights
from tests.finished import commit

SHORT: dict[str, Any] = {"steps": 20, "periods": 10, "snapshots": [], "batch_size": 5}
SPACE: dict[str, Any] = {
    "hidden_units": {"choices": [[4], [3, 3]]},
    "normalization": {"choices": [None, "batch"]},
    "learning_rate": {"log_range": [0.001, 0.1]},
    "batch_size": {"range": [5, 15], "step": 5},
    "augmentation.shift": {"range": [0.0, 1.0]},
}
SPLITS = tiny.examples(60), tiny.examples(40, seed=1)


def settle(root: Path, **settings: Any) -> None:
    """Change the parameters of the dnn."""
    document = yaml.safe_load((root / "params.yaml").read_text())
    document["train"]["dnn"].update(settings)
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    settle(tmp_path, **SHORT)
    for name, examples in zip(("train", "validation"), SPLITS, strict=True):
        examples.save(tmp_path / f"data/splits/{name}.npz")
    return tmp_path


def loaded(root: Path, **settings: Any) -> Sweep:
    """A sweep from its file."""
    (root / "sweeps").mkdir(exist_ok=True)
    document = {"model": "dnn", "space": SPACE} | settings
    (root / "sweeps/mine.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return load_sweep("mine", load_params(root), root)


def finished(number: int, sweep: Sweep, loss: float = 0.5, **changes: Any) -> Trial:
    """A made-up finished trial."""
    figures = {"validation_log_loss": loss, "validation_accuracy": 1 - loss}
    figures |= {"train_log_loss": loss, "train_accuracy": 1 - loss}
    parameters = Search(sweep).ask(number)
    trial = Trial(number, parameters, "complete", [loss] * 10, figures, "ab", 1.5, "1.2.3.4:5")
    return dataclasses.replace(trial, **changes)


class TestDefinition:
    @pytest.mark.parametrize("path", list((REPOSITORY / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
    def test_the_repositorys_sweeps_are_valid(self, path: Path) -> None:
        load_sweep(path.stem, load_params(REPOSITORY), REPOSITORY)

    @pytest.mark.parametrize(
        ("key", "dimension", "expected"),
        [
            ("learning", {"choices": [1]}, "space.learning: found an unknown key"),
            ("seed", {"choices": [1, 2]}, "without seed"),
            ("dropout", {"range": [0.1, 0.1]}, "space.dropout: found [0.1, 0.1], expected the lower end"),
            ("dropout", {"range": [0.1, 0.2], "step": 0.5}, "expected it beside a range, and shorter"),
            ("dropout", {}, "found nothing, expected one of choices, range and log_range"),
            ("learning_rate", {"log_range": [0.0, 0.2]}, "expected ends above 0"),
            ("batch_size", {"range": [1.5, 3]}, "space.batch_size: found 1.5"),
            ("batch_size", {"range": [1, 3], "step": 0.5}, "batch_size.step: found 0.5"),
            ("optimizer", {"choices": ["adam", "sdg"]}, "space.optimizer: found 'sdg'"),
            ("steps", {"range": [20, 25]}, "found 10 periods of 25 steps"),
        ],
    )
    def test_an_error_names_the_parameter(self, key: str, dimension: Any, expected: str, root: Path) -> None:
        with pytest.raises(InputError, match=f"^sweeps/mine.yaml.*{re.escape(expected)}"):
            loaded(root, space={key: dimension})

    def test_an_error_names_the_setting(self, root: Path) -> None:
        with pytest.raises(InputError, match=r"sweeps/mine.yaml, pruner: found an unknown key"):
            loaded(root, pruner="asha")
        with pytest.raises(InputError, match=r"sweeps/other.yaml: found no such file"):
            load_sweep("other", load_params(root), root)

    def test_a_trial_of_fewer_steps_keeps_the_snapshots_up_to_its_last(self, root: Path) -> None:
        settle(root, snapshots=[5, 10, 20])
        sweep, base = loaded(root), load_params(root).recipe("dnn")
        assert sweep.recipes(base, {"steps": 10})[0].snapshots == [5, 10]


class TestSearch:
    def test_trials_lie_in_the_space_and_depend_on_seed_and_number_only(self, root: Path) -> None:
        sweep = loaded(root, search="random")
        other = Search(loaded(root, search="random", seed=1))
        forwards, backwards = Search(sweep), Search(sweep)
        numbers = range(1, 31)
        asked = {number: forwards.ask(number) for number in numbers}
        assert asked == {number: backwards.ask(number) for number in reversed(numbers)}
        assert asked != {number: other.ask(number) for number in numbers}
        for found in asked.values():
            assert found["hidden_units"] in ([4], [3, 3])
            assert found["normalization"] in (None, "batch")
            assert 0.001 <= found["learning_rate"] <= 0.1
            assert found["batch_size"] in (5, 10, 15)
            assert isinstance(found["batch_size"], int)
            assert 0 <= found["augmentation.shift"] <= 1

    @pytest.mark.parametrize("objective", ["log_loss", "accuracy"])
    def test_a_resumed_search_knows_the_finished_trials(self, objective: str, root: Path) -> None:
        sweep = loaded(root, stop_early={"periods": 1, "keep": 2}, objective=objective)
        search, trials = Search(sweep), []
        random = np.random.default_rng(0)
        for number in range(1, 20):
            parameters, values = search.ask(number), random.random(10).tolist()
            last = next((at for at in range(1, 10) if not search.goes_on(number, at, values[at - 1])), 10)
            state = "complete" if last == 10 else "stopped"
            figures = {f"validation_{objective}": values[last - 1]}
            trials.append(Trial(number, parameters, state, values[:last], figures))
            search.tell(trials[-1])
        assert {trial.state for trial in trials} == {"complete", "stopped"}
        complete = [trial.objective(sweep) for trial in trials if trial.state == "complete"]
        assert search.study.best_value == (max if objective == "accuracy" else min)(complete)
        resumed = Search(sweep, trials)
        assert resumed.importance() == pytest.approx(search.importance())
        assert resumed.ask(20) == search.ask(20)
        for period in (1, 2, 4, 8):
            value = float(random.random())
            assert resumed.goes_on(20, period, value) == search.goes_on(20, period, value)


@pytest.mark.slow
class TestTrial:
    def run(
        self, root: Path, goes_on: Callable[[int, float], bool] = lambda *_: True, **settings: Any
    ) -> Trial:
        sweep, base = loaded(root, **settings), load_params(root).recipe("dnn")
        parameters = {key: dimension.ends[0] for key, dimension in sweep.space.items()}
        return run_trial(1, parameters, sweep, base, SPLITS, goes_on=goes_on, worker="w")

    def test_it_ends_with_the_bytes_of_the_stage(self, root: Path) -> None:
        space = {"dropout": {"choices": [0.3]}, "augmentation.shift": {"choices": [1.0]}}
        self.run(root, space=space, seeds=[3])  # a training before it changes nothing
        trial = self.run(root, space=space, seeds=[4])
        assert trial.state == "complete"
        settle(root, dropout=0.3, seed=4, augmentation={"shift": 1.0})
        measure_framing(SPLITS[0]).save(root / "data/splits/input.json")
        train.main("dnn", root)
        assert digest_of_weights(root / "models/dnn/model.keras") == trial.weights
        rows = (root / "models/dnn/history.csv").read_text().splitlines()[1:]
        assert [row.split(",")[3] for row in rows] == [f"{loss:.6f}" for loss in trial.objectives]

    def test_of_more_seeds_it_gives_the_means(self, root: Path) -> None:
        both, one, other = (self.run(root, seeds=seeds) for seeds in ([0, 1], [0], [1]))
        means = {name: (one.figures[name] + other.figures[name]) / 2 for name in both.figures}
        assert both.figures == pytest.approx(means, abs=2e-6)
        assert one.weights != other.weights != both.weights
        assert both.objectives == one.objectives

    def test_one_that_is_given_up_says_how_far_it_came(self, root: Path) -> None:
        trial = self.run(root, lambda period, _: period < 4)
        assert (trial.state, len(trial.objectives), trial.weights) == ("stopped", 4, "")
        assert trial.figures["validation_log_loss"] == trial.objectives[-1]
        assert self.run(root, lambda period, _: period < 10).state == "complete"  # after the last: not


class TestResults:
    @pytest.fixture
    def results(self, root: Path) -> Results:
        sweep, base = loaded(root), load_params(root).recipe("dnn")
        results = Results(root / "metrics/sweeps/mine", sweep, base, "tiny", results_key(sweep, base, SPLITS))
        failed: dict[str, Any] = {
            "state": "failed",
            "figures": {},
            "objectives": [],
            "weights": "",
            "reason": "a, “b”",
        }
        stopped: dict[str, Any] = {"state": "stopped", "objectives": [0.3], "weights": ""}
        trials = finished(1, sweep, 0.6), finished(2, sweep, 0.45), finished(3, sweep, **failed)
        results.trials = {trial.number: trial for trial in (*trials, finished(4, sweep, 0.3, **stopped))}
        results.write()
        return results

    def test_they_are_read_as_they_were_written(self, results: Results) -> None:
        assert Results.load(results.folder) == results
        assert results.best == results.trials[2]  # not the stopped one
        assert results.counts == {"complete": 2, "stopped": 1, "failed": 1}

    def test_committed_results_are_read(self) -> None:
        folder = REPOSITORY / "metrics/sweeps/dnn"
        summary, results = json.loads((folder / "summary.json").read_text()), Results.load(folder)
        assert results.counts == summary["trials"]
        assert results.best is not None
        best = {"trial": results.best.number, **results.best.figures}
        assert best | {"parameters": results.best.parameters} == summary["best"]
        assert Search(results.sweep, results.ordered).importance() == pytest.approx(summary["importance"])

    def test_only_committed_results_are_replaced(self, results: Results, root: Path) -> None:
        commit(root, "a sweep")
        _check_committed(results.folder)
        (results.folder / "history.png").touch()
        with pytest.raises(InputError, match="found uncommitted results of an earlier run"):
            _check_committed(results.folder)

    def test_the_key_tells_sweeps_apart(self, results: Results, root: Path) -> None:
        sweep, base = results.sweep, results.base
        longer = sweep.model_copy(update={"trials": 99, "minutes": 3.0})
        applied = base.model_copy(update={"hidden_units": [9], "seed": 5})
        assert results_key(longer, applied, SPLITS) == results.key
        wider = loaded(root, space=SPACE | {"dropout": {"range": [0.0, 0.5]}})
        longer_training, other = base.model_copy(update={"steps": 40}), tiny.examples(60, seed=5)
        for changed in [(wider, base, SPLITS), (sweep, longer_training, SPLITS), (sweep, base, [other])]:
            assert results_key(*changed) != results.key

    @pytest.mark.parametrize(
        ("name", "old", "new"), [("trials.csv", "0.450000", "0.4x"), ("summary.json", '"key"', '"kex"')]
    )
    def test_a_damaged_file_is_an_error(self, name: str, old: str, new: str, results: Results) -> None:
        path = results.folder / name
        path.write_text(path.read_text().replace(old, new, 1))
        with pytest.raises(InputError, match=r"sweeps/mine: found a damaged file .*git checkout"):
            Results.load(results.folder)

    def test_figures_are_drawn_and_the_page_shows_them(self, results: Results, root: Path) -> None:
        search = Search(results.sweep, results.ordered)
        assert search.importance() == {}  # of two complete trials
        (results.folder / "importance.png").touch()  # of an earlier run
        search.draw(results.folder)
        results.folder.with_name("damaged").mkdir()
        ((shown, figures),) = shown_sweeps(root)
        assert shown == results
        assert [text.partition(":")[0] for _, text in figures] == ["mine", "mine"]
        results.trials |= {number: finished(number, results.sweep, 0.1 * number) for number in range(5, 9)}
        Search(results.sweep, results.ordered).draw(results.folder)
        assert len(list(results.folder.glob("*.png"))) == 3

    def test_apply_writes_all_parameters_and_keeps_comments(
        self, results: Results, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = root / "params.yaml"
        settle(root, schedule="cosine", augmentation={"rotation": 30.0, "shift": 9.0})
        path.write_text(path.read_text().replace("steps: 20", "steps: 40 # why"))
        linear = load_params(root).recipe("linear")
        assert apply.main("mine", trial=None, root=root) == 0
        assert "params.yaml: train.dnn.steps 40 → 20" in capsys.readouterr().out
        (best,) = results.sweep.recipes(results.base, results.trials[2].parameters)
        assert load_params(root).recipe("dnn") == best
        assert load_params(root).recipe("linear") == linear
        assert "steps: 20 # why" in path.read_text()
        assert apply.main("mine", trial=1, root=root) == 0
        shift = load_params(root).recipe("dnn").augmentation.shift
        assert shift == results.trials[1].parameters["augmentation.shift"]

    def test_apply_refuses_values_that_two_models_share(self, results: Results, root: Path) -> None:
        path = root / "params.yaml"
        before = path.read_text().replace("  linear:\n", "  linear: &base\n")
        before = before.replace("  dnn:\n", "  dnn:\n    <<: *base\n")
        path.write_text(before)
        with pytest.raises(
            InputError, match=r"params\.yaml, line \d+: found the alias \*base, expected values"
        ):
            apply.main("mine", trial=None, root=root)
        assert path.read_text() == before

    def test_apply_needs_a_trial_that_did_not_fail(self, results: Results, root: Path) -> None:
        for number in (3, 7):
            with pytest.raises(InputError, match=f"found no trial {number}, or one that failed"):
                apply.main("mine", trial=number, root=root)
        with pytest.raises(InputError, match=r"other/summary.json: found no such.*digits sweep run other"):
            apply.main("other", trial=None, root=root)


def test_the_pipeline_and_other_commands_need_neither_ray_nor_optuna() -> None:
    stages = ", ".join(f"stages.{path.stem}" for path in (REPOSITORY / "stages").glob("[a-z]*.py"))
    commands = "digits.cli.app, digits.cli.compare, digits.cli.report.page, digits.cli.repeat"
    code = f"import sys, {stages}, {commands}; sys.exit(bool({{'ray', 'optuna'}} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
