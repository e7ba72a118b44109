"""Import large libraries in half the time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_without(*optional: str) -> Iterator[None]:
    """While the block runs, hide the ``optional`` packages that aren't imported yet: their import fails.

    A large library imports such packages if they are installed, but loads faster without them. Python doesn't
    look for garbage during the block, nor later among what was imported, since that stays until the end.
    """
    hidden = {name: None for name in optional if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None stands for "not there"
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        for name in hidden:
            del sys.modules[name]
