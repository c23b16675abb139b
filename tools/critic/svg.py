"""A few strokes of SVG: small pictures that take their colours from the page, or bring their own when they stand alone.

Every text is escaped here, so that a picture may be put into a page as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from video2reward.sim.robots.model import LIMB_RGB

LIMB_COLOURS = {limb: "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb) for limb, rgb in LIMB_RGB.items()}
OTHER_COLOUR = "#777777"

STYLE = """
svg.chart { --ink: #1c2126; --faint: #68727d; --line: #c9cfd6; --paper: #ffffff; background: var(--paper);
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg.chart { --ink: #e8ebee; --faint: #9aa4ae; --line: #3b434c; --paper: #14181c; } }
"""
"""For a picture that stands alone; a page brings the same names."""

_RULES = (
    ".chart text{fill:var(--ink);font-size:12px}.chart .faint{fill:var(--faint)}"
    ".chart .line{stroke:var(--line);fill:none}.chart .mark{stroke:var(--ink);fill:none}"
    ".chart .strong{font-weight:600}.chart .dot{fill:var(--ink)}"
)


def colour(limb: str) -> str:
    return LIMB_COLOURS.get(limb, OTHER_COLOUR)


def picture(width: float, height: float, parts: Iterable[str], *, title: str, alone: bool = False) -> str:
    """Return an <svg> that fills the width it is given, with a title for those who cannot see it."""
    style = f"<style>{STYLE if alone else ''}{_RULES}</style>"
    name = f'<title>{escape(title)}</title><g aria-hidden="true">'
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img"'
        f' aria-label="{escape(title, quote=True)}">{style}{name}{"".join(parts)}</g></svg>'
    )


def text(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(
    x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1.0, round_px: float = 2
) -> str:
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(width, 0.0):.2f}" height="{height:.2f}" rx="{round_px:g}"'
        f' fill="{fill}" fill-opacity="{opacity:.2f}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str = "line", dashed: bool = False) -> str:
    dash = ' stroke-dasharray="3 3"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"{dash}/>'


def path(
    points: Sequence[Sequence[float]], stroke: str, *, width: float = 2, closed: bool = False, dashed: bool = False,
    opacity: float = 1.0,
) -> str:  # fmt: skip
    """Draw through points (x, y); `stroke` is a colour."""
    steps = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<path d="M{steps}{"Z" if closed else ""}" fill="none" style="stroke:{stroke}" stroke-width="{width:g}"'
        f' stroke-linejoin="round" stroke-opacity="{opacity:g}"{dash}/>'
    )


def dot(x: float, y: float, radius: float, fill: str = "var(--ink)") -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" style="fill:{fill}"/>'
