"""Sweeps, but for the cluster: what they may say, what is tried next, what a trial is, what is kept."""

import dataclasses
import json
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
from digits.cli.sweep import apply, engine, figures
from digits.cli.sweep import run as command
from digits.cli.sweep.definition import Sweep, load_sweep, sweeps
from digits.cli.sweep.results import COLUMNS, Results, Trial, read_summary
from digits.cli.sweep.run import _in_git, alone
from digits.cli.sweep.study import STARTUP, Halving, Study
from digits.cli.sweep.trial import Outcome, check_versions, run_trial, versions
from digits.core.errors import InputError
from digits.core.params import Recipe, load_params
from digits.split.framing import measure_framing
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


def a_trial(number: int, sweep: Sweep, loss: float = 0.5, **changes: Any) -> Trial:
    """A finished trial, made up."""
    shown = {"validation_log_loss": loss, "validation_accuracy": 1 - loss}
    outcome = Outcome(
        "complete",
        [loss] * 10,
        shown | {"train_log_loss": loss, "train_accuracy": 1 - loss},
        "ab",
        1.5,
        "1.2.3.4:5",
    )
    return Trial(number, Study(sweep, []).ask(number), dataclasses.replace(outcome, **changes))


def halving_of(sweep: Sweep, *finished: Trial) -> Halving:
    assert sweep.stop_early
    return Halving(sweep.stop_early, finished, higher_is_better=sweep.higher_is_better)


class TestDefinition:
    @pytest.mark.parametrize("name", sweeps(REPOSITORY))
    def test_the_repositorys_own_are_right(self, name: str) -> None:
        load_sweep(name, load_params(REPOSITORY), REPOSITORY)

    @pytest.mark.parametrize(
        ("key", "dimension", "expected"),
        [
            ("learning", {"choices": [1]}, "space.learning: found an unknown key"),
            ("hidden_units.x", {"choices": [1]}, "space.hidden_units.x: found an unknown key"),
            ("augmentation.x", {"choices": [1]}, "space.augmentation.x: found an unknown key"),
            ("seed", {"choices": [1, 2]}, "expected it in seeds"),
            ("dropout", {"range": [0.1, 0.1]}, "space.dropout: found [0.1, 0.1], expected the lower end"),
            ("dropout", {"range": [0.1, 1.5]}, "space.dropout: found 1.5, expected less than 1"),
            ("dropout", {"range": [0.1]}, "space.dropout.range: found [0.1]"),
            ("dropout", {"range": [0.1, 0.2], "step": 1e-300}, "expected one that fits into the range"),
            ("dropout", {"range": [0.1, 0.2], "step": 0.5}, "expected one that fits into the range"),
            ("dropout", {}, "found nothing, expected one of choices, range and log_range"),
            ("dropout", {"choices": [0.1], "range": [0.1, 0.2]}, "expected one of choices"),
            ("dropout", {"choices": [0.1, 0.1]}, "expected each choice once"),
            ("dropout", {"choices": [0.1], "step": 0.1}, "expected it beside a range alone"),
            ("learning_rate", {"log_range": [0.0, 0.2]}, "expected ends above 0"),
            ("l2", {"range": [0.1, float("inf")]}, "expected finite ends"),
            ("batch_size", {"range": [1.5, 3]}, "space.batch_size: found 1.5"),
            ("batch_size", {"range": [1, 3], "step": 0.5}, "batch_size.step: found 0.5"),
            ("optimizer", {"choices": ["adam", "sdg"]}, "space.optimizer: found 'sdg'"),
            ("steps", {"range": [20, 25]}, "found 10 periods of 25 steps"),
        ],
    )
    def test_what_is_wrong_with_a_parameter_is_said(
        self, key: str, dimension: dict[str, Any], expected: str, root: Path
    ) -> None:
        with pytest.raises(InputError) as told:
            loaded(root, space={key: dimension})
        assert expected in str(told.value)
        assert str(told.value).startswith("sweeps/mine.yaml")

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"space": {}}, "sweeps/mine.yaml, space: found {}"),
            (
                {"space": {key: {"choices": [1]} for key in ("augmentation", "augmentation.shift")}},
                "the one or",
            ),
            ({"seeds": [1, 1]}, "sweeps/mine.yaml: found seeds [1, 1], expected each once"),
            ({"model": "cnn"}, "params.yaml, train: found no model 'cnn', expected one of linear, dnn"),
            ({"objective": "test_accuracy"}, "sweeps/mine.yaml, objective: found 'test_accuracy'"),
            ({"stop_early": {"keep": 1}}, "sweeps/mine.yaml, stop_early.keep: found 1"),
            ({"pruner": "asha"}, "sweeps/mine.yaml, pruner: found an unknown key"),
        ],
    )
    def test_what_is_wrong_with_a_sweep_is_said(
        self, settings: dict[str, Any], expected: str, root: Path
    ) -> None:
        with pytest.raises(InputError) as told:
            loaded(root, **settings)
        assert expected in str(told.value)

    @pytest.mark.parametrize(
        ("key", "right", "wrong"),
        [
            ("batch_size", [5, 10, 15], [4, 7, 20, 10.0, True, "10", None]),
            ("augmentation.shift", [0.0, 0.3, 1], [-0.1, 1.5, False]),
            ("hidden_units", [[4], [3, 3]], [[5], 4]),
        ],
    )
    def test_what_a_parameter_may_be(self, key: str, right: list[Any], wrong: list[Any], root: Path) -> None:
        sweep = loaded(root)
        assert all(sweep.may_be(key, value) for value in right)
        assert not any(sweep.may_be(key, value) for value in wrong)

    def test_an_unknown_sweep_lists_those_that_are_there(self, root: Path) -> None:
        loaded(root)
        with pytest.raises(InputError, match=r"sweeps/other.yaml: found no such sweep, expected one of mine"):
            load_sweep("other", load_params(root), root)


