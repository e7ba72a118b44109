"""Import large libraries in half the time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lean_import(*optional: str) -> Iterator[None]:
    """While the block runs, importing one of these packages fails, unless it was imported before.

    A large library imports such packages where they are installed, and works without. Nothing that an
    import makes is garbage: none is looked for meanwhile, nor among these objects later.
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
