"""Nothing before the evaluation depends on the test labels: shuffled, they change no byte of it."""

import shutil
from pathlib import Path

import numpy as np
import yaml

from digits.core.examples import Examples
from stages import download, evaluate, explore, split, train
from tests import tiny
from tests.conftest import REPOSITORY


def run(root: Path, test: Examples) -> dict[str, bytes]:
    """Every stage up to the evaluation on data with these test examples; all files, by path."""
    learnt = tiny.examples(80, size=(8, 8), seed=1)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"] |= {"source": "tiny", "test_fraction": 0.5}
    params["train"] = {
        "linear": tiny.recipe(snapshots=[6]).model_dump(exclude_defaults=True),
        "dnn": tiny.recipe(
            hidden_units=[6],
            normalization="batch",
            optimizer="adamw",
            averaging=0.9,
            augmentation={"rotation": 10.0, "elastic": 0.5},
        ).model_dump(exclude_defaults=True),
    }
    files = {"train": learnt, "test": test}
    entry = {
        "title": "Tiny",
        "format": "csv",
        "height": 8,
        "width": 8,
        "pixel_maximum": 16,
        "class_names": list(learnt.class_names),
        "files": {name: {"urls": [f"{name}.csv"]} for name in files},
    }
    folder = root / "data/sources/tiny"
    folder.mkdir(parents=True)
    for name, examples in files.items():
        (folder / f"{name}.csv").write_bytes(tiny.csv_bytes(examples))
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "source.yaml").write_text(yaml.safe_dump(entry))
    download.main(root)
    split.main(root)
    explore.main(root)
    for model in ("linear", "dnn"):
        train.main(model, root)
        evaluate.main(model, root)
    made = ("data/splits", "plots", "tables", "models", "metrics", "predictions")
    found = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in made
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
    shutil.rmtree(root)  # the next run is in the same place: no path can make a difference
    return found


def test_shuffled_test_labels_change_nothing_before_the_evaluation(tmp_path: Path) -> None:
    test = tiny.examples(40, size=(8, 8), seed=2)
    shuffled = np.random.default_rng(0).permutation(test.labels)
    assert (shuffled != test.labels).any()
    plain = run(tmp_path / "root", test)
    other = run(tmp_path / "root", Examples(test.images, shuffled, test.pixel_maximum, test.class_names))
    assert plain.keys() == other.keys()
    assert len(plain) > 30
    changed = {path for path in plain if plain[path] != other[path]}
    evaluated = {path for path in plain if path.startswith(("predictions/", "metrics/"))}
    assert changed <= evaluated | {"data/splits/test.npz"}
    assert {f"metrics/{model}.json" for model in ("linear", "dnn")} <= changed
    assert "data/splits/test.npz" in changed
