"""Named trainings: recipes/<name>.yaml put into params.yaml, whose comments and other settings stay."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from digits.errors import InputError
from digits.files import replacing
from digits.recipe import Recipe
from digits.typed_yaml import read_mapping, validated
from stages.params import load_params

FOLDER = Path("recipes")


def main(name: str | None, *, root: Path = Path()) -> int:
    """Put the recipe ``name`` into params.yaml and say what changed; without a name, list them all; 0.

    Raises:
        InputError: there is no such recipe, or a setting of it is wrong; params.yaml is left as it was.
    """
    found = {path.stem: path for path in sorted((root / FOLDER).glob("*.yaml"))}
    if name is None:
        for known, path in found.items():
            print(f"{known}: {path.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}")
        return 0
    if name not in found:
        raise InputError(
            f"recipe {name}", found="no such recipe", expected=f"one of {', '.join(found)}", do="name another"
        )
    load_params(root)  # what is wrong already is not this recipe's doing
    recipes = read_mapping(found[name])
    for model, recipe in recipes.items():
        validated(Recipe, recipe, path=FOLDER / found[name].name, key=str(model))
    for line in _put(recipes, root / "params.yaml") or ["nothing to change"]:
        print(f"params.yaml: {line}")
    return 0


def _put(recipes: dict[str, Any], path: Path) -> list[str]:
    """Write the recipes' settings into the file, where they differ; what was changed, in words."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    null = "tag:yaml.org,2002:null"  # written out, not left empty
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar(null, "null"))
    document = yaml.load(path.read_text(encoding="utf-8"))
    changed: list[str] = []
    for model, recipe in recipes.items():
        if model not in document["train"]:
            raise InputError(
                f"recipe for {model}",
                found="no such model in params.yaml",
                expected=f"one of {', '.join(document['train'])}",
                do="add a section, or remove it from the recipe",
            )
        _update(document["train"][model], recipe, f"train.{model}", changed)
    if changed:
        with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            yaml.dump(document, file)
    return changed


def _update(section: Any, values: dict[str, Any], key: str, changed: list[str]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _update(section[name], value, f"{key}.{name}", changed)
        elif section[name] != value:
            changed.append(f"{key}.{name} {_words(section[name])} → {_words(value)}")
            if isinstance(value, list):
                section[name].clear()
                section[name].extend(value)  # stays on its line, with its comment
            else:
                section[name] = value


def _words(value: Any) -> str:
    return "null" if value is None else str(value)
