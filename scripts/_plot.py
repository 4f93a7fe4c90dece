"""Profit over spot as a picture: characters for a terminal, SVG for a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from rich.text import Text

from ballast.risk.explain import Point, State
from ballast.units import from_wad

WIDTH, HEIGHT, EDGE = 800, 400, 70
ROWS = 17
_COLOURS = {
    State.OPEN: "#2a7a4b",
    State.REDUCE_ONLY: "#b58900",
    State.MARGIN_CALL: "#b58900",
    State.LIQUIDATION: "#b3261e",
    State.BANKRUPT: "#b3261e",
}

Scale = Callable[[int], float]
Place = tuple[float, float]


def as_text(points: Sequence[Point]) -> Text:
    """Rows of characters: green where the account is open, yellow where not, red below MM."""
    least, most = _bounds(points)
    rows = [round((point.profit - least) * (ROWS - 1) / (most - least)) for point in points]
    zero = round(-least * (ROWS - 1) / (most - least))
    labels = {0: least, zero: 0, ROWS - 1: most}
    text = Text()
    for row in reversed(range(ROWS)):
        text.append(f"{_number(labels[row]) if row in labels else '':>14} ┤", style="dim")
        for point, height in zip(points, rows, strict=True):
            mark = "●" if height == row else "─" if row == zero else " "
            text.append(mark, style=_COLOURS[State.of(point.margin)] if mark == "●" else "dim")
        text.append("\n")
    first, last = _number(points[0].spot), _number(points[-1].spot)
    text.append(f"{first:>16}{last:>{max(1, len(points) - 1)}}", style="dim")
    return text


def as_svg(points: Sequence[Point], spot: int, title: str) -> str:
    """A curve with its axes; the colour is the state of the account there."""
    least, most = _bounds(points)
    across = _scale(points[0].spot, points[-1].spot, EDGE, WIDTH - EDGE)
    up = _scale(least, most, HEIGHT - EDGE, EDGE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="{EDGE / 2}" text-anchor="middle">{escape(title)}</text>',
        _line((EDGE, up(0)), (WIDTH - EDGE, up(0)), "#999"),
        _line((across(spot), EDGE), (across(spot), HEIGHT - EDGE), "#999"),
        *(_label(EDGE - 5, up(value), "end", value) for value in sorted({least, 0, most})),
        *(
            _label(across(value), HEIGHT - EDGE / 2, "middle", value)
            for value in (points[0].spot, spot, points[-1].spot)
        ),
    ]
    for one, next_ in pairwise(points):
        start, end = ((across(point.spot), up(point.profit)) for point in (one, next_))
        parts.append(_line(start, end, _COLOURS[State.of(next_.margin)], 2))
    return "\n".join([*parts, "</svg>", ""])


def _bounds(points: Sequence[Point]) -> tuple[int, int]:
    """Least and greatest profit, zero among them, never the same."""
    profits = [0, *(point.profit for point in points)]
    return min(profits), max(*profits, min(profits) + 1)


def _scale(least: int, most: int, low: float, high: float) -> Scale:
    return lambda value: low + (value - least) / (most - least) * (high - low)


def _number(value: int) -> str:
    return f"{from_wad(value):,.2f}"


def _line(start: Place, end: Place, colour: str, width: int = 1) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"/>'
    )


def _label(x: float, y: float, anchor: str, value: int) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_number(value)}</text>'
