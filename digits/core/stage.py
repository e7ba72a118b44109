"""The frame of a stage's script: its arguments, its error lines, its exit status.

DVC records parameters and code as they are when a stage ends. So a stage notes both when it begins, and fails
where they were edited since: dvc.lock would say that they made what others made.
"""

import gc
import inspect
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NoReturn

from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping


@dataclass(frozen=True)
class _Begin:
    """What was true as the stage began: its process' parent, its part of params.yaml, the code it runs."""

    parent: int
    key: str
    params: Any
    code: dict[Path, bytes]

    @classmethod
    def now(cls, key: str) -> "_Begin":
        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in _OWN]
        files = [Path(file) for module in modules if (file := getattr(module, "__file__", None))]
        return cls(os.getppid(), key, _params(key), {file: _content(file) for file in files})


#: Where the project's own code is, in Python's words.
_OWN = ("__main__", "digits", "stages")
_begin: _Begin | None = None


def run(main: Callable[..., None], params: str = "") -> NoReturn:
    """Call a stage's ``main`` with the words of the command line, and end the process.

    ``params`` is the key of params.yaml that the stage goes by, as in dvc.yaml; ``{model}`` in it is the
    argument of that name.

    Errors that the user can fix (bad input, a full disk) end in one line each and exit status 1;
    anything else is a mistake in this project and keeps its traceback.
    """
    global _begin
    escape_unprintable()
    given = sys.argv[1:]
    wanted = [name for name in inspect.signature(main).parameters if name != "root"]
    try:
        if len(given) != len(wanted):
            raise InputError(
                "command line",
                found=f"{len(given)} arguments ({' '.join(given) or 'none'})",
                expected=", ".join(wanted) or "none",
                do="see the first line of the stage's script",
            )
        _begin = _Begin.now(params.format(**dict(zip(wanted, given, strict=True))))
        main(*given)
        gc.freeze()  # Python looks for garbage as it ends: a second for the objects of TensorFlow
    except (InputError, OSError) as error:
        lines = [f"error: {line}" for line in str(error).splitlines()]
        print(*lines, *_restore(), sep="\n", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", *_restore(), sep="\n", file=sys.stderr)
        sys.exit(130)
    sys.exit()


def check_unchanged() -> None:
    """To be called before outputs are put in their place, and from time to time while a stage works.

    Raises:
        InputError: the stage's parameters or code were edited since it began, or the DVC that waited for it
            was killed: a later run may have made the outputs anew.
    """
    if not _begin:
        return  # a test, or somebody's own script, has called a stage's main
    if "DVC_STAGE" in os.environ and os.getppid() != _begin.parent:
        found = "that DVC, which started it, was killed"
        raise InputError("this stage", found=found, expected="it to wait", do="run dvc repro again")
    edited = [os.path.relpath(file) for file, content in _begin.code.items() if _content(file) != content]
    if _params(_begin.key) != _begin.params:
        edited.append(f"params.yaml, {_begin.key}")
    if edited:
        found = "an edit while this stage ran"
        expected = "none before its end, when DVC records these files as they are then"
        do = "run dvc repro again, which takes the edit"
        raise InputError(", ".join(edited), found=found, expected=expected, do=do)


def _params(key: str) -> Any:
    """The value in params.yaml; None where there is none, which a stage says in its own words."""
    if not key:
        return None
    with suppress(InputError, OSError, KeyError, TypeError):
        return reduce(getitem, key.split("."), read_mapping(Path("params.yaml")))
    return None


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _restore() -> list[str]:
    """Where DVC runs the script: it has removed the stage's outputs before."""
    stage = os.environ.get("DVC_STAGE")
    command = f"dvc checkout --force {stage}"
    return [f"The outputs of the last good run are kept: {command} brings them back"] if stage else []


def escape_unprintable() -> None:
    """Let both streams escape what they can't encode, as in a C locale: it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
