"""Where the lines and bars of the page's pictures stand. Colours, widths of lines and print are in the style sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

from frozenshop.backoffice.dashboard.weeks import Cell, Series

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 224, 60, 12, 28
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - 32, HEIGHT - TOP - BOTTOM
LINES = 5
SPARK_WIDTH, SPARK_HEIGHT = 120, 28


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    cell: Cell


@dataclass(frozen=True, slots=True)
class Line:
    """`number` chooses colour, dash and mark of the line in the style sheet; `path` is its d."""

    number: int
    label: str
    path: str
    dots: list[Dot]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class RateChart:
    """Shares over weeks."""

    lines: list[Line]
    across: list[Tick]
    upwards: list[Tick]

    width, height, left, right, bottom = WIDTH, HEIGHT, LEFT, LEFT + INNER_WIDTH, TOP + INNER_HEIGHT


@dataclass(frozen=True, slots=True)
class Spark:
    """Median and nine tenths of one series over the weeks, on one scale of hours."""

    median: str
    ninth: str

    width, height = SPARK_WIDTH, SPARK_HEIGHT


def rates(series: Sequence[Series]) -> RateChart | None:
    """Draw the share that kept its promise, of the largest series; None while there is nothing to draw."""
    drawn = [one for one in series if any(cell.share is not None for cell in one.weeks)][:LINES]
    if not drawn:
        return None
    lowest = min(cell.share for one in drawn for cell in one.weeks if cell.share is not None)
    floor = max(min(int(lowest * 10) / 10, 0.9), 0.0)
    cells, step = drawn[0].weeks, _step(len(drawn[0].weeks))
    lines = [_line(number, one, floor) for number, one in enumerate(drawn)]
    across = [
        Tick(_x(place, step), f"{cell.first:%m-%d}")
        for place, cell in enumerate(cells)
        if (len(cells) - place) % 3 == 1
    ]
    upwards = [Tick(_y(share, floor), f"{100 * share:.0f}%") for share in (floor, (1 + floor) / 2, 1.0)]
    return RateChart(lines, across, upwards)


def spark(series: Series, longest: float) -> Spark:
    """Draw how long parcels took, week by week; `longest` hours reach the top."""
    step = SPARK_WIDTH / max(len(series.weeks) - 1, 1)

    def path(values: Sequence[float | None]) -> str:
        points = [
            (place * step, SPARK_HEIGHT - 2 - value / longest * (SPARK_HEIGHT - 4)) if value is not None else None
            for place, value in enumerate(values)
        ]
        return _path(points)

    return Spark(path([cell.median for cell in series.weeks]), path([cell.ninth for cell in series.weeks]))


def longest(series: Sequence[Series]) -> float:
    """Return the most hours that any picture of these has to show."""
    return max((cell.ninth for one in series for cell in one.weeks if cell.ninth is not None), default=1.0)


def _line(number: int, series: Series, floor: float) -> Line:
    step = _step(len(series.weeks))
    dots = [
        Dot(_x(place, step), _y(cell.share, floor), cell)
        for place, cell in enumerate(series.weeks)
        if cell.share is not None
    ]
    points = [
        (_x(place, step), _y(cell.share, floor)) if cell.share is not None else None
        for place, cell in enumerate(series.weeks)
    ]
    return Line(number, series.label, _path(points), dots)


def _step(weeks: int) -> float:
    return INNER_WIDTH / max(weeks - 1, 1)


def _x(place: int, step: float) -> float:
    return round(LEFT + place * step, 1)


def _y(share: float, floor: float) -> float:
    return round(TOP + (1 - (share - floor) / (1 - floor)) * INNER_HEIGHT, 1)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Return a path through the points; where one is missing the line breaks off."""
    parts, pen_down = [], False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if pen_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        pen_down = point is not None
    return "".join(parts)
