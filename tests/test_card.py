"""Model cards: real figures, in the Hugging Face Hub's format, whatever the classes are called."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.report.card import main
from digits.errors import InputError
from tests.finished import finished

NAMES = ("a|b", "<script>", "*[x](y)*")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(
        tmp_path_factory.mktemp("cards"), class_names=NAMES, entry={"title": "Title: with a colon | <i>"}
    )


def written(root: Path, model: str) -> tuple[dict[str, Any], str]:
    """The card's front matter and its text."""
    assert main(root=root) == 0
    empty, front, text = (root / f"models/{model}/README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(front), text


def test_the_front_matter_is_what_the_hub_reads(root: Path) -> None:
    front, _ = written(root, "dnn")
    figures = json.loads((root / "metrics/dnn/test.json").read_text())
    assert front["pipeline_tag"] == "image-classification"
    assert front["library_name"] == "keras"
    (entry,) = front["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "dnn"
    assert result["dataset"] == {"name": "Title: with a colon | <i>", "type": "tiny", "split": "test"}
    assert {at["type"]: at["value"] for at in result["metrics"]} == {
        "accuracy": figures["accuracy"],
        "f1": figures["macro_f1"],
    }


@pytest.mark.parametrize(
    ("model", "says"),
    [("linear", "Multinomial logistic regression"), ("dnn", "hidden layers of \\[16, 8\\] units")],
)
def test_the_text_says_what_it_is_and_what_it_is_not(model: str, says: str, root: Path) -> None:
    _, text = written(root, model)
    figures = json.loads((root / f"metrics/{model}/test.json").read_text())
    assert says in text
    assert f"{figures['accuracy']:.4f} ({figures['accuracy_low']:.4f}–{figures['accuracy_high']:.4f})" in text
    assert f"of the test images, {1 - figures['accuracy']:.1%} were answered wrongly" in text
    assert "**Not for anything where a wrong answer costs somebody something**" in text
    assert "60 images to learn from, 40 to choose by, 30 to test on" in text
    assert "\n\n\n" not in text


def test_digits_are_not_for_cheques(tmp_path: Path) -> None:
    folder = finished(
        tmp_path, class_names=tuple("0123456789"), entry={"title": "Digits", "licence": "CC0"}, linear={}
    )
    front, text = written(folder, "linear")
    assert "**Not for cheques, post codes, exams" in text
    assert (front["license"], front["license_name"]) == ("other", "code MIT, data CC0")
    assert "handwritten-digits" in front["tags"]


def test_a_source_that_says_little_of_itself(root: Path) -> None:
    front, text = written(root, "linear")
    assert front["license_name"] == "code MIT, data not stated"
    assert "handwritten-digits" not in front["tags"]
    assert "; licence not stated." in text


def test_names_are_text_in_markdown_and_html(root: Path) -> None:
    _, text = written(root, "linear")
    assert "a\\|b, &lt;script&gt;, \\*\\[x\\](y)\\*" in text
    assert "<" not in text
    table = [line for line in text.splitlines() if line.startswith("| a\\|b ")]
    assert [line.replace("\\|", "").count("|") for line in table] == [6]


def test_the_same_results_give_the_same_bytes(root: Path) -> None:
    written(root, "dnn")
    first = (root / "models/dnn/README.md").read_bytes()
    written(root, "dnn")
    assert (root / "models/dnn/README.md").read_bytes() == first


def test_without_a_run_it_is_said_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock: found no such file.*; make run"):
        main(root=tmp_path)
