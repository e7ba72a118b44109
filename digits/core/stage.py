"""The frame of a stage's script: its arguments, its error lines, its exit status.

DVC records parameters and code as they are when a stage ends. If somebody edited them meanwhile, dvc.lock
would record the edit for outputs that were made without it. So a stage reads both at its start, and fails if
they have changed since.
"""

import gc
import inspect
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NoReturn

from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping

#: Modules of the project's own code; __main__ is the stage's script.
_OWN = ("__main__", "digits", "stages")
#: The process that started this one: DVC, or the shell that DVC started.
_PARENT = os.getppid()
#: The content of each Python file, and the value of the key in params.yaml, when the stage started.
_at_start: dict[str, Any] = {}

# Jupyter hands its own backend on to all that a cell starts; Matplotlib refuses one that isn't installed.
os.environ["MPLBACKEND"] = "agg"


def run(main: Callable[..., None], params: str = "") -> NoReturn:
    """Call a stage's ``main`` with the words of the command line, and end the process.

    ``params`` is the key of params.yaml that the stage depends on, as in dvc.yaml; ``{model}`` in it stands
    for the argument ``model``. Errors that the user can fix (bad input, a full disk) end in one line each and
    exit status 1; anything else is a mistake in this project and keeps its traceback.
    """
    escape_unprintable()
    stage, given = os.environ.get("DVC_STAGE"), sys.argv[1:]
    wanted = [name for name in inspect.signature(main).parameters if name != "root"]
    try:
        if len(given) != len(wanted):
            problem = f"expected {', '.join(wanted) or 'no argument'}; found {len(given)} arguments"
            raise InputError("command line", problem, "See the first line of the stage's script")
        own = [module for name, module in sys.modules.items() if name.split(".")[0] in _OWN]
        files = [file for module in own if (file := getattr(module, "__file__", None))]
        keys = [params.format(**dict(zip(wanted, given, strict=True)))] if params else []
        _at_start.update({name: _current_value(name) for name in [*files, *keys]})
        main(*given)
        gc.freeze()  # at exit, Python would look for garbage among TensorFlow's objects for a second
        sys.exit()
    except (InputError, OSError) as error:
        print(*(f"error: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        status = 130
    if stage:
        back = f"dvc checkout --force {stage} brings them back"
        print(f"DVC deleted this stage's old outputs. If its cache has them, {back}", file=sys.stderr)
    sys.exit(status)


def check_unchanged() -> None:
    """Raise an InputError if the stage's parameters or code were edited, or the DVC that runs it was killed.

    Call this before outputs are put in their place, and from time to time during a long stage.
    """
    if not _at_start:
        return  # a test, or somebody's own script, has called a stage's main
    if "DVC_STAGE" in os.environ and os.getppid() != _PARENT:
        raise InputError("this stage", "DVC, which started it, was killed", "Run `dvc repro` again")
    edited = [name for name, value in _at_start.items() if _current_value(name) != value]
    if edited:
        names = (os.path.relpath(name) if name.endswith(".py") else f"params.yaml, {name}" for name in edited)
        problem = "edited while this stage ran, which DVC would record as if it had run with the edit"
        raise InputError(", ".join(names), problem, "Run `dvc repro` again")


def _current_value(name: str) -> Any:
    """Return the content of a Python file, or the value of a key in params.yaml; None if there is none."""
    with suppress(InputError, OSError, KeyError, TypeError):
        if name.endswith(".py"):
            return Path(name).read_bytes()
        return reduce(getitem, name.split("."), read_mapping(Path("params.yaml")))
    return None


def escape_unprintable() -> None:
    """Let stdout and stderr escape characters that they can't encode (in a C locale), instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
