"""Run a stage from the command line."""

import atexit
import contextlib
import gc
import inspect
import io
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from digits.errors import InputError


def run(main: Callable[..., None]) -> NoReturn:
    """Call a stage's ``main`` with the words of the command line.

    What a person can mend (bad input, a full disk) ends in one line and exit status 1; whatever
    else goes wrong is a mistake in this project and keeps its traceback. In either case the outputs of
    the last good run come back.
    """
    spare_letters()
    gc.freeze()  # what was imported stays: looking through it for garbage takes time
    given = sys.argv[1:]
    wanted = [name for name in inspect.signature(main).parameters if name != "root"]
    try:
        if len(given) != len(wanted):
            raise InputError(
                "command line",
                found=f"{len(given)} arguments ({' '.join(given) or 'none'})",
                expected=", ".join(wanted) or "none",
                do="see the stage's first line",
            )
        main(*given)
        if sys.stdout:  # there is none where a shell has closed it
            sys.stdout.flush()
    except (InputError, OSError) as error:
        _end("\n".join(f"error: {line}" for line in str(error).splitlines()), 1)
    except KeyboardInterrupt:
        _end("", 130)
    except BaseException:
        _end(traceback.format_exc().rstrip(), 1)
    _end("", 0)


def spare_letters() -> None:
    """Let both streams escape what they can't encode, as in a C locale: it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end(message: str, status: int) -> NoReturn:
    """End the process without taking apart, object by object, what TensorFlow and Matplotlib made."""
    for stream, last in ((sys.stdout, ""), (sys.stderr, f"{message}\n" if message else "")):
        if stream:
            with contextlib.suppress(OSError):  # nobody listens any more
                stream.write(last)
                stream.flush()
    atexit._run_exitfuncs()  # which remove temporary files
    if status:
        _bring_back()
    os._exit(status)


def _bring_back() -> None:
    """The outputs that dvc.lock records of this stage: DVC removed them before it ran, unless they persist.

    Quietly, and as far as it goes: where there was no good run yet, there is nothing to bring back.
    """
    if stage := os.environ.get("DVC_STAGE"):  # DVC runs it, nobody by hand
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "checkout", "--allow-missing", stage]
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