class TestStudy:
    def test_trials_lie_in_the_space_and_depend_on_the_seed_and_the_number_alone(self, root: Path) -> None:
        sweep = loaded(root, search="random")
        forwards, backwards = Study(sweep, []), Study(sweep, [])
        numbers = range(1, 31)
        asked = {number: forwards.ask(number) for number in numbers}
        assert asked == {number: backwards.ask(number) for number in reversed(numbers)}
        assert asked != {
            number: Study(loaded(root, search="random", seed=1), []).ask(number) for number in numbers
        }
        for found in asked.values():
            assert found["hidden_units"] in ([4], [3, 3])
            assert found["normalization"] in (None, "batch")
            assert 0.001 <= found["learning_rate"] <= 0.1
            assert found["batch_size"] in (5, 10, 15)
            assert isinstance(found["batch_size"], int)
            assert 0 <= found["augmentation.shift"] <= 1
        below = sum(found["learning_rate"] < 0.01 for found in asked.values())
        assert 8 <= below <= 22  # half of a log range lies below the ends' geometric mean

    @pytest.mark.parametrize(("objective", "sign"), [("log_loss", 1), ("accuracy", -1)])
    def test_the_search_learns_where_it_is_good(self, objective: str, sign: int, root: Path) -> None:
        space = {"learning_rate": {"log_range": [1e-8, 1.0]}}
        study = Study(loaded(root, space=space, objective=objective), [])
        distances = []  # to the best, in powers of ten
        for number in range(1, 61):
            parameters = study.ask(number)
            distances.append(abs(np.log10(parameters["learning_rate"] / 0.01)))
            figures_of = {f"validation_{objective}": sign * distances[-1]}
            study.tell(Trial(number, parameters, Outcome("complete", [], figures_of, "", 1, "")))
        assert np.median(distances[-20:]) < np.median(distances[:STARTUP]) / 2

    def test_a_failed_trial_is_learnt_from_as_the_worst(self, root: Path) -> None:
        study = Study(loaded(root, space={"learning_rate": {"range": [0.0001, 1.0]}}), [])
        asked = []
        for number in range(1, 61):
            parameters = study.ask(number)
            asked.append(parameters["learning_rate"])
            state = "failed" if asked[-1] > 0.3 else "complete"
            outcome = Outcome(
                state, [], {"validation_log_loss": 1.0} if state == "complete" else {}, "", 1, ""
            )
            study.tell(Trial(number, parameters, outcome))
        assert sum(rate > 0.3 for rate in asked[-20:]) < sum(rate > 0.3 for rate in asked[:20])

    def test_one_that_is_resumed_knows_what_was_finished(self, root: Path) -> None:
        sweep = loaded(root, stop_early={"periods": 1, "keep": 2})
        first, halving = Study(sweep, []), halving_of(sweep)
        known = []
        for number in range(1, 16):
            parameters = first.ask(number)
            loss = parameters["learning_rate"]
            state = "complete" if halving.goes_on(number, 1, loss) else "stopped"
            trial = a_trial(number, sweep, loss, state=state, periods=[loss])
            known.append(dataclasses.replace(trial, parameters=parameters))
            first.tell(known[-1])
        assert {trial.state for trial in known} == {"complete", "stopped"}
        assert Study(sweep, known).ask(16) == first.ask(16)
        assert Study(sweep, known).importance() == pytest.approx(first.importance())


