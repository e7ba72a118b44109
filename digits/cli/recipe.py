"""Put a named recipe of recipes/ into params.yaml: digits recipe"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.events import AliasEvent

from digits.cli.flattening import differing, flat
from digits.cli.output import show, words
from digits.core.errors import InputError
from digits.core.files import replacing
from digits.core.params import FILE, Params, load_params
from digits.core.yaml_files import read_mapping, validated

FOLDER = Path("recipes")
#: The recipe that all others extend: all of params.yaml, with its comments.
COMPLETE = "course"


def main(name: str | None, *, root: Path = Path()) -> int:
    """Put the recipe ``name`` into params.yaml and say what changed; without a name, list them all; return 0.

    ``data.source`` and models that the recipe lacks are kept; all other values come from the recipe.
    """
    if name is None:
        for path in sorted((root / FOLDER).glob("*.yaml")):
            show(_first_line(path).removeprefix("# Recipe "))
        return 0
    document = read_recipe(name, root)
    validated(Params, document, path=FOLDER / f"{name}.yaml")
    document["data"]["source"] = load_params(root).data.source
    for model, section in read_params(root)["train"].items():
        document["train"].setdefault(model, section)
    write_and_show(document, root, title=_first_line(root / FOLDER / f"{name}.yaml"))
    return 0


def read_recipe(name: str, root: Path) -> Any:
    """Return a complete params.yaml: the recipe that this one extends, changed by its own settings."""
    path = root / FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in path.parent.glob("*.yaml")))
        raise InputError(path, "no such recipe", f"Name one of {known}")
    if name == COMPLETE:
        return _load(path)
    settings = read_mapping(path)
    document = read_recipe(settings.pop("extends", COMPLETE), root)
    put(settings, document)
    return document


def put(settings: Mapping[str, Any], section: CommentedMap) -> None:
    """Set values in a section of params.yaml and keep the comments; add keys that are missing."""
    for key, value in settings.items():
        if key not in section:
            # ruamel.yaml keeps the blank line after a section with its last key, so a new key goes before
            # that one.
            section.insert(max(len(section) - 1, 0), key, value)
        elif isinstance(value, Mapping) and isinstance(section[key], Mapping):
            put(value, section[key])
        elif isinstance(value, list) and isinstance(section[key], list):
            section[key][:] = value  # stays on its line, with its comment
        else:
            section[key] = value


def read_params(root: Path) -> Any:
    """Return params.yaml with its comments, to be changed and written back."""
    return _load(root / FILE)


def _load(path: Path) -> Any:
    """Return a YAML file with its comments; an InputError if an alias repeats a value: both would change."""
    text = path.read_text(encoding="utf-8")
    for event in YAML().parse(text):
        if isinstance(event, AliasEvent):
            where = f"{path.name}, line {event.start_mark.line + 1}"
            problem = f"found the alias *{event.anchor}, expected values"
            raise InputError(where, problem, "Write the values out here")
    return YAML().load(text)


def write_and_show(document: Any, root: Path, *, title: str | None = None) -> None:
    """Write params.yaml as DVC writes it, with another first line if ``title`` is given; say what changed."""
    before, text = flat(read_mapping(root / FILE)), io.StringIO()
    YAML().dump(document, text)
    first, _, rest = text.getvalue().partition("\n")
    with replacing(root / FILE) as partial:
        partial.write_text(f"{title or first}\n{rest}", encoding="utf-8", newline="\n")
    for line in changes(before, flat(read_mapping(root / FILE))) or ["nothing to change"]:
        show(f"params.yaml: {line}")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return a line for each key that differs."""
    return [f"{key} {words(old)} → {words(new)}" for key, (old, new) in differing(before, after).items()]


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0]
