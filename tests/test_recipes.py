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
    recipe = yaml.safe_load((root / f"recipes/{name}.yaml").read_text())
    assert after.train == {model: Recipe.model_validate(recipe) for model, recipe in recipe["train"].items()}
    assert after.data == before.data.model_copy(update=recipe["data"])
    assert recipe["data"].keys() == {"rows", "validation_fraction"}  # which every recipe sets, or none
    assert (after.explore, after.plot) == (before.explore, before.plot)
    if after.train != before.train:
        assert "params.yaml: train." in said
    main(name, root=root)
    assert capsys.readouterr().out == "params.yaml: nothing to change\n"


def test_there_and_back_leaves_the_file_as_it_was(root: Path) -> None:
    main("course", root=root)
    before = (root / "params.yaml").read_text()
    assert "# adagrad, adam, adamw or sgd" in before
    for name in ("full", "course"):
        main(name, root=root)
        text = (root / "params.yaml").read_text()
        assert text.count("#") == before.count("#")
        assert ("clip_norm: null " in text and "rows: null " in text) or name == "course"
    assert yaml.safe_load(text) == yaml.safe_load(before)


def test_without_a_name_all_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(None, root=root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == NAMES
    assert all(len(line) > 30 for line in lines)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            "train: {dnn: {steps: 1}}",
            "recipes/mine.yaml, train.dnn.hidden_units: found nothing, expected a value",
        ),
        ("train: [", "expected YAML"),
        (
            "train: {cnn: {}}",
            "recipes/mine.yaml, train: found cnn, which params.yaml lacks, expected one of linear, dnn",
        ),
        ("train: {1: {}}", "recipes/mine.yaml, train: found 1, which params.yaml lacks"),
        ("dnn: {}", "recipes/mine.yaml: found dnn: {}, expected data: and train:"),
        ("data: 3", "recipes/mine.yaml: found data: 3, expected data: and train:"),
        ("data: {rows: many}", "recipes/mine.yaml, data.rows: found 'many', expected a valid integer"),
        ("data: {row: 3}", "recipes/mine.yaml, data.row: found an unknown key"),
    ],
)
def test_a_wrong_recipe_changes_nothing(recipe: str, message: str, root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    (root / "recipes/mine.yaml").write_text(recipe)
    with pytest.raises(InputError) as raised:
        main("mine", root=root)
    assert message in str(raised.value)
    assert (root / "params.yaml").read_bytes() == before


def test_an_unknown_name_lists_the_known(root: Path) -> None:
    with pytest.raises(InputError, match=f"expected one of {', '.join(NAMES)}"):
        main("fastest", root=root)