class TestHalving:
    def test_poor_trials_are_stopped_by_period(self, root: Path) -> None:
        halving = halving_of(loaded(root, stop_early={"periods": 2, "keep": 3}))

        def reached(number: int, loss: float) -> int:
            """The period that a trial of always the same loss comes to."""
            return next((period for period in range(1, 11) if not halving.goes_on(number, period, loss)), 10)

        assert reached(1, 0.5) == 10  # nothing to be held against
        assert reached(2, 0.6) == 2
        assert reached(3, 0.4) == 10
        assert reached(4, 0.55) == 2
        assert not halving.goes_on(4, 2, 0.1)  # told again by another worker: what was said first holds

    @pytest.mark.parametrize("objective", ["log_loss", "accuracy"])
    def test_one_that_is_resumed_holds_trials_against_those_of_before(
        self, objective: str, root: Path
    ) -> None:
        sweep = loaded(root, stop_early={"periods": 1, "keep": 2}, objective=objective)
        halving = halving_of(sweep)
        random = np.random.default_rng(0)
        known = []
        for number in range(1, 16):
            values = random.random(10).tolist()
            lived = next(
                (
                    period
                    for period in range(1, 10)
                    if not halving.goes_on(number, period, values[period - 1])
                ),
                10,
            )
            known.append(a_trial(number, sweep, values[lived - 1], periods=values[:lived]))
        resumed = halving_of(sweep, *random.permutation(np.array(known, object)))
        for number in range(16, 40):
            for period in (1, 2, 4, 8):
                value = float(random.random())
                assert resumed.goes_on(number, period, value) == halving.goes_on(number, period, value)


