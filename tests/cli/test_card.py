"""Model cards: the run's metrics in the Hugging Face Hub's format, whatever the classes are called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from digits.cli.report.card import card, write_cards
from digits.cli.report.results import read_results
from digits.evaluate.scores import load_scores
from tests.finished import finished

NAMES = ("a|b", "<script>", "*[x](y)*")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    entry = {"title": "Title: with a colon | <i>"}
    return finished(tmp_path_factory.mktemp("cards"), class_names=NAMES, entry=entry)


def write_and_read(root: Path, model: str) -> tuple[dict[str, Any], str]:
    """Write the cards; return the front matter and the text of one."""
    write_cards(read_results(root), root)
    _, front, text = (root / f"report/{model}.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def test_the_front_matter_is_what_the_hub_reads(root: Path) -> None:
    front, _ = write_and_read(root, "dnn")
    scores = load_scores(root / "predictions/dnn/scores.json")["test"].metrics
    assert (front["pipeline_tag"], front["library_name"]) == ("image-classification", "keras")
    assert front["license"] == "unknown"
    assert front["tags"] == ["image-classification", "litert", "onnx"]
    (entry,) = front["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "dnn"
    assert result["dataset"] == {"name": "Title: with a colon | <i>", "type": "tiny", "split": "test"}
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics == {"accuracy": scores["accuracy"], "f1": scores["macro_f1"]}


@pytest.mark.parametrize(
    ("model", "kind"),
    [("linear", "(multinomial logistic regression)"), ("dnn", "network of 16 and 8 hidden units (ReLU)")],
)
def test_the_text_names_kind_classes_metrics_and_limits(model: str, kind: str, root: Path) -> None:
    _, text = write_and_read(root, model)
    scores = load_scores(root / f"predictions/{model}/scores.json")["test"]
    accuracy, (low, high) = scores.metrics["accuracy"], scores.accuracy_interval
    assert kind in text
    assert "a\\|b, &lt;script&gt;, \\*\\[x\\](y)\\*" in text
    assert "<" not in text
    assert f"{accuracy:.4f} ({low:.4f}–{high:.4f})" in text
    assert f"of the test images, {1 - accuracy:.1%} were answered wrongly" in text
    assert "60 training images, 40 validation images (to choose parameters), 30 test images" in text
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3, 4, 6}  # no name is taken for the end of a cell


def test_digits_are_not_for_cheques(tmp_path: Path) -> None:
    entry = {"title": "Digits", "licence": "CC0"}
    folder = finished(tmp_path, class_names=tuple("0123456789"), entry=entry, linear={})
    front, text = write_and_read(folder, "linear")
    assert "**Not for cheques, post codes, exams" in text
    assert front["license_name"] == "cc0"
    assert "handwritten-digits" in front["tags"]


def test_the_card_warns_about_results_of_several_runs(root: Path) -> None:
    results = replace(read_results(root), outdated="not all of one run: a_b changed")
    assert "**Careful: not all of one run: a\\_b changed.**" in card(results.models[0], results)


@pytest.mark.parametrize(
    ("licence", "homepage", "expected"),
    [
        ("CC BY-SA 3.0", "https://a.org", ("other", "cc-by-sa-3.0", "https://a.org")),
        ("mine", "", ("other", "mine", None)),
        ("", "https://a.org", ("unknown", None, None)),
    ],
)
def test_the_hubs_own_classes_read_the_card(
    licence: str, homepage: str, expected: tuple[Any, ...], root: Path
) -> None:
    results = read_results(root)
    source = results.source.model_copy(update={"licence": licence or None, "homepage": homepage or None})
    read: Any = ModelCard(card(results.models[1], replace(results, source=source))).data
    assert (read.license, read.license_name, read.license_link) == expected
    assert read.datasets == ["tiny"]
    accuracy, _ = read.eval_results
    assert accuracy.metric_value == results.models[1].scores["test"].metrics["accuracy"]
    assert (accuracy.task_type, accuracy.dataset_split) == ("image-classification", "test")
