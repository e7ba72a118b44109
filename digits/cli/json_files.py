"""Read the files of a finished run, with errors that name them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from digits.core.errors import InputError
from digits.core.yaml_files import refuse_conflict

T = TypeVar("T")


def read_json(root: Path, name: str, convert: Callable[[Any], T]) -> T:
    """Return what ``convert`` makes of a JSON file; an InputError if it is missing or damaged."""
    try:
        content = (root / name).read_bytes()
    except FileNotFoundError:
        raise InputError(name, "no such file, expected the results of a run", "Run `make run`") from None
    return parsed(content, name, lambda content: convert(json.loads(content)))


def parsed(content: bytes, where: str, parse: Callable[[bytes], T]) -> T:
    """Return what ``parse`` makes of a file's content; an InputError if the file ``where`` is damaged."""
    try:
        return parse(content)
    except (AttributeError, KeyError, TypeError, ValueError):
        refuse_conflict(content, where)
        old = " at " in where  # a file of a revision, as digits compare names it
        fix = "Compare newer commits" if old else "Restore it with git, or run `dvc repro`"
        raise InputError(where, "damaged, or written by an older version", fix) from None
