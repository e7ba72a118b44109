"""Line charts as numbers: where each mark lies, for a template to draw as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 70, 22, 12, 40


@dataclass(frozen=True)
class Tick:
    """A line of the grid: its place in the drawing, and what is written beside it."""

    at: float
    label: str


@dataclass(frozen=True)
class Point:
    """A mark: its place in the drawing, and what it stands for, in words."""

    x: float
    y: float
    says: str


@dataclass(frozen=True)
class Bar:
    """A rectangle on the horizontal axis."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Line:
    """A named row of marks."""

    name: str
    points: list[Point]

    @property
    def path(self) -> str:
        return " ".join(f"{point.x:g},{point.y:g}" for point in self.points)


@dataclass(frozen=True)
class Chart:
    """A drawing of :data:`WIDTH` × :data:`HEIGHT`, in its own units."""

    title: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    bars: list[Bar]
    diagonal: bool = False


class _Scale:
    """From values to places: ``low`` lies at ``start``, ``high`` at ``end``."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self) -> list[Tick]:
        """At most six round values: 1, 2 or 5 of some power of ten apart."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(rough))
        step = next(
            round_one * power for round_one in (1, 2, 5, 10) if round_one * power >= rough * (1 - 1e-9)
        )
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [Tick(self(number * step), f"{number * step:.6g}") for number in range(first, last + 1)]


def curves(
    title: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_label: str,
    y_label: str,
    from_zero: bool,
    most: float | None = None,
) -> Chart:
    """Lines over steps.

    Args:
        title: over the chart.
        series: x and y values by the lines' names, at least one of each.
        x_label: with the unit.
        y_label: the same.
        from_zero: whether the vertical axis begins at zero; it ends above the highest value.
        most: what no value can be more than: the axis has no higher number.
    """
    xs = [x for values, _ in series.values() for x in values]
    ys = [y for _, values in series.values() for y in values]
    low, high = (0.0 if from_zero else min(ys)), max(ys)
    room = (high - low or abs(high) or 1.0) * 0.05
    across = _Scale(0, max(xs) or 1, LEFT, WIDTH - RIGHT)
    up = _Scale(low if from_zero else low - room, high + room, HEIGHT - BOTTOM, TOP)
    lines = [
        Line(
            name,
            [
                Point(across(x), up(y), f"{name}, {x_label} {x:g}: {y:.4f}")
                for x, y in zip(*values, strict=True)
            ],
        )
        for name, values in series.items()
    ]
    ticks = [tick for tick in up.ticks() if most is None or tick.at >= up(most)]
    return Chart(title, x_label, y_label, across.ticks(), ticks, lines, [])


def reliability(title: str, bins: Sequence[tuple[float, float, int, float, float]]) -> Chart:
    """How often answers are right by their confidence, over the share of answers in each bin.

    Args:
        title: over the chart.
        bins: low, high, answers, mean confidence and accuracy of each.
    """
    across, up = _Scale(0, 1, LEFT, WIDTH - RIGHT), _Scale(0, 1, HEIGHT - BOTTOM, TOP)
    total = sum(answers for _, _, answers, _, _ in bins)
    points = [
        Point(
            across(confidence),
            up(right),
            f"{answers} answers of {confidence:.0%} confidence: {right:.1%} right",
        )
        for _, _, answers, confidence, right in bins
    ]
    bars = [
        Bar(
            across(low),
            up(answers / total),
            round(across(high) - across(low), 1),
            round(up(0) - up(answers / total), 1),
            f"{answers / total:.1%} of the answers have a confidence of {low:.0%} to {high:.0%}",
        )
        for low, high, answers, _, _ in bins
    ]
    return Chart(
        title,
        "confidence",
        "share that is right",
        across.ticks(),
        up.ticks(),
        [Line("answers", points)],
        bars,
        True,
    )
