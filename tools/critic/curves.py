"""Learning curves as small pictures: what each term of the reward earned while the policy learned."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.critic import svg

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 190, 112
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 34, 22
_HEADLINES = {
    "mean_reward": "reward a step",
    "speed_m_s": "speed, m/s",
    "fall_rate_per_min": "falls a minute",
    "episode_length_s": "episode, s",
    "action_std": "exploration (std)",
    "learning_rate": "learning rate",
}
_MAX_LINES, _MAX_CHARS, _MAX_TERMS = 20_000, 32 << 20, 40


@dataclass(frozen=True)
class Progress:
    """What a worker wrote while it trained: one entry per iteration; NaN where a line lacked it."""

    env_steps: Floats
    wall_s: Floats
    headline: dict[str, Floats]
    terms: dict[str, Floats]


def read_progress(path: Path) -> Progress | None:
    """Read a `progress.jsonl` as far as it can be read and believed: a process that ran a reward wrote it.

    It may still be written, or have been cut off; it may hold anything.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_CHARS).splitlines()[:_MAX_LINES]
    except OSError:
        return None
    rows, terms_of = [], []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and _number(row.get("env_steps")) >= 0:
            rows.append(row)
            terms_of.append(row["terms"] if isinstance(row.get("terms"), dict) else {})
    if not rows:
        return None
    names = list(dict.fromkeys(name for terms in terms_of for name in terms))[:_MAX_TERMS]

    def column(name: str) -> Floats:
        return np.array([_number(row.get(name)) for row in rows])

    return Progress(
        env_steps=column("env_steps"),
        wall_s=column("wall_s"),
        headline={title: column(name) for name, title in _HEADLINES.items()},
        terms={name: np.array([_number(terms.get(name)) for terms in terms_of]) for name in names},
    )


def curves(progress: Progress, wanted_speed_m_s: float | None = None) -> list[str]:
    """Draw one small picture per quantity: the headlines, then each term by its name, weighted, per step."""
    drawn = []
    for title, values in progress.headline.items():
        goal = wanted_speed_m_s if title.startswith("speed") else None
        drawn.append(_curve(title, progress.env_steps, values, "var(--ink)", goal))
    for name, values in progress.terms.items():
        drawn.append(_curve(name, progress.env_steps, values, "var(--accent, #0072b2)", None))
    return [picture for picture in drawn if picture]


def _curve(title: str, steps: Floats, values: Floats, stroke: str, goal: float | None) -> str:
    known = np.isfinite(values) & np.isfinite(steps)
    steps, values = steps[known], values[known]
    if len(values) < 2 or steps[-1] <= steps[0]:
        return ""
    ends = [float(values.min()), float(values.max())] + ([goal] if goal is not None else [])
    low, high = min(ends), max(ends)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    plot_w, plot_h = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: Floats, y: Floats) -> Floats:
        return np.column_stack(
            [_LEFT + plot_w * (x - steps[0]) / (steps[-1] - steps[0]), _TOP + plot_h * (high - y) / (high - low)]
        )

    parts = [
        svg.text(_LEFT, 13, title, kind="strong"),
        svg.text(_WIDTH - _RIGHT, 13, _short(values[-1]), anchor="end"),
        svg.line(_LEFT, _TOP + plot_h, _WIDTH - _RIGHT, _TOP + plot_h),
        svg.text(_LEFT, 28, f"{_short(low)} to {_short(high)}", kind="faint"),
        svg.text(_WIDTH - _RIGHT, _HEIGHT - 6, f"{_thousands(steps[-1])} steps", kind="faint", anchor="end"),
        svg.text(_LEFT, _HEIGHT - 6, _thousands(steps[0]) if steps[0] > 0.02 * steps[-1] else "0", kind="faint"),
    ]
    if low < 0 < high:
        zero = place(steps[:1], np.zeros(1))[0, 1]
        parts.append(svg.line(_LEFT, zero, _WIDTH - _RIGHT, zero, dashed=True))
    if goal is not None:
        level = place(steps[:1], np.array([goal]))[0, 1]
        parts += [
            svg.line(_LEFT, level, _WIDTH - _RIGHT, level, kind="mark", dashed=True),
            svg.text(_WIDTH - _RIGHT, level - 4, f"wanted {goal:.2f}", kind="faint", anchor="end"),
        ]
    thin = np.unique(np.linspace(0, len(values) - 1, 120).astype(int))
    smooth = _smooth(values)
    if len(values) > 8:
        parts.append(svg.path(place(steps[thin], values[thin]), stroke, width=1, opacity=0.35))
    parts.append(svg.path(place(steps[thin], smooth[thin]), stroke, width=2))
    return svg.picture(_WIDTH, _HEIGHT, parts, title=f"{title} while learning, last {_short(values[-1])}")


def _smooth(values: Floats) -> Floats:
    """Return the running mean over about a twentieth of the curve."""
    half = max(len(values) // 40, 1)
    padded = np.concatenate([np.full(half, values[0]), values, np.full(half, values[-1])])
    return np.convolve(padded, np.full(2 * half + 1, 1.0 / (2 * half + 1)), mode="valid")


def _number(value: object) -> float:
    """Return a finite number of a size that can be drawn, else NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        return math.nan
    return float(value)


def _short(value: float) -> str:
    return f"{value:.3g}"


def _thousands(steps: float) -> str:
    return f"{steps / 1e6:.2f} M" if steps >= 1e6 else f"{steps / 1e3:.0f} k"
