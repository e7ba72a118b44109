"""The named recipes, and ``digits recipe``, which puts one into params.yaml."""

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import modify_yaml

from digits.cli.flattening import flat
from digits.cli.recipe import main
from digits.core.errors import InputError
from digits.core.params import load_params
from tests.conftest import REPOSITORY

NAMES = sorted(path.stem for path in (REPOSITORY / "recipes").glob("*.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    shutil.copy(tmp_path / "recipes/course.yaml", tmp_path / "params.yaml")
    return tmp_path


def applied(name: str, root: Path) -> str:
    assert main(name, root=root) == 0
    return (root / "params.yaml").read_text()


def test_a_recipe_lays_params_out_as_they_are_committed(root: Path) -> None:
    """Blank lines are not compared: they may move where params.yaml has models of one's own."""
    shutil.copy(REPOSITORY / "params.yaml", root)
    committed = (root / "params.yaml").read_text()
    course = applied("course", root)
    if yaml.safe_load(course) != yaml.safe_load(committed):
        pytest.skip("params.yaml has the settings of an experiment")
    assert [*filter(None, course.split("\n"))] == [*filter(None, committed.split("\n"))]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipes_own_settings_override_those_of_the_recipe_it_extends(name: str, root: Path) -> None:
    def settings(recipe: str) -> dict[str, object]:
        document = yaml.safe_load((root / f"recipes/{recipe}.yaml").read_text())
        base = document.pop("extends", None)
        return (settings(base) if base else {}) | flat(document)

    text = applied(name, root)
    assert flat(yaml.safe_load(text)) == settings(name)
    assert text.startswith((root / f"recipes/{name}.yaml").read_text().partition("\n")[0] + "\n")
    assert text.count("#") == (root / "recipes/course.yaml").read_text().count("#")  # no comment is lost


def test_course_keras_takes_fifty_epochs(root: Path) -> None:
    """An epoch is one period and one exact pass over the 48,000 training images of mnist-full."""
    applied("course-keras", root)
    params = load_params(root)
    recipe = params.recipe("dnn")
    training_images = 60_000 - round(60_000 * params.data.validation_fraction)
    assert recipe.steps * recipe.batch_size == 50 * training_images
    assert recipe.periods == 50
    assert params.data.rows is None


def test_dvc_then_changes_a_line_and_no_other(root: Path) -> None:
    """``dvc exp run -S`` rewrites params.yaml; another layout would hide the change in the diff."""
    before = applied("full", root).splitlines()
    with modify_yaml(str(root / "params.yaml")) as document:
        document["train"]["dnn"]["learning_rate"] = 0.125
    after = (root / "params.yaml").read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new for _, new in changed] == ["    learning_rate: 0.125"]


def test_what_was_applied_before_does_not_matter(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = applied("quick", root)
    applied("full", root)
    assert applied("quick", root) == text
    capsys.readouterr()
    assert applied("quick", root) == text
    assert capsys.readouterr().out == "params.yaml: nothing to change\n"


def test_the_source_and_models_of_ones_own_stay(root: Path) -> None:
    params = root / "params.yaml"
    text = params.read_text().replace("source: digits", "source: mnist-full")
    own, end, _ = text.partition("  dnn:")[2].partition("\nplot:")
    params.write_text(text.replace(end, "  mine:" + own.replace("seed: ", "seed: 10") + end))
    before = load_params(root)
    assert "  mine:" in applied("full", root)
    after = load_params(root)
    assert after.data.source == "mnist-full"
    assert list(after.train) == ["linear", "dnn", "mine"]
    assert after.train["mine"] == before.train["mine"] != after.train["dnn"]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("train: {dnn: {steps: many}}", "recipes/mine.yaml, train.dnn.steps: expected a valid integer"),
        ("extends: fastest", "recipes/fastest.yaml: no such recipe. Name one of best, course"),
    ],
)
def test_a_wrong_recipe_changes_nothing(recipe: str, message: str, root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    (root / "recipes/mine.yaml").write_text(f"# Recipe mine: wrong.\n{recipe}")
    with pytest.raises(InputError) as raised:
        main("mine", root=root)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (root / "params.yaml").read_bytes() == before
