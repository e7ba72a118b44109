"""A folder as a finished run leaves it: tiny data, two models, dvc.lock; git and DVC for repositories."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from digits.core.examples import Examples
from digits.train.framing import measure_framing
from stages import evaluate, plot, train
from tests import tiny
from tests.conftest import REPOSITORY

SPLITS = {"train": 60, "validation": 40, "test": 30}
ENTRY = {"title": "Tiny", "homepage": "https://example.org", "licence": "CC0"}
DVC_YAML = "vars:\n  - models: [{models}]\n"
#: Enough for answers that differ from image to image.
LEARNING: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.005, "steps": 60, "snapshots": [2, 60]}
#: git needs names and addresses; one text serves as all of them.
IDENTITY = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def finished(
    root: Path,
    *,
    size: tuple[int, int] = (8, 8),
    pixel_maximum: int = 16,
    class_names: tuple[str, ...] = ("0", "1", "2"),
    entry: dict[str, str] | None = None,
    **recipes: dict[str, Any],
) -> Path:
    """Write what a finished run writes, except data/raw and plots/data, into ``root``, and return ``root``.

    Args:
        root: an empty folder.
        size: of the images.
        pixel_maximum: the value of full ink.
        class_names: in the order of the labels.
        entry: what source.yaml says of the data source, beside its files.
        recipes: changes to a tiny recipe, by model; without any, a linear one and a dnn.
    """
    recipes = recipes or {"linear": {}, "dnn": {"hidden_units": [16, 8], "dropout": 0.2}}
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["train"] = {
        name: tiny.recipe(**(LEARNING | changes)).model_dump(exclude_defaults=True)
        for name, changes in recipes.items()
    }
    params["data"]["source"] = "tiny"
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for seed, (split, rows) in enumerate(SPLITS.items()):
        plain = tiny.examples(
            rows, classes=len(class_names), size=size, pixel_maximum=pixel_maximum, seed=seed
        )
        # Ink in pixels of the class's own, which can be learnt; none in every fifth image, for some mistakes.
        plain.images[:] //= 2
        for row, label in enumerate(plain.labels.tolist()):
            if row % 5:
                plain.images[row].flat[label :: len(class_names)] = pixel_maximum
        labelled = Examples(plain.images, plain.labels, pixel_maximum, class_names)
        labelled.save(root / f"data/splits/{split}.npz")
    measure_framing(Examples.load(root / "data/splits/train.npz")).save(root / "data/splits/input.json")
    source = root / "data/sources/tiny/source.yaml"
    source.parent.mkdir(parents=True)
    described = tiny.csv_source(Examples.load(root / "data/splits/train.npz")).model_dump(exclude_unset=True)
    source.write_text(yaml.safe_dump(described | (entry or ENTRY)))
    (root / "dvc.yaml").write_text(DVC_YAML.format(models=", ".join(recipes)))
    (root / "metrics").mkdir()
    (root / "metrics/data.json").write_text(json.dumps(SPLITS))
    (root / "metrics/environment.json").write_text(
        '{"python": {"version": "3.11"}, "flags": ["avx2", "fma"]}'
    )

    for name in recipes:
        train.main(name, root)
        evaluate.main(name, root)
        plot.main(name, root)
    write_lock(root, params["train"])
    return root


def write_lock(root: Path, recipes: dict[str, Any]) -> None:
    """Write a dvc.lock for the files as they are."""

    def files(*paths: str) -> list[dict[str, str]]:
        return [
            {"path": path, "md5": hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()}
            for path in paths
        ]

    def folder(path: str) -> list[dict[str, str]]:
        return [{"path": path, "md5": "0.dir"}]

    stages: dict[str, Any] = {
        "split": {
            "params": {"params.yaml": {"data": {"source": "tiny", "rows": 100}}},
            "outs": [*folder("data/splits"), *files("metrics/data.json")],
        }
    }
    splits = {name: f"data/splits/{name}.npz" for name in SPLITS}
    for name, recipe in recipes.items():
        stages[f"train@{name}"] = {
            "deps": files(splits["train"], splits["validation"]),
            "params": {"params.yaml": {f"train.{name}": recipe}},
            "outs": folder(f"models/{name}"),
        }
        stages[f"evaluate@{name}"] = {
            "deps": files(splits["validation"], splits["test"], f"models/{name}/model.tflite"),
            "outs": [*folder(f"predictions/{name}"), *files(f"metrics/{name}.json")],
        }
        stages[f"plot@{name}"] = {"outs": [*folder(f"plots/{name}"), *folder(f"tables/{name}")]}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))


def git(root: Path, *words: str) -> str:
    dates = {f"GIT_{who}_DATE": "1000000000 +0000" for who in ("AUTHOR", "COMMITTER")}
    environment = os.environ | IDENTITY | dates
    return subprocess.check_output(
        ["git", *words], cwd=root, env=environment, stderr=subprocess.PIPE, text=True
    ).strip()


def dvc(root: Path, *words: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], cwd=root, env=environment, check=True)


def commit(root: Path, message: str) -> None:
    """Commit all files of the folder; make it a git repository if it is none."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet")
        (root / ".gitignore").write_text("/data/splits\n/models\n/plots\n/predictions\n/report\n/tables\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
