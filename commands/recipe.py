"""Named settings: recipes/<name>.yaml put into params.yaml, whose comments and other settings stay."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from commands.output import show
from digits.errors import InputError, excerpt
from digits.files import replacing
from digits.typed_yaml import read_mapping, validated
from stages.params import Params, load_params

FOLDER = Path("recipes")


def main(name: str | None, *, root: Path = Path()) -> int:
    """Put the recipe ``name`` into params.yaml and say what changed; without a name, list them all; 0.

    Raises:
        InputError: there is no such recipe, or a setting of it is wrong; params.yaml is left as it was.
    """
    found = {path.stem: path for path in sorted((root / FOLDER).glob("*.yaml"))}
    if name is None:
        for known, path in found.items():
            show(f"{known}: {path.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}")
        return 0
    if name not in found:
        raise InputError(
            f"recipe {name}", found="no such recipe", expected=f"one of {', '.join(found)}", do="name another"
        )
    recipe = read_mapping(found[name])
    check(recipe, load_params(root), FOLDER / found[name].name)
    for line in put(recipe, root / "params.yaml") or ["nothing to change"]:
        show(f"params.yaml: {line}")
    return 0


def check(recipe: dict[str, Any], params: Params, path: Path) -> Params:
    """What ``params`` become with the recipe: whole sections of ``train``, any keys of ``data``.

    Raises:
        InputError: something in it is unknown, missing or out of range.
    """
    settings = params.model_dump()
    known = {"data": settings["data"], "train": settings["train"]}
    for section, values in recipe.items():
        if section not in known or not isinstance(values, dict):
            raise InputError(
                path,
                found=f"{section}: {excerpt(values)}",
                expected="data: and train:, with keys",
                do="mend it",
            )
        if section == "train" and (models := values.keys() - known["train"].keys()):
            raise InputError(
                f"{path}, train",
                found=f"{min(map(str, models))}, which params.yaml lacks",
                expected=f"one of {', '.join(known['train'])}",
                do="add a section to params.yaml, or remove it from the recipe",
            )
        known[section].update(values)
    return validated(Params, settings, path=path)


def put(recipe: dict[str, Any], path: Path) -> list[str]:
    """Write the recipe's settings into the file, where they differ; what was changed, in words."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    null = "tag:yaml.org,2002:null"  # written out, not left empty
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar(null, "null"))
    document = yaml.load(path.read_text(encoding="utf-8"))
    changed: list[str] = []
    for section, values in recipe.items():
        _update(document[section], values, section, changed)
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
