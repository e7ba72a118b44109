"""The named recipes, and ``digits recipe``, which puts one into params.yaml."""

import shutil
from pathlib import Path

import pytest
import yaml

from commands.recipe import main
from digits.errors import InputError
from digits.recipe import Recipe
from stages.params import load_params
from tests.conftest import REPOSITORY

NAMES = sorted(path.stem for path in (REPOSITORY / "recipes").glob("*.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_becomes_what_params_say(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load_params(root)
    assert main(name, root=root) == 0
    said = capsys.readouterr().out
    after = load_params(root)
    recipes = yaml.safe_load((root / f"recipes/{name}.yaml").read_text())
    assert after.train == {model: Recipe.model_validate(recipe) for model, recipe in recipes.items()}
    assert (after.data, after.explore, after.plot) == (before.data, before.explore, before.plot)
    if after.train != before.train:
        assert "params.yaml: train." in said
    main(name, root=root)
    assert capsys.readouterr().out == "params.yaml: nothing to change\n"


def test_there_and_back_leaves_the_file_as_it_was(root: Path) -> None:
    main("course", root=root)
    before = (root / "params.yaml").read_text()
    assert "# adagrad, adam, adamw or sgd" in before
    for name in ("best", "course"):
        main(name, root=root)
        text = (root / "params.yaml").read_text()
        assert text.count("#") == before.count("#")
        assert "clip_norm: null " in text or name == "course"
    assert yaml.safe_load(text) == yaml.safe_load(before)


def test_without_a_name_all_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(None, root=root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == NAMES
    assert all(len(line) > 30 for line in lines)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("dnn: {steps: 1}", "recipes/mine.yaml, dnn.hidden_units: found nothing, expected a value"),
        ("dnn: [", "expected YAML"),
        ("cnn: {}", "recipes/mine.yaml, cnn.hidden_units: found nothing"),
    ],
)
def test_a_wrong_recipe_changes_nothing(recipe: str, message: str, root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    (root / "recipes/mine.yaml").write_text(recipe)
    with pytest.raises(InputError) as raised:
        main("mine", root=root)
    assert message in str(raised.value)
    assert (root / "params.yaml").read_bytes() == before


def test_a_model_that_params_lack_is_named(root: Path) -> None:
    recipes = yaml.safe_load((root / "recipes/course.yaml").read_text())
    (root / "recipes/mine.yaml").write_text(yaml.safe_dump({"cnn": recipes["dnn"]}))
    with pytest.raises(
        InputError, match=r"recipe for cnn: found no such model in params\.yaml, expected one of linear, dnn"
    ):
        main("mine", root=root)


def test_an_unknown_name_lists_the_known(root: Path) -> None:
    with pytest.raises(InputError, match=f"expected one of {', '.join(NAMES)}"):
        main("fastest", root=root)
