from itertools import product
from pathlib import Path

import numpy as np
import pytest

from digits.core.files import read_csv
from stages import evaluate
from tests import tiny


def test_the_confusion_has_a_count_for_each_pair_of_classes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split, images in (("validation", 7), ("test", 4)):
        tiny.examples(images).save(workspace / f"data/splits/{split}.npz")
    monkeypatch.setattr(evaluate, "logits", lambda path, images: np.array([[0, 1, 0]] * len(images), "f4"))
    evaluate.main("m", workspace)
    *pairs, counts = read_csv(workspace / "predictions/m/confusion.csv").values()
    names = ["class 0", "class 1", "class 2"]
    assert list(zip(*pairs, strict=True)) == list(product(("validation", "test"), names, names))
    assert counts == list("030020020" + "020010010")
