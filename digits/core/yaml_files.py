"""YAML files read into pydantic models, with errors that name the file, the key and the value."""

import contextlib
import warnings
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

from digits.core.errors import InputError, excerpt


class Section(BaseModel):
    """A group of settings: every key known, every value of its type, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)

#: Settings and dvc.lock stay far below.
MOST_LEVELS, MOST_VALUES = 50, 100_000


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping at the top of a YAML file.

    Raises:
        InputError: the file is missing, is no YAML, or holds something else at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            path, found="no such file", expected="a YAML file", do="restore it: git checkout it"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            path,
            found=f"byte {error.start} that is no UTF-8",
            expected="UTF-8 text",
            do="save it as UTF-8",
        ) from None
    return parse_mapping(text, path)


def parse_mapping(text: str, where: object) -> dict[str, Any]:
    """The mapping at the top of a YAML text, which errors call ``where``.

    Raises:
        InputError: it is no YAML, nests or grows beyond all need, or holds something else at the top.
    """
    try:
        document = _parse(text)
    except MarkedYAMLError as error:
        row = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(
            f"{where}, line {row}", found=str(error.problem), expected="YAML", do="mend the line"
        ) from None
    except YAMLError as error:
        raise InputError(where, found=str(error), expected="YAML", do="mend the file") from None
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # of dates, numbers, tags, keys
        raise InputError(
            where,
            found=f"a value that isn't what its form or tag says ({error})",
            expected="YAML",
            do="mend the file",
        ) from None
    if not isinstance(document, dict):
        raise InputError(where, found=excerpt(document), expected="keys with values", do="mend the file")
    return document


def _parse(text: str) -> Any:
    """What DVC's parser reads: another would take 010 or 1e-3 for something else than dvc.lock records."""
    try:
        _check_extent(text)
        return YAML(typ="safe").load(text)
    except _TooMuch:
        raise
    except YAMLError:
        # Its parser in Python has better words for what is wrong, if it comes to the same.
        with warnings.catch_warnings(action="ignore"), contextlib.suppress(RecursionError):
            YAML(typ="safe", pure=True).load(text)
        raise


class _TooMuch(MarkedYAMLError):
    """YAML that is well formed, and that no program wants to read."""


def _check_extent(text: str) -> None:
    """Refuse what nests without end, which ends the parser in C and with it the process; and what grows.

    Aliases of aliases make gigabytes of a few lines, as soon as they are copied or printed.
    """
    values = 0  # as if each alias were written out
    within: list[tuple[str | None, int]] = []  # the anchors that are open, and the values before each
    sizes: dict[str | None, int] = {}
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, CollectionEndEvent):
            anchor, before = within.pop()
            sizes[anchor] = values - before
        elif isinstance(event, NodeEvent):
            problem = None
            if isinstance(event, CollectionStartEvent):
                within.append((event.anchor, values))
            elif isinstance(event, AliasEvent):
                if event.anchor in [anchor for anchor, _ in within]:
                    problem = f"a value that holds itself (*{event.anchor})"
                values += sizes.get(event.anchor, 0)
            values += 1
            if len(within) > MOST_LEVELS:
                problem = f"more than {MOST_LEVELS} levels of values within values"
            if values > MOST_VALUES:
                problem = f"more than {MOST_VALUES} values, aliases written out"
            if problem:
                raise _TooMuch(problem=problem, problem_mark=event.start_mark)


def validated(model: type[Model], value: object, *, path: Path, key: str = "") -> Model:
    """``value``, found in ``path`` under the dotted ``key``, as a ``model``.

    Raises:
        InputError: with a line for each key that is unknown, missing, of a wrong type or out of range.
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
            where = ".".join(str(part) for part in (key, *problem["loc"]) if part != "")
            found, expected = (
                excerpt(problem["input"]),
                problem["msg"].removeprefix("Value error, "),
            )
            match problem["type"]:
                case "extra_forbidden":
                    found, expected = "an unknown key", "only known ones"
                case "missing":
                    found, expected = "nothing", "a value"
                case "value_error":
                    found, _, expected = expected.partition(", expected ")
                case _:
                    expected = expected[0].lower() + expected[1:]
                    expected = expected.removeprefix("input should be ")
            place = f"{path}, {where}" if where else path
            lines.append(str(InputError(place, found=found, expected=expected, do="mend the value")))
        Exception.__init__(self, "\n".join(lines))
