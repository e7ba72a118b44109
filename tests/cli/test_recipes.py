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
OWN_MODELS = """
  mine: # a model of one's own
    hidden_units: [3] # small
    dropout: 0.0
    l1: 0.0
    l2: 0.0
    optimizer: adam
    learning_rate: 0.01
    clip_norm: 1.0
    batch_size: 30
    steps: 10
    periods: 10
    snapshots: []
    seed: 5
    schedule: cosine # an option
""".lstrip("\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    shutil.copy(tmp_path / "recipes/course.yaml", tmp_path / "params.yaml")
    return tmp_path


def applied(name: str, root: Path) -> str:
    assert main(name, root=root) == 0
    return (root / "params.yaml").read_text()


def replace(root: Path, old: str, new: str) -> None:
    path = root / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_the_committed_params_are_the_course(root: Path) -> None:
    """But for models of one's own."""
    shutil.copy(REPOSITORY / "params.yaml", root)
    committed = (root / "params.yaml").read_text()
    assert applied("course", root) == committed


def test_course_says_what_stands_in_its_file(root: Path) -> None:
    course = (root / "recipes/course.yaml").read_text()
    replace(root, "# adagrad, adam, adamw or sgd", "# a comment that somebody changed")
    assert applied("course", root) == course


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_what_it_extends_with_its_own_settings(name: str, root: Path) -> None:
    def settings(recipe: str) -> dict[str, object]:
        document = yaml.safe_load((root / f"recipes/{recipe}.yaml").read_text())
        base = document.pop("extends", None)
        return (settings(base) if base else {}) | flat(document)

    text = applied(name, root)
    assert flat(yaml.safe_load(text)) == settings(name)
    assert text.startswith((root / f"recipes/{name}.yaml").read_text().partition("\n")[0] + "\n")
    assert text.count("#") == (root / "recipes/course.yaml").read_text().count("#")  # its comments


@pytest.mark.parametrize("name", NAMES)
def test_what_was_applied_before_does_not_matter(
    name: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = applied(name, root)
    for other in NAMES:
        applied(other, root)
        assert applied(name, root) == text, other
    capsys.readouterr()
    assert applied(name, root) == text
    assert capsys.readouterr().out == "params.yaml: nothing to change\n"


def test_what_changes_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    applied("quick", root)
    said = capsys.readouterr().out.splitlines()
    assert "params.yaml: train.dnn.clip_norm 5.0 → null" in said
    assert "params.yaml: train.dnn.augmentation.rotation (off) → 12.0" in said
    applied("course", root)
    assert "params.yaml: train.dnn.normalization batch → (off)" in capsys.readouterr().out.splitlines()


def test_the_source_and_models_of_ones_own_stay(root: Path) -> None:
    replace(root, "source: digits", "source: mnist-full")
    replace(root, "\nplot:", OWN_MODELS + OWN_MODELS.replace("mine", "another") + "\nplot:")
    before = load_params(root)
    text = applied("full", root)
    after = load_params(root)
    assert after.data == before.data.model_copy(update={"rows": None, "validation_fraction": 0.05})
    assert list(after.train) == ["linear", "dnn", "mine", "another"]
    assert {name: after.train[name] for name in ("mine", "another")} == {
        name: before.train[name] for name in ("mine", "another")
    }
    assert OWN_MODELS in text
    for name in ("course", "full"):
        again = applied(name, root)
    assert again == text


@pytest.mark.parametrize("name", NAMES)
def test_dvc_then_changes_a_line_and_no_other(name: str, root: Path) -> None:
    """``dvc exp run -S`` writes params.yaml anew; what it lays out otherwise would hide what changed."""
    before = applied(name, root).splitlines()
    with modify_yaml(str(root / "params.yaml")) as document:
        document["train"]["dnn"]["learning_rate"] = 0.125
    after = (root / "params.yaml").read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new for _, new in changed] == ["    learning_rate: 0.125"]


def test_without_a_name_all_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(None, root=root) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == NAMES
    assert all(len(line) > 30 for line in lines)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("train: {dnn: {steps: many}}", "recipes/mine.yaml, train.dnn.steps: found 'many', expected a valid"),
        ("train: {dnn: {step: 1}}", "recipes/mine.yaml, train.dnn.step: found an unknown key"),
        ("train: {dnn: {steps: 999}}", "recipes/mine.yaml, train.dnn: found 10 periods of 999 steps"),
        ("train: {dnn: 3}", "recipes/mine.yaml, train.dnn: found 3, expected"),
        ("train: {cnn: {}}", "recipes/mine.yaml, train.cnn.hidden_units: found nothing, expected a value"),
        ("train: 3", "recipes/mine.yaml, train: found 3, expected"),
        ("train: [", "recipes/mine.yaml, line 2: found"),
        ("dnn: {}", "recipes/mine.yaml, dnn: found an unknown key"),
        ("data: 3", "recipes/mine.yaml, data: found 3, expected"),
        ("data: {rows: {many: 1}}", "recipes/mine.yaml, data.rows: found {'many': 1}, expected"),
        ("extends: fastest", "recipe fastest: found no such recipe, expected one of best, course"),
        ("extends: [quick]", "found no such recipe"),
        ("extends: mine", "recipes/mine.yaml: found extends: mine, expected another recipe"),
        ("extends: ours", "recipes/ours.yaml: found extends: mine, expected another recipe"),
    ],
)
def test_a_wrong_recipe_changes_nothing(recipe: str, message: str, root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    (root / "recipes/mine.yaml").write_text(f"# Recipe mine: wrong.\n{recipe}")
    (root / "recipes/ours.yaml").write_text("extends: mine")
    with pytest.raises(InputError) as raised:
        main("mine", root=root)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value) or "cnn" in recipe  # of which each setting lacks
    assert (root / "params.yaml").read_bytes() == before


def test_a_damaged_course_is_named(root: Path) -> None:
    (root / "recipes/course.yaml").write_text("data: [")
    with pytest.raises(InputError, match=r"recipes/course\.yaml, line 1: found"):
        main("quick", root=root)


def test_an_unknown_name_lists_the_known(root: Path) -> None:
    with pytest.raises(InputError, match=f"expected one of {', '.join(NAMES)}"):
        main("fastest", root=root)
