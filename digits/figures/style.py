"""The style that all figures share, and how they are written."""

import zlib
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from textwrap import fill
from typing import Any, ParamSpec

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from digits.core.files import replacing

# Blue and orange of Okabe and Ito (2008): colour-blind readers can tell them apart.
# In grey print, the line styles differ.
TRAIN, VALIDATION = "#0072B2", "#D55E00"
INK_COLORMAP = "gray_r"  # ink is dark, as on paper
SIGNED = "PuOr"  # weights: both ends and the middle differ for colour-blind readers
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "figure.dpi": 150,  # sharp on dense screens, on which pictures are shown at half their size
    "axes.titlesize": 13,
    "text.parse_math": False,  # a class may be named $
    "text.hinting": "none",  # at this size letters look alike with and without, which is faster
    "axes.spines.top": False,
    "axes.spines.right": False,
}
TITLE_WIDTH = 7.0  # inches that the title over a grid of few pictures needs
LINE = 0.15  # inches, the height of a line of a caption
EDGE = 0.1  # inches around pictures
TITLE = 0.7  # inches over pictures, for a title
SCALE = 1.1  # inches to the right of pictures, for a colour bar

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """``draw`` with this project's style, whatever the user's own Matplotlib settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return styled


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without Matplotlib's version in it, so that it depends on the picture alone."""
    with replacing(path) as partial, style.context(["default", STYLE]):
        # Not savefig, which draws a figure with a layout twice. Run-length encoding takes 60 % of the time
        # of the default compression, and files with large pixels become smaller.
        FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]
            partial, metadata={"Software": None}, pil_kwargs={"compress_type": zlib.Z_RLE}
        )


def subplots(width: float, height: float, rows: int = 1) -> tuple[Figure, Any]:
    """Return a figure of ``width`` × ``height`` inches with room for every label, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows)


def name_ticks(names: Sequence[str]) -> dict[str, Any]:
    """Arguments of ``set_xticks``: a name for each of 0, 1, …, slanted where they would be too wide."""
    wide = max(map(len, names)) > max(3, 40 // len(names))
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right"} if wide else {}
    return {"ticks": range(len(names)), "labels": names, **slanted}


def wrap(texts: Sequence[str], width: int) -> list[str]:
    """The texts with lines of at most ``width`` characters."""
    return ["\n".join(fill(line, width) for line in text.splitlines()) for text in texts]


def line_count(texts: Sequence[str]) -> int:
    """The number of lines of the longest text."""
    return max(text.count("\n") + 1 for text in texts)
