"""Names, commits and pictures made to do harm: refused in one line, or taken for the text that they are."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from digits.cli.framing import frame
from digits.cli.output import show
from digits.cli.predict import predict, read_picture
from digits.cli.report import card, page
from digits.cli.report.results import read_results
from digits.core.errors import InputError
from digits.core.model_input import ModelInput
from tests.cli.test_predict import MODEL_INPUT, stroke
from tests.finished import commit, finished

NAMES = ('</script><script>alert("1")</script>', "[a](javascript:alert(1))", "![x](http://x/y)`'\"")


def test_text_steers_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show("\x1b[2J\x1b]0;owned\x07\x9b31m\n")
    said = capsys.readouterr().out
    assert "owned" in said
    assert not {"\x1b", "\x07", "\x9b"} & set(said)


def test_a_large_picture_gets_the_answer_of_a_small_one(tmp_path: Path) -> None:
    large = stroke((2_400, 1_800), (400, 600, 1600, 1000))
    large.save(tmp_path / "a.png")
    found, plain = frame(read_picture(str(tmp_path / "a.png")), MODEL_INPUT), frame(stroke(), MODEL_INPUT)
    assert found
    assert plain
    assert np.abs(found.image.astype(int) - plain.image).max() <= 8


@pytest.mark.parametrize("classes", [9, 11])
def test_a_model_input_with_another_number_of_classes_is_refused(
    classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digits.cli.predict.logits", lambda *_: np.zeros((1, 10), np.float32))
    model_input = ModelInput(28, 28, 255, tuple(map(str, range(classes))), 20, "mass", (14.0, 14.0))
    stroke().save(tmp_path / "x.png")
    with pytest.raises(InputError, match=rf"input\.json: it names {classes} classes, but the network has 10"):
        predict(str(tmp_path / "x.png"), model_input, tmp_path / "model.tflite")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose class names, data source and commits contain HTML, scripts and Markdown."""
    said = {
        "title": "</title><script>alert(1)</script>",
        "licence": "](x) --- \"'",
        "homepage": "javascript:alert(1)",
    }
    folder = finished(tmp_path_factory.mktemp("pages"), class_names=NAMES, entry=said, linear={})
    commit(folder, "experiment: </script><img src=x onerror=alert(1)>")
    commit(folder, "</td><script>alert(2)</script> {{ 7 * 7 }}")
    return folder


def test_the_report_escapes_what_it_shows(run: Path) -> None:
    text = page.page(read_results(run), run)
    assert len(re.findall("<script", text)) == 3  # the page's own
    assert "<img src=x" not in text
    assert not re.search("(?:href|src)=[\"']?javascript:", text)
    assert "&lt;/td&gt;&lt;script&gt;alert(2)&lt;/script&gt; {{ 7 * 7 }}" in text


def test_the_model_card_escapes_what_it_shows(run: Path) -> None:
    results = read_results(run)
    _, front, text = card.card(results.models[0], results).split("---\n", 2)
    assert yaml.safe_load(front)["license_name"] == "x"  # only letters, digits and dots are left
    assert "<" not in text
    assert "](" not in text.replace("\\]", "")  # no link and no picture
