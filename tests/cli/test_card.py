"""Model cards: real figures, in the Hugging Face Hub's format, whatever the classes are called."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.cli.report.card import main
from digits.core.errors import InputError
from digits.evaluate.scores import load_scores
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
    empty, front, text = (root / f"report/{model}.md").read_text(encoding="utf-8").split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(front), text


def test_the_front_matter_is_what_the_hub_reads(root: Path) -> None:
    front, _ = written(root, "dnn")
    figures = load_scores(root / "predictions/dnn/scores.json")["test"].metrics
    assert front["pipeline_tag"] == "image-classification"
    assert front["library_name"] == "keras"
    (entry,) = front["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "dnn"
    assert result["dataset"] == {"name": "Title: with a colon | <i>", "type": "tiny", "split": "test"}
    assert {figure["type"]: figure["value"] for figure in result["metrics"]} == {
        "accuracy": figures["accuracy"],
        "f1": figures["macro_f1"],
    }


@pytest.mark.parametrize(
    ("model", "says"),
    [("linear", "Multinomial logistic regression"), ("dnn", "hidden layers of \\[16, 8\\] units")],
)
def test_the_text_says_what_it_is_and_what_it_is_not(model: str, says: str, root: Path) -> None:
    _, text = written(root, model)
    scores = load_scores(root / f"predictions/{model}/scores.json")["test"]
    accuracy, (low, high) = scores.metrics["accuracy"], scores.accuracy_interval
    assert says in text
    assert f"{accuracy:.4f} ({low:.4f}–{high:.4f})" in text
    assert f"of the test images, {1 - accuracy:.1%} were answered wrongly" in text
    assert "**Not for anything where a wrong answer costs somebody something**" in text
    assert "60 images to learn from, 40 to choose by, 30 to test on" in text
    assert "\n\n\n" not in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [set(table[1]) for table in tables] == [{"|", "-"}] * 4  # none falls apart


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
    first = (root / "report/dnn.md").read_bytes()
    written(root, "dnn")
    assert (root / "report/dnn.md").read_bytes() == first


def test_without_a_run_it_is_said_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dvc\.lock: found no such file.*; make run"):
        main(root=tmp_path)
