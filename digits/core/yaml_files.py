"""YAML files read into pydantic models, with errors that name the file, the key and the value."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from digits.core.errors import InputError, excerpt


class Section(BaseModel):
    """A group of settings. Unknown keys and values of another type are errors; nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping at the top of a YAML file; an InputError if there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "no such file", "Restore it with git") from None
    return parse_mapping(content, path)


def parse_mapping(content: bytes, where: object) -> dict[str, Any]:
    """Return the mapping at the top of a YAML file's content; ``where`` is the file's name in errors."""
    try:
        # DVC's parser: another reads values such as 010 or 1e-3 differently, unlike dvc.lock.
        document = YAML(typ="safe").load(content)
    # For a wrong date, number, tag or key, ruamel.yaml raises Python's own exceptions.
    except (YAMLError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        refuse_conflict(content, where)
        mark = getattr(error, "problem_mark", None)
        where = f"{where}, line {mark.line + 1}" if mark else where
        reason = getattr(error, "problem", None) or error
        raise InputError(where, f"expected YAML: {reason}", "Fix the file") from None
    if not isinstance(document, dict):
        raise InputError(where, f"expected keys with values, found {excerpt(document)}", "Fix the file")
    return document


def refuse_conflict(content: bytes, where: object) -> None:
    """Raise an InputError if a merge left conflict markers in the file ``where``."""
    for number, line in enumerate(content.splitlines(), start=1):
        if line.startswith(b"<<<<<<< "):
            fix = f"Keep one side with `git checkout --ours {where}`, or --theirs"
            raise InputError(f"{where}, line {number}", "found conflict markers of a git merge", fix)


def validated(model: type[Model], value: object, *, path: Path, key: str = "") -> Model:
    """Check ``value``, which is in ``path`` under the dotted ``key``, and return it as a ``model``.

    The InputError has a line for each key that is unknown, missing, of a wrong type or out of range.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidKeys(path, key, error) from None


class InvalidKeys(InputError):
    """Keys of a YAML file that hold what they may not; one line for each."""

    def __init__(self, path: Path, key: str, error: ValidationError) -> None:
        lines = []
        for problem in error.errors(include_url=False):
            keys = ".".join(str(part) for part in (key, *problem["loc"]) if part != "")
            message = problem["msg"][0].lower() + problem["msg"][1:]
            expected = message.removeprefix("input should be ")
            sentence, fix = f"expected {expected}, found {excerpt(problem['input'])}", "Fix the value"
            if problem["type"] == "extra_forbidden":
                sentence, fix = "unknown key", "Correct its name, or remove it"
            elif problem["type"] == "missing":
                sentence, fix = "expected a value, found nothing", "Add the key"
            elif problem["type"] == "value_error":  # from this project's validators
                sentence = message.removeprefix("value error, ")
            lines.append(str(InputError(f"{path}, {keys}" if keys else path, sentence, fix)))
        Exception.__init__(self, "\n".join(lines))
