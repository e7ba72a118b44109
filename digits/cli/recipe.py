"""Put a named recipe of recipes/ into params.yaml: digits recipe"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.events import AliasEvent

from digits.cli.flattening import flat
from digits.cli.output import show
from digits.core.errors import InputError
from digits.core.files import replacing
from digits.core.params import FILE, Params, load_params
from digits.core.yaml_files import read_mapping, validated

FOLDER = Path("recipes")
#: The recipe that all others extend: all of params.yaml, with its comments.
COMPLETE = "course"


def main(name: str | None, *, root: Path = Path()) -> int:
    """Put the recipe ``name`` into params.yaml and say what changed; without a name, list them all; 0.

    What comes out depends on the recipe alone, but for ``data.source`` and models of the user's own,
    which stay as they are.

    Raises:
        InputError: there is no such recipe, or a setting of it is wrong; params.yaml is left as it was.
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


def read_recipe(name: str, root: Path, *, within: tuple[str, ...] = ()) -> Any:
    """All of params.yaml as the recipe has it: what it extends, with its own settings put in.

    Args:
        name: of the recipe.
        root: where recipes/ is.
        within: the recipes that extend this one.

    Raises:
        InputError: there is no such recipe, it extends itself, or a file is no mapping.
    """
    path = root / FOLDER / f"{name}.yaml"
    known = sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))
    if name not in known:
        raise InputError(
            f"recipe {name}", found="no such recipe", expected=f"one of {', '.join(known)}", do="name another"
        )
    settings = read_mapping(path)
    if name == COMPLETE:
        return _load(path)
    base = settings.pop("extends", COMPLETE)
    if base in (name, *within):
        raise InputError(path, found=f"extends: {base}", expected="another recipe", do="change it")
    document = read_recipe(base, root, within=(name, *within))
    put(settings, document)
    return document


def put(settings: Mapping[str, Any], section: CommentedMap) -> None:
    """Change the settings in a section of params.yaml, where their comments stay; add those that lack."""
    for key, value in settings.items():
        if key not in section:
            # The blank line behind a section belongs to its last key, which stays the last.
            value = CommentedMap(value) if isinstance(value, Mapping) else _flow(value)
            section.insert(max(len(section) - 1, 0), key, value)
        elif isinstance(value, Mapping) and isinstance(section[key], Mapping):
            put(value, section[key])
        elif isinstance(value, list) and isinstance(section[key], list):
            section[key][:] = value  # stays on its line, with its comment
        else:
            section[key] = _flow(value)


def _flow(value: Any) -> Any:
    """A list on one line."""
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


def read_params(root: Path) -> Any:
    """params.yaml with its comments, to be changed and written anew."""
    return _load(root / FILE)


def _load(path: Path) -> Any:
    """Return a YAML file with its comments; an InputError if it has an alias: two places would change."""
    text = path.read_text(encoding="utf-8")
    for event in _yaml().parse(text):
        if isinstance(event, AliasEvent):
            raise InputError(
                f"{path.name}, line {event.start_mark.line + 1}",
                found=f"the alias *{event.anchor}",
                expected="values that no other section shares",
                do="write them out here",
            )
    return _yaml().load(text)


def write_and_show(document: Any, root: Path, *, title: str | None = None) -> None:
    """Write params.yaml as DVC writes it, with another first line if ``title`` is given; say what changed."""
    current = read_mapping(root / FILE)
    with replacing(root / FILE) as partial:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            _yaml().dump(document, file)
        if title:
            _, _, rest = partial.read_text(encoding="utf-8").partition("\n")
            partial.write_text(f"{title}\n{rest}", encoding="utf-8", newline="\n")
    for line in changes(flat(current), flat(read_mapping(root / FILE))) or ["nothing to change"]:
        show(f"params.yaml: {line}")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each key that differs."""
    return [
        f"{key} {_words(before, key)} → {_words(after, key)}"
        for key in dict.fromkeys([*before, *after])
        if _words(before, key) != _words(after, key)
    ]


def _words(settings: Mapping[str, Any], key: str) -> str:
    if key not in settings:
        return "(off)"
    return "null" if settings[key] is None else str(settings[key])


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0]


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