class TestTrial:
    def run(
        self, root: Path, goes_on: Callable[[int, float], bool] = lambda *_: True, **settings: Any
    ) -> Outcome:
        sweep = loaded(root, **settings)
        parameters = {key: dimension.ends[0] for key, dimension in sweep.space.items()}
        recipes = sweep.recipes(load_params(root).recipe("dnn"), parameters, Path())
        return run_trial(recipes, *SPLITS, objective=sweep.objective, goes_on=goes_on, worker="w")

    def test_it_ends_with_the_bytes_of_the_stage(self, root: Path) -> None:
        space = {"dropout": {"choices": [0.3]}, "augmentation.shift": {"choices": [1.0]}}
        outcome = self.run(root, space=space, seeds=[4])
        assert outcome.state == "complete"
        assert (
            outcome.weights == self.run(root, space=space, seeds=[4]).weights
        )  # in a process that has trained
        settle(root, dropout=0.3, seed=4, augmentation={"shift": 1.0})
        measure_framing(SPLITS[0]).save(root / "data/splits/input.json")
        train.main("dnn", root)
        assert digest_of_weights(root / "models/dnn/model.keras") == outcome.weights
        rows = (root / "models/dnn/history.csv").read_text().splitlines()[1:]
        assert [row.split(",")[3] for row in rows] == [f"{loss:.6f}" for loss in outcome.periods]

    def test_of_more_seeds_it_gives_the_means(self, root: Path) -> None:
        both, one, other = (self.run(root, seeds=seeds) for seeds in ([0, 1], [0], [1]))
        assert both.figures == pytest.approx(
            {name: (one.figures[name] + other.figures[name]) / 2 for name in both.figures}, abs=2e-6
        )
        assert one.weights != other.weights != both.weights
        assert both.periods == one.periods
        for figure in (*both.figures.values(), *both.periods):
            assert figure == float(f"{figure:.6f}")  # as in the table

    def test_one_that_is_given_up_says_how_far_it_came(self, root: Path) -> None:
        outcome = self.run(root, lambda period, _: period < 4)
        assert (outcome.state, len(outcome.periods), outcome.weights) == ("stopped", 4, "")
        assert outcome.figures["validation_log_loss"] == outcome.periods[-1]
        assert self.run(root, lambda period, _: period < 10).state == "complete"  # after the last: not

    def test_one_that_diverges_is_a_result(self, root: Path) -> None:
        space = {"learning_rate": {"choices": [1e6]}, "optimizer": {"choices": ["sgd"]}}
        outcome = self.run(root, space=space)
        assert (outcome.state, outcome.figures, outcome.weights) == ("failed", {}, "")
        assert "lower learning_rate (1000000.0)" in outcome.reason

    def test_one_of_fewer_steps_has_the_snapshots_up_to_its_last(self, root: Path) -> None:
        settle(root, snapshots=[5, 10, 20])
        sweep = loaded(root, space={"steps": {"choices": [10, 20]}})
        base = load_params(root).recipe("dnn")
        snapshots = [sweep.recipes(base, {"steps": steps}, Path())[0].snapshots for steps in (10, 20)]
        assert snapshots == [[5, 10], [5, 10, 20]]

    def test_another_version_of_a_library_is_refused(self) -> None:
        check_versions(versions(), "10.0.0.1:7")
        with pytest.raises(
            InputError, match=r"worker 10.0.0.1:7: found numpy \d.*, expected 1.0, which the sw"
        ):
            check_versions(versions() | {"numpy": "1.0"}, "10.0.0.1:7")


class TestResults:
    @pytest.fixture
    def results(self, root: Path) -> Results:
        sweep = loaded(root)
        results = Results(
            root / "metrics/sweeps/mine", sweep, load_params(root).recipe("dnn"), SPLITS, data="tiny"
        )
        results.add(a_trial(2, sweep, 0.45), a_trial(1, sweep, 0.6))
        results.add(a_trial(3, sweep, state="failed", figures={}, periods=[], weights="", reason="a, “b” c"))
        results.add(a_trial(4, sweep, 0.3, state="stopped", periods=[0.3], weights=""))
        return results

    def again(self, results: Results, **changes: Any) -> Results:
        made_of: dict[str, Any] = {"sweep": results.sweep, "base": results.base, "splits": SPLITS} | changes
        again = Results(results.folder, **made_of, data="tiny")
        again.resume()
        return again

    def test_they_are_read_as_they_were_written(self, results: Results) -> None:
        assert self.again(results).trials == results.trials
        assert results.best == results.trials[2]  # not the one that was given up
        assert read_summary(results.folder)["best"]["trial"] == 2
        assert read_summary(results.folder)["trials"] == {"complete": 2, "stopped": 1, "failed": 1}

    def test_a_row_that_was_being_written_is_left_out_and_mended(self, results: Results) -> None:
        path = results.folder / "trials.csv"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
        again = self.again(results)
        assert again.trials == {number: results.trials[number] for number in (1, 2, 3)}
        again.add(results.trials[4])
        assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())
        again.finish({})
        assert [row[:1] for row in path.read_text().splitlines()[1:]] == ["1", "2", "3", "4"]

    def test_without_a_summary_it_says_a_way_out(self, results: Results) -> None:
        (results.folder / "summary.json").unlink()
        with pytest.raises(InputError, match=r"no such file beside trials.csv.*or remove the folder"):
            self.again(results)

    def test_where_they_cant_be_written_nothing_is_started(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded(root)
        monkeypatch.setattr(command, "_check_splits", lambda root: None)
        monkeypatch.setattr(engine, "connected", None)
        (root / "metrics/sweeps").mkdir(parents=True)
        (root / "metrics/sweeps/mine").touch()
        with pytest.raises(FileExistsError, match="metrics/sweeps/mine"):
            command.main("mine", trials=None, workers=None, address=None, resume=False, root=root)

    def test_no_parameter_has_a_columns_name(self) -> None:
        assert not set(COLUMNS) & Recipe.model_fields.keys()

    def test_one_run_at_a_time(self, root: Path) -> None:
        for _ in range(2):
            with alone(root, "mine"):
                with alone(root, "other"):
                    pass
                with (
                    pytest.raises(InputError, match="sweep mine: found another run of it"),
                    alone(root, "mine"),
                ):
                    pass

    def test_more_trials_and_what_was_applied_are_the_same_sweep(self, results: Results) -> None:
        longer = results.sweep.model_copy(update={"trials": 99, "minutes": 3.0})
        applied = results.base.model_copy(update={"hidden_units": [9], "seed": 5})
        assert len(self.again(results, sweep=longer, base=applied).trials) == 4

    def test_what_git_has_may_be_replaced(self, results: Results, root: Path) -> None:
        assert not _in_git(results.folder)  # no repository
        commit(root, "a sweep")
        assert _in_git(results.folder)
        (results.folder / "history.png").touch()
        assert not _in_git(results.folder)
        results.begin()
        assert list(results.folder.iterdir()) == []

    @pytest.mark.parametrize("change", ["space", "base", "data"])
    def test_another_sweep_is_refused(self, change: str, results: Results, root: Path) -> None:
        changes: dict[str, dict[str, Any]] = {
            "space": {"sweep": loaded(root, space=SPACE | {"dropout": {"range": [0.0, 0.5]}})},
            "base": {"base": results.base.model_copy(update={"steps": 40})},
            "data": {"splits": (tiny.examples(60, seed=5), SPLITS[1])},
        }
        with pytest.raises(InputError, match="found trials of another space, other parameters or other data"):
            self.again(results, **changes[change])

    @pytest.mark.parametrize(
        ("name", "old", "new", "expected"),
        [
            ("trials.csv", "0.450000", "0.4x", "trials.csv, row 3: found"),
            ("trials.csv", "stopped", "paused", "trials.csv, row 5: found"),
            ("trials.csv", "[4]", "[5]", "trials.csv, row"),
            ("trials.csv", "trial,state", "number,state", "trials.csv, row 2: found"),
            ("trials.csv", "\n2,", "\n1,", "trials.csv, row 3: found"),
            ("trials.csv", "0.450000", "nan", "trials.csv, row 3: found"),
            ("trials.csv", "trial,state", "tri\0al,state", "trials.csv"),
            ("summary.json", '"key"', '"kex"', "summary.json: found no summary of a sweep"),
            ("summary.json", "{", "[", "summary.json: found"),
        ],
    )
    def test_a_damaged_file_is_named(
        self, name: str, old: str, new: str, expected: str, results: Results
    ) -> None:
        path = results.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(InputError) as told:
            self.again(results)
        assert expected in str(told.value)
        assert "git checkout" in str(told.value)

    def test_figures_are_drawn_of_whatever_there_is(self, results: Results) -> None:
        figures.draw(results, {"learning_rate": 0.75, "dropout": 0.25})
        names = ["history.png", "importance.png", "parallel.png"]
        assert sorted(path.name for path in results.folder.glob("*.png")) == names
        drawn = {name: (results.folder / name).read_bytes() for name in names}
        figures.draw(results, {"learning_rate": 0.75, "dropout": 0.25})
        assert drawn == {name: (results.folder / name).read_bytes() for name in names}

    def test_one_complete_trial_is_enough_to_draw(self, results: Results) -> None:
        for number in (1, 3, 4):
            del results.trials[number]
        figures.draw(results, {})
        assert not (results.folder / "importance.png").exists()

    def test_the_report_shows_them(self, results: Results, root: Path) -> None:
        figures.draw(results, {})
        results.folder.with_name("damaged").mkdir()
        (shown,) = shown_sweeps(root)
        assert (shown.name, shown.model, shown.data, len(shown.figures)) == ("mine", "dnn", "tiny", 2)
        assert shown.best is not None
        assert shown.best["trial"] == 2

    def test_apply_writes_the_best_trials_parameters_and_keeps_comments(
        self, results: Results, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = root / "params.yaml"
        settle(root, schedule="cosine", augmentation={"rotation": 30.0, "shift": 9.0})
        path.write_text("# mine\n" + path.read_text().replace("steps: 20", "steps: 40 # why"))
        before = load_params(root)
        assert apply.main("mine", trial=None, root=root) == 0
        said = capsys.readouterr().out
        assert "params.yaml: train.dnn.steps 40 → 20" in said  # what the trial was trained with
        best = results.trials[2].parameters
        after = load_params(root)
        settings = after.recipe("dnn").model_dump()
        assert settings["augmentation"].pop("shift") == best["augmentation.shift"]
        for key in best.keys() - {"augmentation.shift"}:
            assert settings[key] == best[key]
        assert after.recipe("linear") == before.recipe("linear")
        assert settings["schedule"] == "constant"  # as it was then
        assert settings["augmentation"]["rotation"] == 0
        assert path.read_text().startswith("# mine\n")
        assert "steps: 20 # why" in path.read_text()
        assert apply.main("mine", trial=1, root=root) == 0
        shift = load_params(root).recipe("dnn").augmentation.shift
        assert shift == results.trials[1].parameters["augmentation.shift"]

    def test_apply_says_what_it_lacks(self, results: Results, root: Path) -> None:
        before = (root / "params.yaml").read_bytes()
        with pytest.raises(InputError, match="found no trial 7, expected one of 1 to 4"):
            apply.main("mine", trial=7, root=root)
        with pytest.raises(InputError, match="trial 3: found one that failed"):
            apply.main("mine", trial=3, root=root)
        with pytest.raises(InputError, match=r"other/summary.json: found no such.*digits sweep run other"):
            apply.main("other", trial=None, root=root)
        for number in (1, 2):
            del results.trials[number]
        results.finish({})
        with pytest.raises(InputError, match="found no complete trial"):
            apply.main("mine", trial=None, root=root)
        assert (root / "params.yaml").read_bytes() == before


def test_nothing_of_it_is_imported_by_the_pipeline_or_other_commands() -> None:
    code = (
        "import sys, json, stages.download, stages.split, stages.explore, stages.train, stages.evaluate,"
        "stages.plot, digits.cli.app, digits.cli.compare, digits.cli.report.page, digits.cli.repeat;"
        "print(json.dumps(sorted({'ray', 'optuna'} & sys.modules.keys())))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == []
